using System.Buffers.Binary;
using System.Text;
using Matrix.Events;
using Matrix.Replication;

namespace Matrix.Storage.Events;

/// <summary>Of an event. Superseded: a state event that did not become current state when it entered the stream, because another fork won.
/// StateMoved: with this event the current state changed at other keys as well, because forks were resolved; who keeps state reads it again.
/// Reads: by sending it its sender has read its thread up to here (<see cref="EventRow.Reads"/>); that outlasts a redaction.</summary>
[Flags]
public enum EventFlags : short { None = 0, Outlier = 1, Rejected = 2, SoftFailed = 4, Redacted = 8, Superseded = 16, StateMoved = 32, Reads = 64 }

/// <summary>
/// Payload of stream events: everything a reader needs to show an event without asking the database. The row's position is its stream
/// position, its key the room id.
/// </summary>
public sealed partial record EventRow
{
    public required long Position { get; init; }
    public required long RoomNid { get; init; }
    public required long EventNid { get; init; }
    public required string RoomId { get; init; }
    public required string EventId { get; init; }
    public required string RoomVersion { get; init; }
    public required string Type { get; init; }
    public required string Sender { get; init; }
    /// <summary>Null: not a state event.</summary>
    public string? StateKey { get; init; }
    public EventFlags Flags { get; init; }
    /// <summary>When this server persisted it; ages count from origin_server_ts.</summary>
    public required long ReceivedTsMs { get; init; }
    /// <summary>Device and transaction of the local send; null otherwise. The echo carries unsigned.transaction_id for that device only.</summary>
    public string? TxnDeviceId { get; init; }
    public string? TxnId { get; init; }
    /// <summary>Event id, sender and content (raw JSON) of the state event that this one replaced; null: none.</summary>
    public string? ReplacesEventId { get; init; }
    public string? PrevSender { get; init; }
    public ReadOnlyMemory<byte> PrevContent { get; init; }
    /// <summary>Event id that this accepted redaction redacts.</summary>
    public string? Redacts { get; init; }
    /// <summary>True: this event is part of the room's current state at its position (a state event may lose against another fork).</summary>
    public bool IsCurrentState { get; init; }
    /// <summary>What else of the current state changed with this event (<see cref="EventFlags.StateMoved"/>), those of it that readers must know.</summary>
    public IReadOnlyList<StateMove> Moves { get; init; } = [];
    /// <summary>Of an event that reads: the root of its thread; null: it is in the main timeline.</summary>
    public string? ReadRoot { get; init; }
    /// <summary>The thread that its sender has read up to this event by sending it: id of the root, or <c>main</c>; null: none.</summary>
    public string? Reads => (Flags & EventFlags.Reads) == 0 ? null : ReadRoot ?? ThreadWalk.Main;
    /// <summary>Canonical PDU.</summary>
    public required ReadOnlyMemory<byte> Json { get; init; }

    /// <summary>
    /// Little endian: version byte 1, flags i16, bits u8, nids i64 x 2, received i64, then length-prefixed (i32, -1 null) UTF-8 fields in the order
    /// event id, version, type, sender, state key, txn device, txn id, replaces, prev sender, redacts, prev content, json. With moves or a root that is
    /// read: the count of the moves (i32), of each the nids of key, before and now (i64 x 3) and type, state key, event id, sender, membership as above,
    /// and that root as above where there is one.
    /// </summary>
    public byte[] Encode()
    {
        string?[] texts = [EventId, RoomVersion, Type, Sender, StateKey, TxnDeviceId, TxnId, ReplacesEventId, PrevSender, Redacts];
        var size = 1 + 2 + 1 + 24;
        foreach (var t in texts) size += 4 + (t is null ? 0 : Encoding.UTF8.GetByteCount(t));
        size += 4 + PrevContent.Length + 4 + Json.Length + TailSize();
        var buffer = new byte[size];
        var at = buffer.AsSpan();
        at[0] = 1;
        BinaryPrimitives.WriteInt16LittleEndian(at[1..], (short)Flags);
        at[3] = IsCurrentState ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteInt64LittleEndian(at[4..], RoomNid);
        BinaryPrimitives.WriteInt64LittleEndian(at[12..], EventNid);
        BinaryPrimitives.WriteInt64LittleEndian(at[20..], ReceivedTsMs);
        at = at[28..];
        foreach (var t in texts)
        {
            if (t is null) { BinaryPrimitives.WriteInt32LittleEndian(at, -1); at = at[4..]; continue; }
            var n = Encoding.UTF8.GetBytes(t, at[4..]);
            BinaryPrimitives.WriteInt32LittleEndian(at, n);
            at = at[(4 + n)..];
        }
        foreach (var block in (ReadOnlySpan<ReadOnlyMemory<byte>>)[PrevContent, Json])
        {
            BinaryPrimitives.WriteInt32LittleEndian(at, block.Length);
            block.Span.CopyTo(at[4..]);
            at = at[(4 + block.Length)..];
        }
        if (HasTail) WriteTail(at);
        return buffer;
    }

    /// <summary>The event's nid alone, for readers that want nothing else of most rows.</summary>
    public static long EventNidOf(in StreamRow row) => BinaryPrimitives.ReadInt64LittleEndian(row.Payload.Span[12..]);

    public static EventRow Decode(in StreamRow row)
    {
        var payload = row.Payload;
        var span = payload.Span;
        if (span[0] != 1) throw new InvalidDataException($"Event row version {span[0]} is not known to this release.");
        var offset = 28;
        string? Text()
        {
            var n = BinaryPrimitives.ReadInt32LittleEndian(payload.Span[offset..]);
            offset += 4;
            if (n < 0) return null;
            var s = Encoding.UTF8.GetString(payload.Span.Slice(offset, n));
            offset += n;
            return s;
        }
        ReadOnlyMemory<byte> Block()
        {
            var n = BinaryPrimitives.ReadInt32LittleEndian(payload.Span[offset..]);
            var block = payload.Slice(offset + 4, n);
            offset += 4 + n;
            return block;
        }
        var decoded = new EventRow
        {
            Position = row.Position,
            RoomId = row.Key,
            Flags = (EventFlags)BinaryPrimitives.ReadInt16LittleEndian(span[1..]),
            IsCurrentState = (span[3] & 1) != 0,
            RoomNid = BinaryPrimitives.ReadInt64LittleEndian(span[4..]),
            EventNid = BinaryPrimitives.ReadInt64LittleEndian(span[12..]),
            ReceivedTsMs = BinaryPrimitives.ReadInt64LittleEndian(span[20..]),
            EventId = Text()!, RoomVersion = Text()!, Type = Text()!, Sender = Text()!, StateKey = Text(),
            TxnDeviceId = Text(), TxnId = Text(), ReplacesEventId = Text(), PrevSender = Text(), Redacts = Text(),
            PrevContent = Block(), Json = Block(),
        };
        return offset < payload.Length ? decoded.WithTail(payload.Span[offset..]) : decoded;
    }
}
