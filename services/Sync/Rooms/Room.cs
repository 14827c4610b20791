using Matrix.Events;
using Matrix.Rooms;
using Matrix.Storage.Streams;
using Matrix.Sync.Users;

namespace Matrix.Sync.Rooms;

/// <summary>
/// A room that somebody here is joined to (or that is being read): how far its streams have come, who watches, and its cache while there is one.
/// Guarded by the lock of <c>SyncState</c>.
/// </summary>
internal sealed class Room(string id, long nid, long receiptsPosition, TypingUsers typing)
{
    public string Id { get; } = id;
    public long Nid { get; } = nid;
    /// <summary>Newest positions; complete once <see cref="IsActivityKnown"/>.</summary>
    public long LastEvent { get; set; }
    public long LastReceipt { get; set; }
    public bool IsActivityKnown { get; set; }
    /// <summary>Loaded users who are joined.</summary>
    public List<User> Watchers { get; } = [];
    public ReceiptLog Receipts { get; } = new(receiptsPosition);
    public TypingUsers Typing { get; } = typing;
    /// <summary>Null: not loaded, or evicted.</summary>
    public RoomCache? Cache { get; set; }
    /// <summary>Events that arrived while the room is being loaded; null: it is not.</summary>
    public List<ArrivingEvent>? Arriving { get; set; }

    /// <summary>What lists of rooms are filtered by; null: not known.</summary>
    public RoomFacts? Facts { get; set; }
    /// <summary>Position of the newest event that counts as activity; null: not known.</summary>
    public long? Bump { get; set; }

    /// <summary>Who is typing, of those who are in the room.</summary>
    public IEnumerable<string> TypingNow(long nowMs) => Typing.Now(nowMs).Where(user => Cache is not { } cache || (cache.Members.TryGetValue(user, out var member) && member.Membership == Membership.Join));

    /// <summary>Requests of readers who are not in the room; <see cref="PeekSignal"/> wakes them.</summary>
    public int Peekers { get; set; }
    /// <summary>Own lock.</summary>
    public Signal PeekSignal { get; } = new();

    /// <summary>Something was told in the room.</summary>
    public void WakePeekers()
    {
        if (Peekers > 0) PeekSignal.Wake();
    }

    public override string ToString() => Id;
}

/// <param name="Type">Null: an ordinary room.</param>
internal sealed record RoomFacts(string? Type, bool IsEncrypted)
{
    public static readonly string[] Types = [EventTypes.Create, EventTypes.Encryption];
    public static RoomFacts Unknown { get; } = new(null, false);

    public static RoomFacts Of(CachedEvent? create, bool isEncrypted) =>
        new(create is null ? null : StateContent.String(create.Content, "type"u8), isEncrypted);
}

/// <param name="Event">Null: the room has to be loaded again from there on.</param>
internal readonly record struct ArrivingEvent(long Position, CachedEvent? Event, bool IsCurrentState);

/// <summary>The newest receipts of a room in the order of the stream. Everything after <see cref="Floor"/> is here.</summary>
internal sealed class ReceiptLog(long floor)
{
    private const int Max = 256, TrimBy = 64;
    private readonly List<(long Position, ReceiptRow Receipt)> rows = [];

    public long Floor { get; private set; } = floor;

    public void Add(long position, ReceiptRow receipt)
    {
        if (rows.Count >= Max)
        {
            Floor = rows[TrimBy - 1].Position;
            rows.RemoveRange(0, TrimBy);
        }
        rows.Add((position, receipt));
    }

    /// <summary>Receipts in (after, upTo], newest first.</summary>
    public IEnumerable<ReceiptRow> Between(long after, long upTo)
    {
        for (var i = rows.Count - 1; i >= 0 && rows[i].Position > after; i--)
            if (rows[i].Position <= upTo) yield return rows[i].Receipt;
    }
}

/// <summary>Who is typing where: of every room, watched or not, since nobody could be asked later.</summary>
internal sealed class TypingTable
{
    /// <summary>So long a client that comes back finds out that somebody has stopped.</summary>
    private static readonly TimeSpan Remembered = TimeSpan.FromHours(1);
    private readonly Dictionary<string, TypingUsers> rooms = new(StringComparer.Ordinal);

    public TypingUsers Of(string roomId)
    {
        if (!rooms.TryGetValue(roomId, out var users)) rooms[roomId] = users = new TypingUsers();
        return users;
    }

    /// <summary>Null: nobody has typed there for long.</summary>
    public TypingUsers? Find(string roomId) => rooms.GetValueOrDefault(roomId);

    public void Reset()
    {
        foreach (var users in rooms.Values) users.Reset();
    }

    /// <summary>Forgets rooms in which nobody has typed for long and that nobody watches.</summary>
    public void Prune(long nowMs, Func<string, bool> isWatched)
    {
        foreach (var (roomId, users) in rooms)
        {
            users.Prune(nowMs);
            if (users.IsEmpty && users.ChangedMs < nowMs - (long)Remembered.TotalMilliseconds && !isWatched(roomId)) rooms.Remove(roomId);
        }
    }
}

/// <summary>Who is typing in a room. Users stop by a row, or by running out of time without one.</summary>
internal sealed class TypingUsers
{
    private readonly Dictionary<string, long> until = new(StringComparer.Ordinal);

    /// <summary>Position of the newest row; 0: none.</summary>
    public long Position { get; private set; }
    /// <summary>When it was applied.</summary>
    public long ChangedMs { get; private set; }

    public void Apply(long position, string userId, bool typing, long expiresTsMs, long nowMs)
    {
        Position = position;
        ChangedMs = nowMs;
        Prune(nowMs);
        if (typing) until[userId] = expiresTsMs;
        else until.Remove(userId);
    }

    /// <summary>Forgets who stopped so long ago that all clients have been told.</summary>
    public void Prune(long nowMs)
    {
        foreach (var (user, at) in until) if (at < nowMs - 60_000) until.Remove(user);
    }

    public void Reset()
    {
        until.Clear();
        Position = 0;
    }

    public bool IsEmpty => until.Count == 0;

    /// <summary>Whether somebody ran out of time in (after, upTo].</summary>
    public bool HasExpired(long afterMs, long upToMs)
    {
        foreach (var at in until.Values) if (at > afterMs && at <= upToMs) return true;
        return false;
    }

    /// <summary>Position of the newest event by which somebody left who was typing; 0: none. There is no row of it.</summary>
    public long LeftAt { get; private set; }

    /// <summary>The user is typing, or was a moment ago.</summary>
    public bool Knows(string userId) => until.ContainsKey(userId);

    public void Leave(string userId, long eventPosition)
    {
        if (until.Remove(userId)) LeftAt = eventPosition;
    }

    public IEnumerable<string> Now(long nowMs)
    {
        foreach (var (user, at) in until) if (at > nowMs) yield return user;
    }
}
