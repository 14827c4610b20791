using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Matrix.ClientApi.Pages;
using Matrix.ServiceDefaults;
using Matrix.Storage.Sso;

namespace Matrix.ClientApi.Sso.Saml;

/// <summary>A SAML 2.0 identity provider: requests by redirect, responses by POST (saml-profiles-2.0-os 4.1).</summary>
internal sealed class SamlProvider(SamlConfig settings, HomeserverConfig config, SsoSteps steps, PendingStepStore seen, ProviderHttp http, TimeProvider clock) : ISsoProvider
{
    public const string Name = "saml";
    private const int MaxCharacters = 256 * 1024;
    /// <summary>Addresses of one user that are looked at.</summary>
    private const int MaxEmails = 10;
    private readonly SamlIdpMetadata metadata = new(settings, http, clock);
    private readonly SamlRequests requests = new(settings, EntityIdOf(settings, config), ConsumerAddressOf(config), clock);
    private readonly SamlDecryption decryption = new(settings.EncryptionKeys);

    public string Id => Name;
    public ProviderLabel Label => settings.Label;
    public bool EnableRegistration => true;

    private string EntityId => EntityIdOf(settings, config);
    private string ConsumerAddress => ConsumerAddressOf(config);

    public async Task<string> BeginAsync(SsoTarget target, Browser browser, IQueryCollection parameters, CancellationToken ct)
    {
        var idp = await metadata.GetAsync(ct);
        requests.KeyFor(idp);
        var requestId = "_" + RandomNumberGenerator.GetHexString(40, lowercase: true);
        var step = new SsoStep(Id, target.Goal, target.Value, Browser.Tag(browser.FlowSecret())) { RequestId = requestId };
        var state = await steps.CreateAsync(step, ct, settings.SessionLifetime);
        return idp.IsPost ? $"{config.PublicBaseUrl}_synapse/client/saml2/authn_request?state={state}" : requests.Redirect(idp, requestId, state);
    }

    /// <summary>For a page that posts the request of a login that this browser has begun.</summary>
    public async Task<(string Address, string Request)> PostAsync(string? state, Browser browser, CancellationToken ct)
    {
        var step = await steps.RequireAsync(state, browser, ct);
        if (step is not { Provider: Name, RequestId: { } requestId }) throw new PageException(400, "invalid_session", "This login was begun at another provider.");
        var idp = await metadata.GetAsync(ct);
        return (idp.SignOnAddress, requests.Form(idp, requestId));
    }

    /// <summary>Whom a response proves, and what the login was for. Only what the identity provider has signed is looked at.</summary>
    public async Task<(SsoIdentity Identity, SsoTarget Target, bool Unsolicited)> ReadAsync(string? samlResponse, string? relayState, Browser browser, CancellationToken ct)
    {
        if (samlResponse is not { Length: > 0 }) throw new PageException(400, "M_MISSING_PARAM", "The response of the identity provider is missing.");
        var document = SamlXml.Load(Decode(samlResponse), MaxCharacters);
        var response = document.DocumentElement!;
        var unsolicited = settings.AllowUnsolicited && !response.HasAttribute("InResponseTo");
        var step = unsolicited ? null : await steps.TakeAsync(relayState, browser, ct);
        if (step is not null && step.Provider != Id) throw new PageException(400, "invalid_session", "This login was begun at another provider.");
        var target = step?.Target ?? new SsoTarget(SsoGoal.Client, ClientAddresses.Require(relayState));
        var idp = await metadata.GetAsync(ct);
        var expected = new SamlExpectation(idp.EntityId, EntityId, ConsumerAddress, step?.RequestId, settings.AcceptedTimeDifference);
        var signed = SamlSignature.RequireSigned(response, idp.Certificates, decryption, settings);
        SamlAssertion.RequireSuccess(response, expected);
        var assertion = SamlAssertion.Read(signed, expected, clock.GetUtcNow());
        // Each is shown once: whoever repeats it has listened.
        if (!await seen.MarkAsync("saml", $"{idp.EntityId} {assertion.Id}", assertion.Until, ct)) throw new ProviderException("the assertion was shown before");
        Requirements.Check(settings.Requirements, a => assertion.Attributes.GetValueOrDefault(a));
        return (Identity(assertion), target, unsolicited);
    }

    /// <summary>What identity providers want to know of us.</summary>
    public string Metadata() => SamlMetadata.Write(settings, EntityId, ConsumerAddress);

    private static string EntityIdOf(SamlConfig settings, HomeserverConfig config) => settings.EntityId ?? $"{config.PublicBaseUrl}_synapse/client/saml2/metadata.xml";
    private static string ConsumerAddressOf(HomeserverConfig config) => $"{config.PublicBaseUrl}_synapse/client/saml2/authn_response";

    private SsoIdentity Identity(SamlAssertion assertion)
    {
        string? First(string attribute) => assertion.Attributes.GetValueOrDefault(attribute)?.FirstOrDefault(v => v.Length > 0);
        var id = First("uid") ?? assertion.NameId ?? throw new ProviderException("the assertion names no user (uid)");
        if (id.Length > 1024) throw new ProviderException("the user's id is too long");
        var localpart = First(settings.MxidSourceAttribute) is { } source ? Map(source) : null;
        return new(new ExternalId(Id, id))
        {
            Localpart = attempt => localpart is null ? null : attempt == 0 ? localpart : localpart + attempt.ToString(CultureInfo.InvariantCulture),
            ExistingLocalpart = settings.GrandfatheredAttribute is { } attribute && First(attribute) is { } old ? Map(old) : null,
            DisplayName = First("displayName"),
            Emails = [.. (assertion.Attributes.GetValueOrDefault("email") ?? []).Distinct().Take(MaxEmails)],
        };
    }

    private string Map(string name) => settings.DotReplace ? Localparts.DotReplace(name) : Localparts.HexEncode(name);

    private static string Decode(string base64)
    {
        if (base64.Length > MaxCharacters * 2) throw new ProviderException("the response is too large");
        try
        {
            return Encoding.UTF8.GetString(Convert.FromBase64String(base64));
        }
        catch (FormatException e)
        {
            throw new ProviderException("the response is not base64", e);
        }
    }
}
