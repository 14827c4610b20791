using System.Text.Json;
using Matrix.Events;
using Matrix.Primitives;

namespace Matrix.FederationClient.Keys;

/// <summary>A verification key and how long what it signs is believed.</summary>
public sealed record VerifyKey(string KeyId, byte[] PublicKey, long ValidUntilTsMs);

/// <summary>The keys that a server publishes of itself. Spec: server-server-api/#get_matrixkeyv2server</summary>
public sealed record ServerKeysDocument(string ServerName, IReadOnlyList<VerifyKey> Keys)
{
    /// <summary>
    /// Reads and verifies an answer: it must name the server and be signed by one of the keys it gives. Null otherwise.
    /// Keys that are no Ed25519 keys are left out.
    /// </summary>
    public static ServerKeysDocument? Read(ReadOnlySpan<byte> json, string expectedServer, IEd25519 ed25519)
    {
        JsonElement root;
        try
        {
            var reader = new Utf8JsonReader(json);
            root = JsonElement.ParseValue(ref reader);
        }
        catch (JsonException)
        {
            return null;
        }
        if (root.ValueKind != JsonValueKind.Object || Text(root, "server_name") != expectedServer) return null;
        if (!root.TryGetProperty("valid_until_ts", out var until) || until.ValueKind != JsonValueKind.Number || !until.TryGetInt64(out var validUntil)) return null;
        var current = ReadKeys(root, "verify_keys", _ => validUntil);
        if (!IsSigned(json, expectedServer, current, ed25519)) return null;
        current.AddRange(ReadKeys(root, "old_verify_keys", Expired));
        return new ServerKeysDocument(expectedServer, current);
    }

    private static bool IsSigned(ReadOnlySpan<byte> json, string server, List<VerifyKey> keys, IEd25519 ed25519)
    {
        foreach (var key in keys) if (EventSigning.VerifyJson(json, server, key.KeyId, key.PublicKey, ed25519)) return true;
        return false;
    }

    private static long? Expired(JsonElement key) =>
        key.TryGetProperty("expired_ts", out var at) && at.ValueKind == JsonValueKind.Number && at.TryGetInt64(out var ms) ? ms : null;

    private static List<VerifyKey> ReadKeys(JsonElement root, string member, Func<JsonElement, long?> validUntil)
    {
        var keys = new List<VerifyKey>();
        if (!root.TryGetProperty(member, out var map) || map.ValueKind != JsonValueKind.Object) return keys;
        foreach (var entry in map.EnumerateObject())
        {
            if (!entry.Name.StartsWith("ed25519:", StringComparison.Ordinal) || entry.Value.ValueKind != JsonValueKind.Object) continue;
            if (Text(entry.Value, "key") is not { } text || !UnpaddedBase64.TryDecode(text, out var bytes) || bytes.Length != 32) continue;
            if (validUntil(entry.Value) is { } until) keys.Add(new VerifyKey(entry.Name, bytes, until));
        }
        return keys;
    }

    private static string? Text(JsonElement o, string name) => o.TryGetProperty(name, out var v) && v.ValueKind == JsonValueKind.String ? v.GetString() : null;
}
