using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.DelayedEvents;
using Matrix.Storage.Events;
using Matrix.Sync.Answers;

namespace Matrix.Sync.Rooms;

/// <summary>
/// An event as sync holds it: its client form as bytes, up to where <c>unsigned</c> goes on with what differs by reader and moment (age,
/// transaction_id, membership). Immutable and shared by all members of the room. Client events of /sync have no room_id.
/// </summary>
internal sealed class CachedEvent
{
    private PushView? push;

    private CachedEvent(Pdu view, byte[] body) => (View, Body) = (view, body);

    /// <summary>
    /// Headers and content over <see cref="Body"/>: for filters and push rules. Its bytes are those of the client form; what only the federation
    /// format has (hashes, signatures, auth and prev events, depth) is not there.
    /// </summary>
    public Pdu View { get; }
    /// <summary>Client form up to and with the fixed part of unsigned, which ends with a comma or the opening brace.</summary>
    public byte[] Body { get; }
    public required long Position { get; init; }
    public required long Nid { get; init; }
    /// <summary>Of a member event, what it sets and what it replaced.</summary>
    public required Membership Membership { get; init; }
    public required Membership PrevMembership { get; init; }
    public required string? ReplacesEventId { get; init; }
    public required string? TxnDeviceId { get; init; }
    public required string? TxnId { get; init; }

    public string EventId => View.EventId;
    public string Type => View.Type;
    public string Sender => View.Sender;
    public string? StateKey => View.StateKey;
    /// <summary>Event that this accepted redaction redacts.</summary>
    public string? Redacts => View.Redacts;
    public bool IsRedacted { get; private init; }
    public bool IsState => View.StateKey is not null;
    public bool IsMember => View.StateKey is not null && View.Type == EventTypes.Member;
    public StateKey Key => new(View.Type, View.StateKey!);
    /// <summary>Canonical JSON of the content.</summary>
    public ReadOnlySpan<byte> Content => View.Content.Span;
    /// <summary>Estimate of what it costs to keep it, bytes.</summary>
    public int Bytes => Body.Length + 448;

    /// <summary>The event as push rules see it, with the room as it is now.</summary>
    public PushView Push(RoomCache room) => push is { } known && known.IsOf(room) ? known : push = new PushView(this, room);

    /// <param name="redaction">The event that redacted it, when it is known.</param>
    public static CachedEvent Of(StoredEvent e, StoredEvent? redaction = null)
    {
        var pdu = e.Pdu;
        using var output = new PooledBuffer(pdu.Content.Length + e.PrevContent.Length + 512);
        ClientEvent.Write(output, pdu, new ClientEventOptions { OmitRoomId = true });
        var head = output.Length - 1;
        output.Rewind(1);
        WriteUnsigned(output, e, redaction);
        var isMember = pdu.Type == EventTypes.Member && pdu.IsState;
        return Make(output.Written.ToArray(), head, pdu, pdu.Redacts, e.Position ?? 0, e.EventNid,
            isMember ? MembershipNames.Parse(pdu.Membership) : Membership.None,
            isMember ? MembershipNames.Parse(new CanonicalObject(e.PrevContent.Span).GetString("membership"u8)) : Membership.None,
            e.ReplacesEventId, e.TxnDeviceId, e.TxnId, e.RedactedBy is not null);
    }

    private static CachedEvent Make(
        byte[] body, int head, Pdu like, string? redacts, long position, long nid, Membership membership, Membership before, string? replaces,
        string? txnDevice, string? txn, bool isRedacted)
    {
        var json = body.AsMemory(0, head);
        new CanonicalObject(json.Span).TryGet("content"u8, out var content);
        var view = new Pdu
        {
            Version = like.Version, EventId = like.EventId, RoomId = like.RoomId, Type = like.Type, Sender = like.Sender, StateKey = like.StateKey,
            OriginServerTs = like.OriginServerTs, Depth = like.Depth, PrevEvents = [], AuthEvents = [], Redacts = redacts, Json = json,
            Content = json.Slice(ContentAt, content.Length),
        };
        return new CachedEvent(view, body)
        {
            Position = position, Nid = nid, Membership = membership, PrevMembership = before, ReplacesEventId = replaces, TxnDeviceId = txnDevice,
            TxnId = txn, IsRedacted = isRedacted,
        };
    }

    /// <summary>Canonical order puts the content first.</summary>
    private const int ContentAt = 11;       // {"content":

    /// <summary>Opens unsigned and writes what all readers see.</summary>
    private static void WriteUnsigned(PooledBuffer output, StoredEvent e, StoredEvent? redaction)
    {
        output.Raw(",\"unsigned\":{"u8);
        if (e.ReplacesEventId is { } replaces)
        {
            if (!e.PrevContent.IsEmpty) output.Raw("\"prev_content\":"u8).Raw(e.PrevContent.Span).Raw(","u8);
            if (e.PrevSender is not null) output.Raw("\"prev_sender\":"u8).Text(e.PrevSender).Raw(","u8);
            output.Raw("\"replaces_state\":"u8).Text(replaces).Raw(","u8);
        }
        if (redaction is null) return;
        output.Raw("\"redacted_because\":"u8);
        ClientEvent.Write(output, redaction.Pdu, new ClientEventOptions { OmitRoomId = true, AgeMs = 0 });
        output.Raw(",\"redacted_by\":"u8).Text(redaction.Pdu.EventId).Raw(","u8);
    }

