using Matrix.Replication;
using Matrix.Sync.Rooms;
using Matrix.Sync.Users;

namespace Matrix.Sync.Engine;

/// <summary>
/// Everything that sync holds in memory, under one lock: streams write it, answers read it. Whoever holds the read lock sees rooms and users exactly
/// as of <see cref="Now"/>. Sections are short: no I/O, no waiting, no serialising while it is held.
/// </summary>
internal sealed class SyncState(IStreamFollower follower, TimeProvider clock) : IDisposable
{
    private readonly ReaderWriterLockSlim gate = new(LockRecursionPolicy.NoRecursion);
    private readonly Dictionary<StreamDefinition, long> applied = [];

    public Dictionary<string, Room> Rooms { get; } = new(StringComparer.Ordinal);
    public Dictionary<string, User> Users { get; } = new(StringComparer.Ordinal);
    public TypingTable Typing { get; } = new();
    public PresenceTable Presence { get; } = new();
    public JoinedRoomsIndex JoinedRooms { get; } = new();

    public ReadScope Read()
    {
        gate.EnterReadLock();
        return new(gate);
    }

    public WriteScope Write()
    {
        gate.EnterWriteLock();
        return new(gate);
    }

    /// <summary>What has been applied here. The follower's own position moves only after all consumers: it would lag behind a wake-up.</summary>
    public long Position(StreamDefinition stream) => applied.TryGetValue(stream, out var position) ? position : follower.Position(stream);

    public void SetPosition(StreamDefinition stream, long position) => applied[stream] = position;

    /// <summary>The first time only: the follower's position no longer counts for this stream.</summary>
    public void HoldPosition(StreamDefinition stream, long position) => applied.TryAdd(stream, position);

    public Positions Now => new(
        Position(Streams.Events), Position(Streams.Receipts), Position(Streams.AccountData), Position(Streams.ToDevice), Position(Streams.DeviceLists),
        Position(Streams.Presence), Position(Streams.Typing), null);

    public long NowMs => clock.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>The room, registered from now on: its rows are not missed. Under the write lock.</summary>
    public Room RoomOf(string roomId, long roomNid)
    {
        if (!Rooms.TryGetValue(roomId, out var room)) Rooms[roomId] = room = new Room(roomId, roomNid, Position(Streams.Receipts), Typing.Of(roomId));
        return room;
    }

    /// <summary>Lets the user see what happens in the room from now on. Under the write lock.</summary>
    public Room Watch(User user, UserRoom own)
    {
        var room = RoomOf(own.RoomId, own.RoomNid);
        if (own.Room is not null) return room;
        own.Room = room;
        room.Watchers.Add(user);
        user.LastEvent = Math.Max(user.LastEvent, room.LastEvent);
        user.LastReceipt = Math.Max(user.LastReceipt, room.LastReceipt);
        user.LastTyping = Math.Max(user.LastTyping, room.Typing.Position);
        return room;
    }

    /// <summary>Under the write lock.</summary>
    public void Unwatch(User user, UserRoom own)
    {
        if (own.Room is not { } room) return;
        own.Room = null;
        room.Watchers.Remove(user);
        DropIfUnused(room);
    }

    /// <summary>Whether both are in some room, or are the same. Null: memory does not know which rooms the other one is in. Under the lock.</summary>
    public bool? SharesRoom(User user, string other)
    {
        if (user.Id == other) return true;
        if (Users.TryGetValue(other, out var known) && known.IsLoaded)
        {
            foreach (var own in known.Rooms.Values)
                if (own.Membership == Membership.Join && user.Find(own.RoomId) is { Membership: Membership.Join }) return true;
            return false;
        }
        return JoinedRooms.Of(other) is { } rooms ? Array.Exists(rooms, room => user.Find(room) is { Membership: Membership.Join }) : null;
    }

    public void DropIfUnused(Room room)
    {
        if (room.Watchers.Count == 0 && room.Peekers == 0 && room.Cache is null && room.Arriving is null) Rooms.Remove(room.Id);
    }

    public void Dispose() => gate.Dispose();

    public readonly ref struct ReadScope(ReaderWriterLockSlim gate)
    {
        public void Dispose() => gate.ExitReadLock();
    }

    public readonly ref struct WriteScope(ReaderWriterLockSlim gate)
    {
        public void Dispose() => gate.ExitWriteLock();
    }
}
