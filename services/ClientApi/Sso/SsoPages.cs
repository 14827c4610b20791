using Matrix.ClientApi.Pages;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Directory;

namespace Matrix.ClientApi.Sso;

/// <summary>The pages of single sign-on, with Synapse's names and variables.</summary>
internal sealed class SsoPages(Pages.Pages pages, ProfileReader profiles, HomeserverConfig config)
{
    /// <summary>Base of the addresses that browsers are sent to, with a slash at the end.</summary>
    public string Base => config.PublicBaseUrl ?? "/";

    /// <summary>Version of the terms that new users agree to; null: they need not.</summary>
    public string? TermsVersion => config.Accounts.Consent is { AtRegistration: true } consent ? consent.Version : null;

    public string Address(string page) => $"{Base}_synapse/client/{page}";

    public static Dictionary<string, object?> Describe(ISsoProvider provider) => new()
    {
        ["idp_id"] = provider.Id,
        ["idp_name"] = provider.Label.Name,
        ["idp_icon"] = provider.Label.Icon,
        ["idp_brand"] = provider.Label.Brand,
    };

    public IResult Picker(IReadOnlyList<ISsoProvider> providers, string redirectUrl) => pages.Show("sso_login_idp_picker.html", new Dictionary<string, object?>
    {
        ["redirect_url"] = redirectUrl,
        ["providers"] = providers.Select(object? (p) => Describe(p)).ToList(),
    });

    /// <summary>To the client with the token; a client that the administrator did not name is shown to the user first.</summary>
    public async Task<IResult> ToClientAsync(string redirectUrl, string token, UserId user, bool isNew, bool mustConfirm, CancellationToken ct)
    {
        var address = ClientAddresses.WithToken(redirectUrl, token);
        if (!mustConfirm && ClientAddresses.IsTrusted(redirectUrl, config)) return new Found(address);
        var profile = (await profiles.FindAsync([user.Value], ct)).FirstOrDefault();
        return pages.Show("sso_redirect_confirm.html", new Dictionary<string, object?>
        {
            ["redirect_url"] = address,
            ["display_url"] = ClientAddresses.Display(redirectUrl),
            ["new_user"] = isNew,
            ["user_id"] = user.Value,
            ["user_profile"] = new Dictionary<string, object?> { ["display_name"] = profile?.DisplayName, ["avatar_url"] = profile?.AvatarUrl },
        });
    }

    public IResult AccountDetails(ISsoProvider provider, RegistrationStep step, string? username, string? error, Browser browser) =>
        pages.Show("sso_auth_account_details.html", new Dictionary<string, object?>
        {
            ["idp"] = Describe(provider),
            ["user_attributes"] = new Dictionary<string, object?>
            {
                ["display_name"] = step.DisplayName,
                ["emails"] = step.Emails.ToList<object?>(),
                ["avatar_url"] = step.Picture,
                ["localpart"] = username ?? step.Localpart ?? "",
            },
            ["chosen"] = new Dictionary<string, object?>
            {
                ["display_name"] = step.UseDisplayName, ["avatar"] = step.UseAvatar, ["emails"] = step.UseEmails.ToList<object?>(),
            },
            ["error"] = error,
            ["csrf"] = browser.FormToken(),
        }, error is null ? 200 : 400);

    public IResult Consent(UserId user, RegistrationStep step, Browser browser) => pages.Show("sso_new_user_consent.html", new Dictionary<string, object?>
    {
        ["user_id"] = user.Value,
        ["user_profile"] = new Dictionary<string, object?> { ["display_name"] = step.UseDisplayName ? step.DisplayName : null },
        ["consent_version"] = TermsVersion,
        ["terms_url"] = $"/_matrix/consent?v={Uri.EscapeDataString(TermsVersion ?? "")}",
        ["csrf"] = browser.FormToken(),
    });

    public IResult UiaConfirm(ISsoProvider provider, string description, string address) => pages.Show("sso_auth_confirm.html", new Dictionary<string, object?>
    {
        ["redirect_url"] = address, ["description"] = description, ["idp"] = Describe(provider),
    });

    public IResult UiaSuccess() => pages.Show("sso_auth_success.html", new Dictionary<string, object?>());

    public IResult UiaBadUser() => pages.Show("sso_auth_bad_user.html", new Dictionary<string, object?>());
}
