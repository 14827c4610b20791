using Matrix.Primitives;

namespace Matrix.FederationClient.DeviceKeys;

/// <summary>Looking into canonical cross-signing keys.</summary>
public static class CrossSigningKey
{
    /// <summary>The one key of the object, unpadded base64, when its name says the same; null: it is no such key.</summary>
    public static string? PublicKeyOf(ReadOnlySpan<byte> canonical)
    {
        if (!new CanonicalObject(canonical).TryGet("keys"u8, out var keys)) return null;
        string? found = null;
        foreach (var key in new CanonicalObject(keys))
        {
            if (found is not null || CanonicalValue.String(key.Value) is not { } value) return null;
            if (CanonicalValue.Unescape(key.Name) != "ed25519:" + value) return null;
            found = value;
        }
        return found;
    }
}
