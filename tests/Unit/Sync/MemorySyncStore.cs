using System.Collections.Immutable;
using Matrix.Events;
using Matrix.Replication;
using Matrix.Storage.Events;
using Matrix.Storage.Streams;
using Matrix.Storage.Sync;
using Matrix.Sync.Store;
using Matrix.Testing;
using Matrix.Testing.Replication;

namespace Matrix.Unit.Sync;

/// <summary>A database in memory: rooms under test become events with positions, rows and frames. Counts what is asked of it.</summary>
internal sealed partial class MemorySyncStore(MemoryStreamSource source) : ISyncStore
{
    private readonly Lock gate = new();
    private readonly Dictionary<long, RoomData> rooms = [];
    private readonly Dictionary<string, long> nids = [];
    private readonly Dictionary<long, StoredEvent> events = [];
    private readonly Dictionary<(string User, string Room, string Type), byte[]> accountData = [];
    private readonly List<StoredReceipt> receipts = [];
    private readonly List<(string User, string Device, ToDeviceMessage Message)> toDevice = [];
    private int calls;

    private sealed class RoomData(string id, RoomVersion version)
    {
        public string Id { get; } = id;
        public RoomVersion Version { get; } = version;
        public List<StoredEvent> Timeline { get; } = [];
        public Dictionary<StateKey, StoredEvent> State { get; } = [];
        public Dictionary<long, ImmutableDictionary<StateKey, long>> StateAt { get; } = [];
    }

    /// <summary>Questions so far.</summary>
    public int Calls => Volatile.Read(ref calls);
    public void Forget() => Volatile.Write(ref calls, 0);
    /// <summary>Runs after a load has read and before it returns: what happens then is newer than what was read.</summary>
    public Func<Task>? AfterReading { get; set; }
    /// <summary>The same for a read of old memberships.</summary>
    public Func<Task>? AfterHistory { get; set; }
    public bool IsAway { get; set; }

    // ---------------------------------------------------------------- writing

    /// <summary>Commits those events of the room that are not there yet; the frames to publish.</summary>
    public List<StreamFrame> Commit(Room room, string? device = null, string? txn = null)
    {
        lock (gate)
        {
            var nid = NidOf(room.RoomId, room.RoomVersion);
            var frames = new List<StreamFrame>();
            foreach (var pdu in room.Events.Skip(rooms[nid].Timeline.Count).ToList()) frames.Add(Commit(nid, pdu, device, txn));
            return frames;
        }
    }

    private long NidOf(string roomId, RoomVersion version)
    {
        if (nids.TryGetValue(roomId, out var nid)) return nid;
        nid = nids[roomId] = nids.Count + 1;
        rooms[nid] = new RoomData(roomId, version);
        return nid;
    }

    private StreamFrame Commit(long roomNid, Pdu pdu, string? device, string? txn)
    {
        var room = rooms[roomNid];
        var before = pdu.IsState ? room.State.GetValueOrDefault(pdu.StatePair) : null;
        var row = new EventRow
        {
            Position = 0, RoomNid = roomNid, EventNid = 1000 + events.Count, RoomId = room.Id, EventId = pdu.EventId, RoomVersion = pdu.Version.Id,
            Type = pdu.Type, Sender = pdu.Sender, StateKey = pdu.StateKey, ReceivedTsMs = 0, TxnDeviceId = device, TxnId = txn,
            ReplacesEventId = before?.Pdu.EventId, PrevSender = before?.Pdu.Sender, PrevContent = before?.Pdu.Content ?? default,
            Redacts = pdu.Redacts, IsCurrentState = pdu.IsState, Json = pdu.Json, Moves = moving,
            Flags = moving.Length > 0 ? EventFlags.StateMoved : EventFlags.None,
        };
        var frame = source.Commit(Streams.Events, [(room.Id, row.Encode())]);
        var stored = StoredEvent.FromRow(row with { Position = frame.To }, pdu.Version);
        events[stored.EventNid] = stored;
        room.Timeline.Add(stored);
        if (pdu.IsState) room.State[pdu.StatePair] = stored;
        room.StateAt[frame.To] = room.State.ToImmutableDictionary(s => s.Key, s => s.Value.EventNid);
        if (pdu.Redacts is { } target && events.Values.FirstOrDefault(e => e.Pdu.EventId == target) is { } victim) Redact(room, victim, pdu.EventId);
        return frame;
    }

