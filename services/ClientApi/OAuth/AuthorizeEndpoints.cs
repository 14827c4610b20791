using System.Text.Json;
using Matrix.ClientApi.Pages;
using Matrix.ClientApi.Sso;
using Matrix.Storage.Sso;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.OAuth;

/// <summary>A client asks a user for a session: login, consent, code. Spec: client-server-api/#authorisation-code-flow</summary>
internal static class AuthorizeEndpoints
{
    private const string Consent = OwnPaths.Root + "oauth/consent";
    private const string Purpose = "authorize";
    private static readonly TimeSpan ThinkingTime = TimeSpan.FromMinutes(30);
    private static readonly TimeSpan CodeLifetime = TimeSpan.FromMinutes(2);
    private const int MaxState = 2048;
    /// <summary>base64url of a SHA-256.</summary>
    private const int ChallengeLength = 43;

    public static void MapAuthorize(this ClientRoutes routes)
    {
        routes.Map("GET", OwnPaths.Root + "oauth/authorize", Authorize).Anonymous().Named("oauth_authorize");
        routes.Map("GET", Consent, ShowConsent).Anonymous().Named("oauth_consent_page");
        routes.Map("POST", Consent, Decide).Anonymous().Named("oauth_consent");
    }

    private static Task<IResult> Authorize(
        HttpRequest request, OAuthClients clients, PendingStepStore steps, SignUpPolicy signUp, OAuthAddresses addresses, Pages.Pages pages, CancellationToken ct) =>
        LoginPageEndpoints.Run(pages, addresses, async () =>
        {
            var query = request.Query;
            // Where the answer goes is settled first: before that no error leaves this page.
            var client = await clients.FindAsync(query["client_id"], ct) ?? throw new PageException(400, "invalid_client", "The application that sent you here is not registered.");
            string? redirectUri = query["redirect_uri"];
            if (query["redirect_uri"].Count != 1 || !client.RedirectUris.Any(r => RedirectUris.Matches(r, redirectUri!)))
                throw new PageException(400, "invalid_request", "The application that sent you here wants the answer at an address that it did not register.");
            string? state = query["state"];
            var inFragment = query["response_mode"] == "fragment";
            var answer = new AuthorizeStep(client.Id, redirectUri!, "", "", "") { State = state?.Length <= MaxState ? state : null, InFragment = inFragment };
            IResult Refuse(string error, string description) => ToClient(answer, ("error", error), ("error_description", description));

            if (query.Any(q => q.Value.Count > 1) || state?.Length > MaxState) return Refuse("invalid_request", "A parameter comes more than once or is too long.");
            if (query["response_mode"] is { Count: 1 } mode && mode != "query" && mode != "fragment") return Refuse("invalid_request", "This response_mode is not supported.");
            if (query["response_type"] != "code") return Refuse("unsupported_response_type", "Only response_type code is supported.");
            if (!client.GrantTypes.Contains("authorization_code")) return Refuse("unauthorized_client", "The client did not register for this grant type.");
            // Without PKCE, or with the plain method, a code would be good for whoever sees it.
            if (query["code_challenge_method"] != "S256" || query["code_challenge"].ToString() is not { Length: ChallengeLength } challenge)
                return Refuse("invalid_request", "A code_challenge with the method S256 is needed.");
            if (OAuthScope.Read(query["scope"]) is not { } wanted) return Refuse("invalid_scope", "The scope must name the API and exactly one device.");
            var prompts = query["prompt"].ToString().Split(' ');
            if (prompts.Contains("none")) return Refuse("interaction_required", "The user must agree.");

            var step = answer with { Scope = wanted.Scope, DeviceId = wanted.DeviceId, Challenge = challenge };
            var secret = await steps.CreateAsync(Purpose, JsonSerializer.SerializeToUtf8Bytes(step, OAuthJson.Default.AuthorizeStep), ThinkingTime, ct);
            var next = $"{Consent}?request={secret}";
            if (prompts.Contains("create") && signUp.IsOpen) return new SeeOther($"{addresses.Of("signup")}?next={Uri.EscapeDataString(next)}");
            var hint = query["login_hint"].ToString() is ['m', 'x', 'i', 'd', ':', .. var user] ? $"&hint={Uri.EscapeDataString(user)}" : "";
            return new SeeOther(next + hint);
        });

