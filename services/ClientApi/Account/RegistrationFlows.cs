using Matrix.ClientApi.Uia;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.Account;

/// <summary>What must be proved to register, by the configuration. Synapse: the same keys make the same flows in the same order.</summary>
internal sealed class RegistrationFlows(HomeserverConfig config)
{
    public IReadOnlyList<UiaFlow> All { get; } = Make(config.Accounts);

    private static List<UiaFlow> Make(AccountsConfig accounts)
    {
        const string Email = "m.login.email.identity";
        const string Phone = "m.login.msisdn";
        var needsEmail = accounts.RegistrationsRequire3pid.Contains(Threepids.Email);
        var needsPhone = accounts.RegistrationsRequire3pid.Contains(Threepids.Phone);
        var hasPhone = accounts.MsisdnDelegate is not null && !accounts.DisableMsisdnRegistration;
        var hasEmail = accounts.Email is not null;

        var ends = new List<string[]>();
        if (!needsEmail && !needsPhone) ends.Add([DummyStage.Name]);
        if ((hasEmail || needsEmail) && !needsPhone) ends.Add([Email]);
        if ((hasPhone || needsPhone) && !needsEmail) ends.Add([Phone]);
        if ((hasPhone || needsPhone) && (hasEmail || needsEmail)) ends.Add([Phone, Email]);

        var first = new List<string>();
        if (accounts.RegistrationRequiresToken) first.Add(RegistrationTokenStage.Name);
        if (accounts.Captcha.AtRegistration) first.Add("m.login.recaptcha");
        if (accounts.Consent is { AtRegistration: true }) first.Add("m.login.terms");
        // Something that is proved first needs no dummy after it.
        return [.. ends.Select(end => new UiaFlow([.. first, .. first.Count > 0 && end is [DummyStage.Name] ? [] : end]))];
    }
}
