using System.Buffers;
using System.Security.Cryptography;
using System.Text.Json;
using Matrix.Primitives;
using Matrix.Storage.OAuth;
using Matrix.Web.Json;

namespace Matrix.ClientApi.OAuth;

/// <summary>Registers clients and finds them. RFC 7591; spec: client-server-api/#dynamic-client-registration-flow</summary>
internal sealed class OAuthClients(OAuthClientStore store)
{
    private const int MaxText = 500;
    private const int MaxRedirects = 20;
    public static readonly string[] GrantTypes = ["authorization_code", "refresh_token", DeviceGrant];
    public const string DeviceGrant = "urn:ietf:params:oauth:grant-type:device_code";

    /// <summary>The metadata as registered, with the id; the same metadata have the same id.</summary>
    public async Task<byte[]> RegisterAsync(JsonElement wanted, CancellationToken ct)
    {
        var clientUri = Text(wanted, "client_uri") ?? throw Invalid("client_uri is missing");
        if (!Uri.TryCreate(clientUri, UriKind.Absolute, out var client) || client.HostNameType is UriHostNameType.Unknown or UriHostNameType.Basic
            || !RedirectUris.IsWeb(clientUri, client)) throw Invalid("client_uri is no https address");
        var type = Text(wanted, "application_type") ?? "web";
        if (type is not ("web" or "native")) throw Invalid("application_type is neither web nor native");
        var grants = (Texts(wanted, "grant_types") ?? ["authorization_code"]).Where(GrantTypes.Contains).Distinct().ToList();
        if (!grants.Contains("authorization_code") && !grants.Contains(DeviceGrant)) throw Invalid("none of the grant_types can begin a session here");
        var responses = Texts(wanted, "response_types") ?? ["code"];
        if (grants.Contains("authorization_code") && !responses.Contains("code")) throw Invalid("response_types does not hold code");
        var redirects = Texts(wanted, "redirect_uris") ?? [];
        if (redirects.Count > MaxRedirects || (redirects.Count == 0 && grants.Contains("authorization_code"))) throw InvalidRedirect("redirect_uris is missing or too long");
        foreach (var redirect in redirects)
            if (!(type == "web" ? RedirectUris.IsWeb(redirect, client) : RedirectUris.IsNative(redirect, client)))
                throw InvalidRedirect($"a redirect address is not allowed for {type} clients of {client.Host}");
        var members = Json(w =>
        {
            if (Text(wanted, "client_name") is { } name) w.WriteString("client_name"u8, name);
            w.WriteString("client_uri"u8, clientUri);
            foreach (var key in (ReadOnlySpan<string>)["logo_uri", "tos_uri", "policy_uri"])
            {
                if (Text(wanted, key) is not { } address) continue;
                if (!RedirectUris.IsWeb(address, client)) throw Invalid($"{key} is no https address of {client.Host}");
                w.WriteString(key, address);
            }
            WriteList(w, "redirect_uris", redirects);
            w.WriteString("token_endpoint_auth_method"u8, "none");
            WriteList(w, "response_types", grants.Contains("authorization_code") ? ["code"] : []);
            WriteList(w, "grant_types", grants);
            w.WriteString("application_type"u8, type);
        });
        var id = UnpaddedBase64.EncodeUrl(SHA256.HashData(members).AsSpan(0, 20));
        var answer = Json(w =>
        {
            w.WriteString("client_id"u8, id);
            using var document = JsonDocument.Parse(members);
            foreach (var member in document.RootElement.EnumerateObject()) member.WriteTo(w);
        });
        await store.SaveAsync(id, answer, ct);
        return answer;
    }

    /// <summary>Null: no such client.</summary>
    public async Task<OAuthClient?> FindAsync(string? id, CancellationToken ct)
    {
        if (id is not { Length: > 0 and < 100 } || await store.FindAsync(id, ct) is not { } metadata) return null;
        using var document = JsonDocument.Parse(metadata);
        var o = document.RootElement;
        var uri = o.RequiredString("client_uri");
        return new(id, Text(o, "client_name") ?? new Uri(uri).Host, uri, Texts(o, "redirect_uris") ?? [], Texts(o, "grant_types") ?? [], o.RequiredString("application_type"))
        {
            PolicyUri = Text(o, "policy_uri"), TosUri = Text(o, "tos_uri"),
        };
    }

    private static OAuthException Invalid(string description) => new("invalid_client_metadata", description);
    private static OAuthException InvalidRedirect(string description) => new("invalid_redirect_uri", description);

    private static string? Text(JsonElement o, string name)
    {
        if (!o.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null) return null;
        if (value.ValueKind != JsonValueKind.String) throw Invalid($"{name} is no text");
        var text = value.GetString()!;
        return text.Length is > 0 and <= RedirectUris.MaxLength && (name != "client_name" || text.Length <= MaxText) && !text.Any(char.IsControl) ? text : throw Invalid($"{name} is empty or too long");
    }

    private static IReadOnlyList<string>? Texts(JsonElement o, string name)
    {
        if (!o.TryGetProperty(name, out var list) || list.ValueKind == JsonValueKind.Null) return null;
        if (list.ValueKind != JsonValueKind.Array || list.EnumerateArray().Any(e => e.ValueKind != JsonValueKind.String)) throw Invalid($"{name} is no list of texts");
        return [.. list.EnumerateArray().Select(e => e.GetString()!)];
    }

    private static void WriteList(Utf8JsonWriter w, string name, IReadOnlyList<string> values)
    {
        w.WriteStartArray(name);
        foreach (var value in values) w.WriteStringValue(value);
        w.WriteEndArray();
    }

    private static byte[] Json(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, MatrixResults.WriterOptions))
        {
            writer.WriteStartObject();
            members(writer);
            writer.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }
}
