using Matrix.ClientApi.Pages;
using Matrix.ServiceDefaults;
using Matrix.Storage.Sso;

namespace Matrix.ClientApi.Sso.Cas;

/// <summary>
/// Central Authentication Service: the browser comes back with a ticket, which we ask the server about. Synapse: the client stands in the address of the
/// service, there is no state; a browser that did not begin a login here is asked before a client gets a token. Where nobody would be asked any more,
/// there is a state, and only the browser that began comes to the end.
/// </summary>
internal sealed class CasProvider(CasConfig settings, HomeserverConfig config, SsoSteps steps, ProviderHttp http) : ISsoProvider
{
    public const string Name = "cas";
    private const int MaxTicket = 2048;

    public string Id => Name;
    public ProviderLabel Label => settings.Label;
    public bool EnableRegistration => settings.EnableRegistration;

    public async Task<string> BeginAsync(SsoTarget target, Browser browser, IQueryCollection parameters, CancellationToken ct)
    {
        var flow = browser.FlowSecret();
        var (name, value) = target.Goal switch
        {
            SsoGoal.Client => ("redirectUrl", target.Value),
            _ => ("state", await steps.CreateAsync(new SsoStep(Id, target.Goal, target.Value, Browser.Tag(flow)), ct)),
        };
        return $"{settings.ServerUrl}/login?service={Uri.EscapeDataString(Service(name, value))}";
    }

    /// <summary>Asks the server who has this ticket, and what the login was for.</summary>
    public async Task<(SsoIdentity Identity, SsoTarget Target)> ReadAsync(
        string? ticket, string? redirectUrl, string? session, string? state, Browser browser, CancellationToken ct)
    {
        if (ticket is not { Length: > 0 and <= MaxTicket }) throw new PageException(400, "M_MISSING_PARAM", "The ticket of the login is missing.");
        var (name, value) = (redirectUrl, session, state) switch
        {
            ({ } url, null, null) => ("redirectUrl", ClientAddresses.Require(url)),
            // Synapse: its addresses name the session of an authentication. Whoever is no browser may use them: it cannot be led here by somebody else. A cookie
            // would not tell more: who comes this way has begun nothing here.
            (null, { } uia, null) when !browser.IsBrowser => ("session", uia),
            (null, null, { } secret) => ("state", secret),
            _ => throw new PageException(400, "M_MISSING_PARAM", "It cannot be told what this login is for."),
        };
        var target = name switch
        {
            "redirectUrl" => new SsoTarget(SsoGoal.Client, value),
            "session" => new SsoTarget(SsoGoal.Uia, value),
            _ => (await steps.TakeAsync(value, browser, ct)).Target,
        };
        var path = settings.ProtocolVersion == 3 ? "p3/proxyValidate" : "proxyValidate";
        var answer = await http.GetAsync(
            $"{settings.ServerUrl}/{path}?ticket={Uri.EscapeDataString(ticket)}&service={Uri.EscapeDataString(Service(name, value))}", ct);
        if (answer.Status != 200) throw new ProviderException($"CAS answers with status {answer.Status}");
        var response = CasResponse.Parse(answer.Body);
        Requirements.Check(settings.Requirements, a => response.Attributes.GetValueOrDefault(a));
        return (Identity(response), target);
    }

    private SsoIdentity Identity(CasResponse response)
    {
        var localpart = Localparts.HexEncode(response.User);
        if (settings.AllowNumericIds && localpart.All(char.IsAsciiDigit)) localpart = settings.NumericIdsPrefix + localpart;
        var displayName = settings.DisplayNameAttribute is { } attribute ? response.Attributes.GetValueOrDefault(attribute)?.FirstOrDefault() : null;
        return new(new ExternalId(Id, response.User))
        {
            // Synapse: a name at CAS means the same name here, whether the account exists or not.
            Localpart = attempt => attempt == 0 ? localpart : null,
            ExistingLocalpart = localpart,
            DisplayName = displayName,
        };
    }

    private string Service(string name, string value) =>
        $"{config.PublicBaseUrl}_matrix/client/r0/login/cas/ticket?{name}={Uri.EscapeDataString(value)}";
}
