using Matrix.ClientApi.Account;
using Matrix.ClientApi.Uia;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Web.RateLimits;

namespace Matrix.ClientApi.OAuth;

/// <summary>Makes the account at the end of a sign-up.</summary>
internal sealed class SignUpAccounts(UserRegistration names, Registration registration, PasswordHasher hasher, PasswordRules rules, RateLimiter limiter, HomeserverConfig config)
{
    /// <summary>The new user; M_USER_IN_USE when the name is taken, or the sign-up has made somebody.</summary>
    public async Task<UserId> MakeAsync(SignUp signUp, string name, string password, LoginClient client, CancellationToken ct)
    {
        rules.Check(password);
        await limiter.RequireLeftAsync(RateLimitRules.Registration, client.Address, ct);
        await names.RequireFreeAsync(name, ct);
        var user = Usernames.Validate(name, config);
        await limiter.RequireAsync(RateLimitRules.Registration, null, client.Address, ct);
        var session = signUp.Session;
        await registration.RegisterAsync(new RegistrationOrder(user, await hasher.HashAsync(password, ct))
        {
            UiaSession = session.SessionId,
            ConsentVersion = session.Completed.Contains(TermsStage.Name) ? config.Accounts.Consent?.Version : null,
            Addresses = [.. ThreepidStage.AddressesOf(session.Results)],
        }, ct);
        return user;
    }
}
