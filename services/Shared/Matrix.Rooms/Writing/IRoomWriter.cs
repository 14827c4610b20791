using System.Text.Json;

namespace Matrix.Rooms.Writing;

/// <summary>An event that a user of this server sends.</summary>
/// <param name="StateKey">Null: no state event.</param>
/// <param name="Content">A JSON object.</param>
public sealed record EventToSend(string Type, string? StateKey, ReadOnlyMemory<byte> Content);

/// <summary>
/// Events of one sender for one room: all are written, in this order and without others between them, or none. An m.room.redaction with <c>redacts</c> in
/// its content redacts, as if its sender had asked for it.
/// </summary>
public sealed record RoomWrite(string RoomId, string Sender, IReadOnlyList<EventToSend> Events)
{
    /// <summary>With <see cref="DeviceId"/> the identity of the write: written before, it is answered with the id of its last event. Null: none.</summary>
    public string? TxnId { get; init; }
    public string? DeviceId { get; init; }
    /// <summary>Time of the events, milliseconds; null: now.</summary>
    public long? OriginServerTs { get; init; }
    /// <summary>The sender does it himself, now: he has read what came before, as with any event that he sends.</summary>
    public bool IsByHand { get; init; }
}

/// <summary>A change of somebody's membership.</summary>
/// <param name="Action">join, invite, leave, kick, ban, unban, knock.</param>
public sealed record MembershipWrite(string RoomId, string Sender, string Target, string Action, string? Reason = null);

/// <summary>The proof of an identity server that a user of ours has the address which a room invited.</summary>
/// <param name="Sender">Who invited the address.</param>
/// <param name="Signed">Object <c>signed</c> as the identity server made it: mxid, token, signatures.</param>
public sealed record ThirdPartyExchangeWrite(string RoomId, string Sender, string Target, JsonElement Signed);

/// <param name="Options">What a client would write to /createRoom; invites of addresses are left out.</param>
/// <param name="RoomVersion">Unless the options say another.</param>
public sealed record RoomCreationWrite(string Creator, string RoomVersion, JsonElement Options);

public sealed record RoomCreated(string RoomId);

/// <param name="Position">Position in stream events of the last event; 0: nothing had to be written.</param>
public sealed record RoomWriteResult(IReadOnlyList<string> EventIds, long Position);

/// <summary>
/// Creates events in rooms, for whoever is not an endpoint of the persister. In a persister it works in process; elsewhere
/// <see cref="RemoteRoomWriter"/> calls one. What the room refuses is a <c>MatrixException</c>.
/// </summary>
public interface IRoomWriter
{
    Task<RoomWriteResult> SendAsync(RoomWrite write, CancellationToken ct);
    Task<RoomWriteResult> ChangeMembershipAsync(MembershipWrite write, CancellationToken ct);
    /// <summary>Invites the user whom the proof is for.</summary>
    Task<RoomWriteResult> ExchangeThirdPartyInviteAsync(ThirdPartyExchangeWrite write, CancellationToken ct);
    Task<RoomCreated> CreateRoomAsync(RoomCreationWrite write, CancellationToken ct);
}
