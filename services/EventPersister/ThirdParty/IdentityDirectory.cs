using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Matrix.EventPersister.Sending;
using Matrix.FederationClient.Identity;
using Matrix.Primitives;
using Matrix.Web.Json;

namespace Matrix.EventPersister.ThirdParty;

/// <summary>Somebody outside Matrix, as a client names him.</summary>
/// <param name="Token">The client's token at the identity server.</param>
internal sealed record Invitee(string Server, string Token, string Medium, string Address)
{
    /// <summary>Bytes. Spec: appendices/#3pid-types</summary>
    private const int MaxAddress = 500;

    /// <summary>Spec: openapi/client-server/definitions/invite_3pid.yaml</summary>
    public static Invitee Read(JsonElement o)
    {
        var (server, token) = (o.RequiredString("id_server"), o.RequiredString("id_access_token"));
        var (medium, address) = (o.RequiredString("medium"), o.RequiredString("address"));
        IdentityHttp.CheckName(server);
        if (address.Length == 0 || Encoding.UTF8.GetByteCount(address) > MaxAddress) throw MatrixError.InvalidParam("Unable to parse the address").AsException();
        return medium switch
        {
            "email" => new Invitee(server, token, medium, address.ToLowerInvariant()),
            "msisdn" => new Invitee(server, token, medium, address),
            _ => throw MatrixError.InvalidParam("'medium' must be email or msisdn").AsException(),
        };
    }
}

/// <param name="ValidityUrl">Where to ask whether the key is still good; null: nowhere.</param>
internal readonly record struct InviteKey(string PublicKey, string? ValidityUrl);

/// <summary>An invitation that the identity server keeps until somebody proves that the address is his.</summary>
internal sealed record StoredInvite(string Token, string DisplayName, IReadOnlyList<InviteKey> Keys);

/// <summary>What invitations need of identity servers. Spec: identity-service-api/#association-lookup, #invitation-storage</summary>
internal sealed class IdentityDirectory(IdentityHttp http)
{
    /// <summary>Spec: openapi/identity/v2_store_invite.yaml, token</summary>
    private const int MaxToken = 255, MaxKeys = 16;

    /// <summary>The user that the address belongs to; null: nobody has proved to have it.</summary>
    public async Task<string?> LookupAsync(Invitee who, CancellationToken ct)
    {
        var details = Json(await http.GetAsync($"https://{who.Server}/_matrix/identity/v2/hash_details", Bearer(who), ct));
        var pepper = details.RequiredString("lookup_pepper");
        var algorithms = details.ArrayOrNull("algorithms");
        var hashed = Knows(algorithms, "sha256");
        if (!hashed && !Knows(algorithms, "none")) throw Unusable();
        var key = hashed
            ? UnpaddedBase64.EncodeUrl(SHA256.HashData(Encoding.UTF8.GetBytes($"{who.Address} {who.Medium} {pepper}"))) : $"{who.Address} {who.Medium}";
        var body = EventContent.Write(w =>
        {
            w.WriteStartArray("addresses");
            w.WriteStringValue(key);
            w.WriteEndArray();
            w.WriteString("algorithm", hashed ? "sha256" : "none");
            w.WriteString("pepper", pepper);
        });
        var answer = Json(await http.PostAsync(who.Server, "/_matrix/identity/v2/lookup", body, Bearer(who), ct));
        if (answer.ObjectOrNull("mappings")?.StringOrNull(key) is not { } user) return null;
        return UserId.TryParse(user, null, out var id) ? id.Value : throw Unusable();
    }

    /// <param name="invite">Further members of the request.</param>
    public async Task<StoredInvite> StoreAsync(Invitee who, Action<Utf8JsonWriter> invite, CancellationToken ct)
    {
        var body = EventContent.Write(w =>
        {
            w.WriteString("medium", who.Medium);
            w.WriteString("address", who.Address);
            invite(w);
        });
        var answer = Json(await http.PostAsync(who.Server, "/_matrix/identity/v2/store-invite", body, Bearer(who), ct));
        var token = answer.RequiredString("token");
        if (token.Length is 0 or > MaxToken || answer.ArrayOrNull("public_keys") is not { } list || list.GetArrayLength() is 0 or > MaxKeys) throw Unusable();
        var keys = new List<InviteKey>();
        foreach (var key in list.EnumerateArray())
        {
            if (key.ValueKind != JsonValueKind.Object) throw Unusable();
            keys.Add(new InviteKey(key.RequiredString("public_key"), key.StringOrNull("key_validity_url")));
        }
        return new StoredInvite(token, answer.RequiredString("display_name"), keys);
    }

    /// <summary>Whether whoever keeps that key still stands by it; status 502 when nobody says. The address is whoever invited's: guarded, and never without TLS.</summary>
    public async Task<bool> IsValidAsync(InviteKey key, CancellationToken ct)
    {
        if (key.ValidityUrl is null) return true;
        if (!Uri.TryCreate(key.ValidityUrl, UriKind.Absolute, out var url) || url.Scheme != Uri.UriSchemeHttps || url.Fragment.Length > 0) return false;
        var separator = url.Query.Length == 0 ? '?' : '&';
        IdentityAnswer answer;
        try
        {
            answer = await http.GetAsync($"{url.AbsoluteUri}{separator}public_key={Uri.EscapeDataString(key.PublicKey)}", null, ct);
        }
        catch (MatrixException e) when (e.Error.Status == 500)
        {
            // Synapse: the fault is not ours, and whoever asks may ask again.
            throw MatrixError.Unknown(502, "The key of the third-party invite could not be checked").AsException();
        }
        return Json(answer).BoolOrNull("valid") is true;
    }

    private static string Bearer(Invitee who) => $"Bearer {who.Token}";

    private static bool Knows(JsonElement? algorithms, string name) =>
        algorithms is { } list && list.EnumerateArray().Any(a => a.ValueKind == JsonValueKind.String && a.ValueEquals(name));

    /// <summary>What another server says is never passed on as it is.</summary>
    private static JsonElement Json(IdentityAnswer answer)
    {
        if (answer.Status != HttpStatusCode.OK || answer.Body is null) throw Unusable();
        try
        {
            using var document = JsonDocument.Parse(answer.Body);
            if (document.RootElement.ValueKind == JsonValueKind.Object) return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            // Said below.
        }
        throw Unusable();
    }

    private static MatrixException Unusable() => MatrixError.Unknown(502, "The identity server refused, or answered what cannot be used").AsException();
}
