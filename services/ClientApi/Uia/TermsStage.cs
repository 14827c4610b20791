using System.Text.Json;
using Matrix.ClientApi.Pages;
using Matrix.Primitives;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.Uia;

/// <summary>The user agrees to the policies of the server. Spec: client-server-api/#terms-of-service-at-registration</summary>
internal sealed class TermsStage(HomeserverConfig config, Pages.Pages pages) : IUiaPage
{
    public const string Name = "m.login.terms";
    public string Type => Name;

    /// <summary>Found out, for the account that is made then: he has agreed.</summary>
    private static readonly UiaVerdict Agreed = new(null, "true");

    // Who comes to it says that he agrees.
    public ValueTask<UiaVerdict> CheckAsync(UiaProof proof, CancellationToken ct) => new(Agreed);

    public bool WriteParams(Utf8JsonWriter w, string session)
    {
        if (config.Accounts.Consent is not { } consent) return false;
        w.WriteStartObject("policies"u8);
        w.WriteStartObject("privacy_policy"u8);
        w.WriteString("version"u8, consent.Version);
        w.WriteStartObject("en"u8);
        w.WriteString("name"u8, consent.PolicyName);
        w.WriteString("url"u8, Address(config, consent));
        w.WriteEndObject();
        w.WriteEndObject();
        w.WriteEndObject();
        return true;
    }

    public ValueTask<IResult> ShowAsync(UiaPageRequest request, string? complaint, CancellationToken ct) => new(config.Accounts.Consent is { } consent
        ? pages.Show("terms.html", request.Values(complaint, ("policy_name", consent.PolicyName), ("terms_url", Address(config, consent))))
        : pages.Error(404, "M_UNRECOGNIZED", "This server has no policy to agree to."));

    public ValueTask<UiaVerdict?> SubmitAsync(UiaPageRequest request, FormBody form, CancellationToken ct) =>
        new(form["accept"] is not null ? Agreed : MatrixError.Forbidden("To go on you have to agree."));

    private static string Address(HomeserverConfig config, ConsentConfig consent) => $"{config.PublicBaseUrl}_matrix/consent?v={Uri.EscapeDataString(consent.Version)}";
}
