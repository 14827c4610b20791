using Matrix.ClientApi.AccountValidity;
using Matrix.ClientApi.Admin;
using Matrix.ClientApi.AutoJoining;
using Matrix.ClientApi.Consent;
using Matrix.ClientApi.Mail;
using Matrix.ClientApi.ServerNotices;
using Matrix.ClientApi.ThirdPartyIds;
using Matrix.ClientApi.Uia;
using Matrix.FederationClient.Identity;
using Matrix.FederationClient.Outbound;
using Matrix.Rooms.Writing;
using Matrix.ServiceDefaults;
using Matrix.Storage.AccountData;
using Matrix.Storage.Accounts;
using Matrix.Web.AppServices;
using Matrix.Web.RateLimits;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.ClientApi.Account;

/// <summary>Everything that makes, proves and ends accounts and sessions.</summary>
internal static class AccountServices
{
    public static void AddAccounts(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        builder.AddAppServiceRegistrations();
        services.TryAddSingleton<RateLimiter>();
        services.TryAddSingleton<AccountStore>();
        services.TryAddSingleton<DeviceStore>();
        services.TryAddSingleton<RefreshTokenStore>();
        services.TryAddSingleton<ModerationStore>();
        services.TryAddSingleton<RegistrationNonceStore>();
        services.TryAddSingleton<RegistrationTokenStore>();
        services.TryAddSingleton<ThreepidStore>();
        services.TryAddSingleton<UiaSessionStore>();
        services.AddSingleton<PasswordHasher>();
        services.AddSingleton<PasswordRules>();
        services.AddSingleton<PasswordLogin>();
        services.AddSingleton<LoginGate>();
        services.TryAddSingleton<UsageStore>();
        services.AddSingleton<UsageGate>();
        services.TryAddSingleton<ServerNoticeStore>();
        services.TryAddSingleton<InvitePermissions>();
        services.AddSingleton<NoticeSender>();
        services.AddSingleton<NoticeRounds>();
        services.AddHostedService<NoticeTimer>();
        services.TryAddSingleton<AutoJoinStore>();
        services.AddSingleton<AutoJoins>();
        services.AddHostedService<AutoJoinTimer>();
        services.AddSingleton<TokenIssuer>();
        services.AddSingleton<Sessions>();
        services.AddSingleton<RegistrationFlows>();
        services.AddSingleton<Registration>();
        services.AddSingleton<UserRegistration>();
        services.AddSingleton<AppServiceUserRegistration>();
        services.TryAddSingleton<DeactivationStore>();
        services.TryAddSingleton<RoomDepartures>();
        services.AddSingleton<Deactivation>();
        services.AddSingleton<Moderation>();
        // In the order in which clients are told of them.
        services.AddSingleton<ILoginType, PasswordLoginType>();
        services.AddSingleton<ILoginType, TokenLoginType>();
        services.AddSingleton<ILoginType, JwtLoginType>();
        services.AddSingleton<AppServiceLoginType>();
        services.AddSingleton<ILoginType>(p => p.GetRequiredService<AppServiceLoginType>());
        services.AddSingleton<InteractiveAuth>();
        services.TryAddSingleton<DeviceProofStore>();
        services.AddSingleton<Reauthentication>();
        services.AddSingleton<IUiaStage, DummyStage>();
        services.AddSingleton<IUiaStage, PasswordStage>();
        services.AddSingleton<IUiaStage, RegistrationTokenStage>();
        services.AddSingleton<IUiaStage, TermsStage>();
        services.AddSingleton<IUiaStage, RecaptchaStage>();
        services.AddSingleton<IUiaStage, EmailStage>();
        services.AddSingleton<IUiaStage, PhoneStage>();
        services.AddSingleton<StagePages>();
        services.AddSingleton<FallbackPages>();
        services.AddSingleton<PasswordResets>();
        services.TryAddSingleton<ThreepidSessionStore>();
        services.TryAddSingleton<IMailer, SmtpMailer>();
        services.AddSingleton<MailTemplates>();
        services.AddSingleton<MsisdnDelegate>();
        services.TryAddSingleton(p =>
        {
            var config = p.GetRequiredService<HomeserverConfig>();
            return new IdentityHttp(new IpRangeList(config.IpRangeBlacklist, config.IpRangeWhitelist), config.OutboundVerifyCertificates);
        });
        services.AddSingleton<IdentityServers>();
        services.AddSingleton<ThreepidProofs>();
        services.AddSingleton<ThreepidRules>();
        services.AddSingleton<AccountAddresses>();
        services.AddSingleton<RequestTokens>();
        services.AddSingleton<SubmitTokens>();
        services.TryAddSingleton<ConsentStore>();
        services.AddSingleton<ConsentPages>();
        services.TryAddSingleton<AccountRenewalStore>();
        services.AddSingleton<Renewals>();
        services.AddHostedService<RenewalMailing>();
    }
}