    private void Redact(RoomData room, StoredEvent victim, string by)
    {
        var json = Redaction.Redact(victim.Pdu.Json.Span, victim.Pdu.Version);
        var redacted = victim with { Pdu = Pdu.ReadTrusted(json, victim.Pdu.Version, victim.Pdu.EventId), RedactedBy = by, Flags = EventFlags.Redacted };
        events[victim.EventNid] = redacted;
        room.Timeline[room.Timeline.IndexOf(victim)] = redacted;
        if (victim.Pdu.IsState && room.State.GetValueOrDefault(victim.Pdu.StatePair) == victim) room.State[victim.Pdu.StatePair] = redacted;
    }

    /// <summary>
    /// Commits the room's next event as one with which forks were resolved: the state at that key is an older event again, or none.
    /// </summary>
    public StreamFrame CommitMove(Room room, StateKey key, string? nowEventId)
    {
        lock (gate)
        {
            var nid = NidOf(room.RoomId, room.RoomVersion);
            var data = rooms[nid];
            var before = data.State.GetValueOrDefault(key);
            var now = nowEventId is null ? null : data.Timeline.Find(e => e.Pdu.EventId == nowEventId);
            moving = [new StateMove(key.Type, key.Key, 1, before?.EventNid ?? 0, now?.EventNid ?? 0, now?.Pdu.EventId, now?.Pdu.Sender, now?.Pdu.Membership)];
            if (now is null) data.State.Remove(key);
            else data.State[key] = now;
            var frame = Commit(nid, room.Events.Skip(data.Timeline.Count).First(), null, null);
            stateMoves.Add(new(data.Timeline[^1].EventNid, key, before?.EventNid ?? 0, now?.EventNid ?? 0));
            moving = [];
            return frame;
        }
    }

    private readonly List<StateMoveRecord> stateMoves = [];
    private StateMove[] moving = [];

    public Task<List<StateMoveRecord>> StateMovesAsync(IReadOnlyCollection<long> eventNids, CancellationToken ct) =>
        AskAsync(() => stateMoves.Where(m => eventNids.Contains(m.EventNid)).ToList());

    public StreamFrame SetAccountData(string userId, string roomId, string type, string json)
    {
        lock (gate)
        {
            accountData[(userId, roomId, type)] = System.Text.Encoding.UTF8.GetBytes(json);
            return source.Commit(Streams.AccountData, [(userId, new AccountDataRow(roomId, type).Encode())]);
        }
    }

    public StreamFrame SetReceipt(string roomId, string userId, string eventId, string type = "m.read", string thread = "")
    {
        lock (gate)
        {
            var row = new ReceiptRow(userId, type, thread, eventId, events.Values.First(e => e.Pdu.EventId == eventId).Position, 0);
            var frame = source.Commit(Streams.Receipts, [(roomId, row.Encode())]);
            receipts.RemoveAll(r => r.RoomId == roomId && r.Receipt.UserId == userId && r.Receipt.ReceiptType == type && r.Receipt.ThreadId == thread);
            receipts.Add(new StoredReceipt(roomId, frame.To, row));
            return frame;
        }
    }

    public StreamFrame SendToDevice(string userId, string deviceId, string type)
    {
        lock (gate)
        {
            var frame = source.Commit(Streams.ToDevice, [(userId, new ToDeviceRow(deviceId).Encode())]);
            toDevice.Add((userId, deviceId, new ToDeviceMessage(frame.To, "@sender:x", type, "{}"u8.ToArray())));
            return frame;
        }
    }

    public StreamFrame ChangeDevices(string userId) => source.Commit(Streams.DeviceLists, [(userId, new DeviceListRow(null).Encode())]);

    // ---------------------------------------------------------------- the truth, for tests

    public Dictionary<StateKey, string> StateOf(string roomId)
    {
        lock (gate) return rooms[nids[roomId]].State.ToDictionary(s => s.Key, s => s.Value.Pdu.EventId);
    }

    public List<string> TimelineOf(string roomId)
    {
        lock (gate) return [.. rooms[nids[roomId]].Timeline.Select(e => e.Pdu.EventId)];
    }
}
