using Matrix.Events;

namespace Matrix.Push.Evaluation;

/// <summary>Something that a user has not read and is notified about.</summary>
/// <param name="expiresTsMs">Past that it is not shown any more, nor counted; <see cref="long.MaxValue"/>: it stays.</param>
internal sealed class UnreadNotice(long position, long roomNid, string eventId, EventRelation? relation, long expiresTsMs)
{
    public const string Main = ThreadWalk.Main;

    public long Position { get; } = position;
    public long RoomNid { get; } = roomNid;
    public string EventId { get; } = eventId;
    public long ExpiresTsMs { get; } = expiresTsMs;
    /// <summary>What it relates to; null: nothing.</summary>
    public EventRelation? Relation { get; } = relation;
    /// <summary>Event id of the root, or <see cref="Main"/>; null: what it relates to has to be asked for first.</summary>
    public string? Thread { get; set; } = relation is not { } to ? Main : to.RelType == RelationTypes.Thread ? to.ParentId : null;
}

/// <summary>A room that counts for a user's badge. Everything unread from the first of its notices on is known.</summary>
internal sealed class UnreadRoom
{
    /// <summary>Older ones than these are looked for when these have been read.</summary>
    private const int MaxNotices = 50;
    private readonly List<UnreadNotice> notices = [];

    /// <summary>The user is invited to it.</summary>
    public bool IsInvitation { get; init; }
    /// <summary>There is nothing older that is unread.</summary>
    public bool IsWhole { get; private set; } = true;
    /// <summary>Ascending.</summary>
    public IReadOnlyList<UnreadNotice> Notices => notices;
    public bool IsEmpty => notices.Count == 0 && !IsInvitation;

    /// <summary>When the last of its notices expires. Read by those who deliver, too.</summary>
    public long ExpiresTsMs => IsInvitation ? long.MaxValue : Volatile.Read(ref expires);
    private long expires;

    private void SetExpiry() => Volatile.Write(ref expires, notices.Select(n => n.ExpiresTsMs).DefaultIfEmpty(long.MinValue).Max());

    public static UnreadRoom Of(UnreadNotice newest, bool isWhole)
    {
        var room = new UnreadRoom { IsWhole = isWhole };
        room.Add(newest);
        return room;
    }

    /// <summary>A newer one, unless it has been found already.</summary>
    public void Add(UnreadNotice notice)
    {
        if (notices.Count > 0 && notices[^1].Position >= notice.Position) return;
        notices.Add(notice);
        if (notices.Count > MaxNotices)
        {
            notices.RemoveAt(0);
            IsWhole = false;
        }
        SetExpiry();
    }

    /// <summary>The user has read everything up to there.</summary>
    public void ReadAll(long upTo)
    {
        if (notices.Count > 0 && notices[0].Position <= upTo) IsWhole = true;
        notices.RemoveAll(n => n.Position <= upTo);
        SetExpiry();
    }

    /// <summary>The user has read a thread up to there. Whoever calls has found the threads of those notices.</summary>
    public void Read(string thread, long upTo)
    {
        notices.RemoveAll(n => n.Position <= upTo && n.Thread == thread);
        SetExpiry();
    }
}
