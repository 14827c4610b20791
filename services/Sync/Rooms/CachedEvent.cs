using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Sync.Answers;

namespace Matrix.Sync.Rooms;

/// <summary>
/// An event as sync holds it: headers, and its client form as bytes up to where <c>unsigned</c> goes on with what differs by reader and moment
/// (age, transaction_id, membership). Immutable and shared by all members of the room. Client events of /sync have no room_id.
/// </summary>
internal sealed class CachedEvent
{
    public required long Position { get; init; }
    public required long Nid { get; init; }
    public required string EventId { get; init; }
    public required string Type { get; init; }
    public required string Sender { get; init; }
    public required string? StateKey { get; init; }
    public required long OriginServerTs { get; init; }
    /// <summary>Of a member event, what it sets and what it replaced.</summary>
    public required Membership Membership { get; init; }
    public required Membership PrevMembership { get; init; }
    public required string? ReplacesEventId { get; init; }
    /// <summary>Event that this accepted redaction redacts.</summary>
    public required string? Redacts { get; init; }
    public required string? TxnDeviceId { get; init; }
    public required string? TxnId { get; init; }
    /// <summary>Client form up to and with the fixed part of unsigned, which ends with a comma or the opening brace.</summary>
    public required byte[] Body { get; init; }
    private readonly int contentStart, contentLength;

    private CachedEvent(int contentStart, int contentLength) => (this.contentStart, this.contentLength) = (contentStart, contentLength);

    public bool IsState => StateKey is not null;
    public bool IsMember => StateKey is not null && Type == EventTypes.Member;
    public StateKey Key => new(Type, StateKey!);
    /// <summary>Canonical JSON of the content.</summary>
    public ReadOnlySpan<byte> Content => Body.AsSpan(contentStart, contentLength);
    /// <summary>Estimate of what it costs to keep it, bytes.</summary>
    public int Bytes => Body.Length + 320;

    /// <param name="redaction">The event that redacted it, when it is known.</param>
    public static CachedEvent Of(StoredEvent e, StoredEvent? redaction = null)
    {
        using var output = new PooledBuffer(e.Pdu.Content.Length + e.PrevContent.Length + 512);
        var isMember = e.Pdu.Type == EventTypes.Member && e.Pdu.IsState;
        var (start, length) = ClientForm.WriteHead(output, e.Pdu);
        ClientForm.WriteUnsigned(output, e, redaction);
        return new CachedEvent(start, length)
        {
            Position = e.Position ?? 0,
            Nid = e.EventNid,
            EventId = e.Pdu.EventId,
            Type = e.Pdu.Type,
            Sender = e.Pdu.Sender,
            StateKey = e.Pdu.StateKey,
            OriginServerTs = e.Pdu.OriginServerTs,
            Membership = isMember ? MembershipNames.Parse(e.Pdu.Membership) : Membership.None,
            PrevMembership = isMember ? PrevMembershipOf(e.PrevContent.Span) : Membership.None,
            ReplacesEventId = e.ReplacesEventId,
            Redacts = e.Pdu.Redacts,
            TxnDeviceId = e.TxnDeviceId,
            TxnId = e.TxnId,
            Body = output.Written.ToArray(),
        };
    }

    private static Membership PrevMembershipOf(ReadOnlySpan<byte> content) =>
        MembershipNames.Parse(new CanonicalObject(content).GetString("membership"u8));

    /// <summary>This message event with its content taken away by that redaction. Not for state events: what replaced them quotes their content.</summary>
    public CachedEvent RedactedBy(CachedEvent redaction, bool keepsRedacts)
    {
        using var output = new PooledBuffer(redaction.Body.Length + 512);
        var (start, length) = ClientForm.WriteRedacted(output, this, redaction, keepsRedacts);
        return new CachedEvent(start, length)
        {
            Position = Position, Nid = Nid, EventId = EventId, Type = Type, Sender = Sender, StateKey = StateKey, OriginServerTs = OriginServerTs,
            Membership = Membership, PrevMembership = PrevMembership, ReplacesEventId = ReplacesEventId, Redacts = null,
            TxnDeviceId = TxnDeviceId, TxnId = TxnId, Body = output.Written.ToArray(),
        };
    }

    /// <summary>The whole event for one reader: <paramref name="device"/> is set for the sender's own devices only.</summary>
    public void Write(PooledBuffer output, long nowMs, string? device, Membership reader)
    {
        output.Raw(Body).Raw("\"age\":"u8).Number(Math.Max(0, nowMs - OriginServerTs));
        if (reader != Membership.None) output.Raw(",\"membership\":\""u8).Raw(reader.Name()).Raw("\""u8);
        if (TxnId is not null && device is not null && TxnDeviceId == device) output.Raw(",\"transaction_id\":"u8).Text(TxnId);
        output.Raw("}}"u8);
    }

    /// <summary>Type, state key, sender and content only. Spec: client-server-api/#stripped-state</summary>
    public void WriteStripped(PooledBuffer output) =>
        output.Raw("{\"content\":"u8).Raw(Content).Raw(",\"sender\":"u8).Text(Sender).Raw(",\"state_key\":"u8).Text(StateKey ?? "")
            .Raw(",\"type\":"u8).Text(Type).Raw("}"u8);

    public override string ToString() => $"{Type} {EventId} @{Position}";
}
