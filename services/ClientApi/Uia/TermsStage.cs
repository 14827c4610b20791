using System.Text.Json;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.Uia;

/// <summary>The user agrees to the policies of the server. Spec: client-server-api/#terms-of-service-at-registration</summary>
internal sealed class TermsStage(HomeserverConfig config) : IUiaStage
{
    public const string Name = "m.login.terms";
    public string Type => Name;

    // Who comes to it says that he agrees.
    public ValueTask<UiaVerdict> CheckAsync(UiaProof proof, CancellationToken ct) => new(UiaVerdict.Proved);

    public bool WriteParams(Utf8JsonWriter w)
    {
        if (config.Accounts.Consent is not { } consent) return false;
        w.WriteStartObject("policies"u8);
        w.WriteStartObject("privacy_policy"u8);
        w.WriteString("version"u8, consent.Version);
        w.WriteStartObject("en"u8);
        w.WriteString("name"u8, consent.PolicyName);
        w.WriteString("url"u8, $"{config.PublicBaseUrl}_matrix/consent?v={Uri.EscapeDataString(consent.Version)}");
        w.WriteEndObject();
        w.WriteEndObject();
        w.WriteEndObject();
        return true;
    }
}