    private static Task<IResult> ShowConsent(
        string? request, string? hint, Browser browser, OAuthClients clients, PendingStepStore steps, WebLogin web, OAuthAddresses addresses, Pages.Pages pages, CancellationToken ct) =>
        LoginPageEndpoints.Run(pages, addresses, async () =>
        {
            var step = Read(await steps.FindAsync(Purpose, request ?? "", ct));
            var own = $"{Consent}?request={request}";
            if (await web.FindAsync(browser, ct) is not { } session)
                return new SeeOther($"{addresses.Of("login")}?next={Uri.EscapeDataString(own)}{(hint is null ? "" : $"&hint={Uri.EscapeDataString(hint)}")}");
            var client = await clients.FindAsync(step.ClientId, ct) ?? throw Expired();
            return pages.Show("oauth_consent.html", new Dictionary<string, object?>
            {
                ["request"] = request,
                ["client_name"] = client.Name,
                ["client_host"] = new Uri(client.Uri).Host,
                ["policy_uri"] = client.PolicyUri,
                ["tos_uri"] = client.TosUri,
                ["user_id"] = session.UserId,
                ["device_id"] = step.DeviceId,
                ["switch_url"] = $"../login?next={Uri.EscapeDataString(own)}",
                ["csrf"] = browser.FormToken(),
            });
        });

    private static Task<IResult> Decide(
        FormBody form, Browser browser, PendingStepStore steps, WebLogin web, OAuthAddresses addresses, Pages.Pages pages, CancellationToken ct) =>
        LoginPageEndpoints.Run(pages, addresses, async () =>
        {
            browser.RequireOwnForm(form);
            if (await web.FindAsync(browser, ct) is not { } session) return new SeeOther(addresses.Of("login"));
            // The page named a user; another who has logged in meanwhile has not agreed.
            if (form["user_id"] != session.UserId) throw new PageException(400, "invalid_session", "You have logged in as somebody else meanwhile. Begin again in the application.");
            var step = Read(await steps.UseAsync(Purpose, form["request"] ?? "", ct));
            if (form["decision"] != "allow") return ToClient(step, ("error", "access_denied"), ("error_description", "The user did not agree."));
            var code = new CodeStep(step.ClientId, step.RedirectUri, step.Scope, step.DeviceId, step.Challenge, session.UserId);
            var secret = await steps.CreateAsync("code", JsonSerializer.SerializeToUtf8Bytes(code, OAuthJson.Default.CodeStep), CodeLifetime, ct);
            return ToClient(step, ("code", secret));
        });

    private static SeeOther ToClient(AuthorizeStep step, params ReadOnlySpan<(string Name, string Value)> parameters)
    {
        var pairs = new List<string>();
        if (step.State is { } state) pairs.Add($"state={Uri.EscapeDataString(state)}");
        foreach (var (name, value) in parameters) pairs.Add($"{name}={Uri.EscapeDataString(value)}");
        var separator = step.InFragment ? '#' : step.RedirectUri.Contains('?', StringComparison.Ordinal) ? '&' : '?';
        return new SeeOther($"{step.RedirectUri}{separator}{string.Join('&', pairs)}");
    }

    private static AuthorizeStep Read(byte[]? data) => data is null ? throw Expired() : JsonSerializer.Deserialize(data, OAuthJson.Default.AuthorizeStep)!;

    private static PageException Expired() => new(400, "invalid_session", "This request has expired or was answered. Begin again in the application.");
}
