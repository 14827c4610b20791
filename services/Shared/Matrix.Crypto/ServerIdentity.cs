using Matrix.Events;

namespace Matrix.Crypto;

/// <summary>Who this homeserver is: its name and the key that signs for it.</summary>
public sealed record ServerIdentity(string ServerName, SigningKey Key, IEd25519 Ed25519)
{
    /// <summary>True for ids of this server: users, aliases (their text after the first colon).</summary>
    public bool IsMine(string id)
    {
        var colon = id.IndexOf(':', StringComparison.Ordinal);
        return colon >= 0 && id.AsSpan(colon + 1).SequenceEqual(ServerName);
    }
}
