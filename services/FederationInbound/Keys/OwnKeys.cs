using System.Buffers;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.Primitives;

namespace Matrix.FederationInbound.Keys;

/// <summary>The signed document of this server's own keys; signed anew when half of its life is over.</summary>
internal sealed class OwnKeys(ServerIdentity identity, TimeProvider clock)
{
    private static readonly TimeSpan Life = TimeSpan.FromDays(1);
    private Signed? current;

    private sealed record Signed(byte[] Json, long ValidUntilMs);

    /// <summary>JSON, valid for at least half a day from now.</summary>
    public ReadOnlyMemory<byte> Document()
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var known = Volatile.Read(ref current);
        if (known is not null && known.ValidUntilMs - now > Life.TotalMilliseconds / 2) return known.Json;
        var fresh = Sign(now + (long)Life.TotalMilliseconds);
        Volatile.Write(ref current, fresh);
        return fresh.Json;
    }

    private Signed Sign(long validUntil)
    {
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var w = new Utf8JsonWriter(buffer))
        {
            w.WriteStartObject();
            w.WriteStartObject("old_verify_keys");
            w.WriteEndObject();
            w.WriteString("server_name", identity.ServerName);
            w.WriteNumber("valid_until_ts", validUntil);
            w.WriteStartObject("verify_keys");
            w.WriteStartObject(identity.Key.KeyId);
            w.WriteString("key", UnpaddedBase64.Encode(identity.Key.PublicKey));
            w.WriteEndObject();
            w.WriteEndObject();
            w.WriteEndObject();
        }
        return new Signed(EventSigning.SignJson(buffer.WrittenSpan, identity.ServerName, identity.Key, identity.Ed25519), validUntil);
    }
}
