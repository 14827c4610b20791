using System.Security.Cryptography;
using System.Text;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Sso;

namespace Matrix.ClientApi.Pages;

/// <summary>
/// What we know of the browser that asks: its cookies, and whether a form comes from a page of ours. Bound as a parameter of handlers.
/// </summary>
internal sealed class Browser(HttpContext context, HomeserverConfig config)
{
    /// <summary>Where our cookies go: everything that browsers visit is below, but the pages of stages, which are among the paths of the API.</summary>
    private const string CookiePath = "/_synapse/client";
    private const string FormCookie = "armada_form";
    private const string FlowCookie = "armada_sso";
    private const string WebCookie = "armada_session";
    private const string RegistrationCookie = "username_mapping_session";
    private const string SignUpCookie = "armada_signup";

    public static ValueTask<Browser> BindAsync(HttpContext context) =>
        ValueTask.FromResult(new Browser(context, context.RequestServices.GetRequiredService<HomeserverConfig>()));

    private bool IsSecure => config.PublicBaseUrl?.StartsWith("https:", StringComparison.Ordinal) ?? context.Request.IsHttps;

    /// <summary>Secret of the browser's session at our pages; null: none.</summary>
    public string? WebSession => Cookie(WebCookie);
    public void SetWebSession(string secret) => Set(WebCookie, secret, WebSessionStore.Lifetime, SameSiteMode.Lax);
    public void ClearWebSession() => Clear(WebCookie);

    /// <summary>Secret of a registration that waits for the user's choices; null: none.</summary>
    public string? Registration => Cookie(RegistrationCookie);
    public void SetRegistration(string secret, TimeSpan lifetime) => Set(RegistrationCookie, secret, lifetime, SameSiteMode.Lax);
    public void ClearRegistration() => Clear(RegistrationCookie);

    /// <summary>Id of the sign-up that this browser has begun; null: none.</summary>
    public string? SignUp => Cookie(SignUpCookie);
    public void SetSignUp(string id, TimeSpan lifetime) => Set(SignUpCookie, id, lifetime, SameSiteMode.Lax);
    public void ClearSignUp() => Clear(SignUpCookie);

    /// <summary>
    /// Binds a login to this browser: a secret that it alone has. Providers send browsers back from elsewhere, some with a form, so the cookie comes
    /// along across sites.
    /// </summary>
    public string FlowSecret()
    {
        var secret = Cookie(FlowCookie) ?? PendingStepStore.NewSecret();
        // The callback of CAS is among the paths of the API.
        Set(FlowCookie, secret, TimeSpan.FromHours(1), IsSecure ? SameSiteMode.None : SameSiteMode.Unspecified, "/");
        return secret;
    }

    /// <summary>
    /// Whether it is a browser at all, which somebody can send here against its user's will. Those since 2023 say over https where a request comes from; all of
    /// them are called Mozilla and name their user's languages, and a page that sends them somewhere cannot change that.
    /// </summary>
    public bool IsBrowser =>
        context.Request.Headers.ContainsKey("Sec-Fetch-Site") || context.Request.Headers.AcceptLanguage.Count > 0
        || context.Request.Headers.UserAgent.ToString().Contains("Mozilla/", StringComparison.OrdinalIgnoreCase);

    public bool HasFlow => Cookie(FlowCookie) is not null;

    /// <summary>Whether this browser began the login. Takes the same time whatever it has.</summary>
    public bool BeganFlow(string secretHash) => FixedTimeEquals(Tag(Cookie(FlowCookie) ?? ""), secretHash);

    /// <summary>For <see cref="BeganFlow"/>.</summary>
    public static string Tag(string secret) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes("flow " + secret)));

    /// <summary>For the hidden field <c>csrf</c> of our forms.</summary>
    public string FormToken()
    {
        var secret = Cookie(FormCookie);
        if (secret is null)
        {
            secret = PendingStepStore.NewSecret();
            Set(FormCookie, secret, null, SameSiteMode.Lax, "/");
        }
        return TokenOf(secret);
    }

    /// <summary>
    /// Refuses forms that come from elsewhere: the origin, when the browser tells it, must be ours; the token must be that of the browser's cookie. Pages
    /// that an administrator wrote for Synapse have no token: for them the origin must be told.
    /// </summary>
    public void RequireOwnForm(FormBody form)
    {
        string? origin = context.Request.Headers.Origin;
        RequireOwnForm(form, origin, origin is not null && origin != OwnOrigin());
    }

    /// <summary>
    /// As above for pages that clients open under whatever name they know this server by, behind a proxy that may hide the scheme: the host is compared with
    /// that of the request.
    /// </summary>
    public void RequireOwnFormAnywhere(FormBody form)
    {
        string? origin = context.Request.Headers.Origin;
        var fromElsewhere = origin is not null && (!Uri.TryCreate(origin, UriKind.Absolute, out var url) || (url.Authority != context.Request.Host.Value && origin != OwnOrigin()));
        RequireOwnForm(form, origin, fromElsewhere);
    }

    private void RequireOwnForm(FormBody form, string? origin, bool fromElsewhere)
    {
        string? site = context.Request.Headers["Sec-Fetch-Site"];
        fromElsewhere |= site is not null && site is not "same-origin";
        var proves = Cookie(FormCookie) is { } secret && form["csrf"] is { } token && FixedTimeEquals(token, TokenOf(secret));
        if (fromElsewhere || (!proves && (origin is null || form["csrf"] is not null)))
            throw new PageException(403, "csrf", "This form did not come from a page of this server. Go back, load the page again and repeat.");
    }

    private string OwnOrigin() => config.PublicBaseUrl is { } url ? new Uri(url).GetLeftPart(UriPartial.Authority) : $"{context.Request.Scheme}://{context.Request.Host}";

    private static string TokenOf(string secret) => UnpaddedBase64.EncodeUrl(SHA256.HashData(Encoding.UTF8.GetBytes("form " + secret)));

    public static bool FixedTimeEquals(string a, string b) => CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(a), Encoding.UTF8.GetBytes(b));

    private string? Cookie(string name) => context.Request.Cookies[name] is { Length: > 20 and < 200 } value ? value : null;

    private void Set(string name, string value, TimeSpan? lifetime, SameSiteMode sameSite, string path = CookiePath) => context.Response.Cookies.Append(name, value,
        new CookieOptions { Path = path, HttpOnly = true, Secure = IsSecure, SameSite = sameSite, MaxAge = lifetime, IsEssential = true });

    private void Clear(string name) => context.Response.Cookies.Delete(name, new CookieOptions { Path = CookiePath, HttpOnly = true, Secure = IsSecure });
}