    /// <summary>
    /// This message event with its content taken away. Not for state events: others quote their content. <paramref name="keepsRedacts"/>: a
    /// redaction of version 11 keeps what it redacts.
    /// </summary>
    public CachedEvent RedactedBy(CachedEvent redaction, bool keepsRedacts)
    {
        using var output = new PooledBuffer(redaction.Body.Length + 512);
        output.Raw("{\"content\":"u8);
        if (keepsRedacts && Redacts is not null) output.Raw("{\"redacts\":"u8).Text(Redacts).Raw("}"u8);
        else output.Raw("{}"u8);
        output.Raw(",\"event_id\":"u8).Text(EventId).Raw(",\"origin_server_ts\":"u8).Number(View.OriginServerTs)
            .Raw(",\"sender\":"u8).Text(Sender).Raw(",\"type\":"u8).Text(Type);
        var head = output.Length;
        output.Raw(",\"unsigned\":{\"redacted_because\":"u8);
        redaction.Write(output, redaction.View.OriginServerTs, null, Membership.None);
        output.Raw(",\"redacted_by\":"u8).Text(redaction.EventId).Raw(","u8);
        return Make(output.Written.ToArray(), head, View, null, Position, Nid, Membership, PrevMembership, ReplacesEventId, TxnDeviceId, TxnId, isRedacted: true);
    }

    /// <summary>
    /// What a reader is shown of it who was not joined then, when its sender was erased: a message without its content, a member event without names.
    /// </summary>
    public CachedEvent Pruned()
    {
        using var output = new PooledBuffer(512);
        output.Raw("{\"content\":{"u8);
        if (Membership != Membership.None) output.Raw("\"membership\":\""u8).Raw(Membership.Name()).Raw("\""u8);
        output.Raw("},\"event_id\":"u8).Text(EventId).Raw(",\"origin_server_ts\":"u8).Number(View.OriginServerTs).Raw(",\"sender\":"u8).Text(Sender);
        if (StateKey is not null) output.Raw(",\"state_key\":"u8).Text(StateKey);
        output.Raw(",\"type\":"u8).Text(Type);
        var head = output.Length;
        output.Raw(",\"unsigned\":{"u8);
        if (ReplacesEventId is not null) output.Raw("\"replaces_state\":"u8).Text(ReplacesEventId).Raw(","u8);
        return Make(output.Written.ToArray(), head, View, null, Position, Nid, Membership, PrevMembership, ReplacesEventId, null, null, isRedacted: true);
    }

    /// <summary>The whole event for one reader: <paramref name="device"/> is set for the sender's own devices only.</summary>
    /// <param name="relations">Its aggregations, JSON; empty: none.</param>
    public void Write(PooledBuffer output, long nowMs, string? device, Membership reader, ReadOnlySpan<byte> relations = default)
    {
        output.Raw(Body);
        if (!relations.IsEmpty) output.Raw("\"m.relations\":"u8).Raw(relations).Raw(","u8);
        WriteEnd(output, nowMs, device, reader);
    }

    /// <summary>The same without the opening brace: the caller has written members of his own after one, and a comma.</summary>
    public void WriteRest(PooledBuffer output, long nowMs, string? device, Membership reader)
    {
        output.Raw(Body.AsSpan(1));
        WriteEnd(output, nowMs, device, reader);
    }

    private void WriteEnd(PooledBuffer output, long nowMs, string? device, Membership reader)
    {
        output.Raw("\"age\":"u8).Number(Math.Max(0, nowMs - View.OriginServerTs));
        if (reader != Membership.None) output.Raw(",\"membership\":\""u8).Raw(reader.Name()).Raw("\""u8);
        if (TxnId is not null && device is not null)
        {
            if (TxnDeviceId == device) output.Raw(",\"transaction_id\":"u8).Text(TxnId);
            // MSC4140: who sent a delayed event is told which, on any device.
            else if (TxnDeviceId == DelayedEvent.Device) output.Raw(",\"org.matrix.msc4140.delay_id\":"u8).Text(TxnId).Raw(",\"delay_id\":"u8).Text(TxnId);
        }
        output.Raw("}}"u8);
    }

    public override string ToString() => $"{Type} {EventId} @{Position}";
}

/// <summary>
/// The outcome of push rules for an event. What the default rules say of whoever is not concerned is found once; the rest by user, one at a time.
/// </summary>
internal sealed class PushView(CachedEvent e, RoomCache room)
{
    private readonly PowerLevels levels = room.Levels;
    private readonly int joined = room.Joined;
    private readonly PushEvent push = new(e.View, room.Levels, room.Joined);

    public bool IsOf(RoomCache now) => levels == now.Levels && joined == now.Joined;

    public PushOutcome For(PushRuleSet rules, string userId, string? displayName)
    {
        lock (push) return rules.Evaluate(push, new PushUser(userId, displayName));
    }
}
