using Matrix.Events;
using Matrix.FederationClient.Policy;
using Matrix.Primitives;

namespace Matrix.EventPersister.Policy;

/// <summary>Which server recommends events for a room, and the key that it does so with. Spec: server-server-api/#determining-if-a-policy-server-is-enabled-in-a-room</summary>
internal sealed record RoomPolicy(string Server, byte[] Key)
{
    public static readonly StateKey StateKey = new("m.room.policy", "");

    /// <summary>Null: the room has none.</summary>
    public static RoomPolicy? Of(Pdu? e)
    {
        if (e?.ContentString("via"u8) is not { } via || !ServerName.TryParse(via, null, out _)) return null;
        return new CanonicalObject(e.ContentValue("public_keys"u8)).GetString("ed25519"u8) is { } text && UnpaddedBase64.TryDecodeUrl(text, out var key) && key.Length == 32
            ? new RoomPolicy(via, key) : null;
    }

    /// <summary>The event by which a room changes its mind must not need anybody's recommendation.</summary>
    public static bool Concerns(Pdu e) => e.Type != StateKey.Type || e.StateKey != StateKey.Key;

    public bool IsRecommended(Pdu e, IEd25519 ed25519) => EventSigning.VerifyEvent(e.Json.Span, e.Version, Server, IPolicyServers.KeyId, Key, ed25519);
}
