using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>A pair of event type and state key.</summary>
public readonly record struct StateKey(string Type, string Key)
{
    public override string ToString() => $"({Type}, {Key})";
}

/// <summary>Ed25519 (RFC 8032). Implementations are thread safe. Keys and signatures are raw bytes: 32, 32 and 64.</summary>
public interface IEd25519
{
    byte[] PublicKey(ReadOnlySpan<byte> seed);
    byte[] Sign(ReadOnlySpan<byte> seed, ReadOnlySpan<byte> message);
    bool Verify(ReadOnlySpan<byte> publicKey, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature);
}

/// <summary>This server's key: what signs. <c>KeyId</c> is <c>ed25519:version</c>.</summary>
public sealed record SigningKey(string KeyId, byte[] Seed, byte[] PublicKey);

/// <summary>What the auth rules decided. Never an exception: events are refused by the thousand.</summary>
public readonly record struct AuthVerdict(bool Allowed, string? Reason)
{
    public static AuthVerdict Ok { get; } = new(true, null);
    public static AuthVerdict Reject(string reason) => new(false, reason);
}

/// <summary>State by key as the pure core reads it: current state of an actor, a snapshot, or a set of auth events.</summary>
public interface IStateView
{
    /// <summary>The event at that key; null when the state has none.</summary>
    Pdu? Get(StateKey key);
}
