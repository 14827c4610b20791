using Matrix.Events;
using Matrix.Sync.Engine;
using Matrix.Sync.Rooms;
using Matrix.Sync.Users;

namespace Matrix.Sync.Unread;

/// <summary>
/// What decides, beside an event itself, whether it counts: all as it is now, so that processes that looked at different times come to the same.
/// </summary>
/// <param name="MemberNid">The user's own member event, which has his name.</param>
/// <param name="Joined">Members, as far as rules usually ask: whether they are two.</param>
internal sealed record UnreadBasis(PushRuleSet Rules, IReadOnlySet<string> Ignored, long MemberNid, PowerLevels Levels, int Joined)
{
    public static UnreadBasis Of(User user, RoomCache cache) => new(
        user.AccountData.PushRules, user.AccountData.Ignored, cache.Members.TryGetValue(user.Id, out var member) ? member.Nid : 0, cache.Levels,
        Math.Min(cache.Joined, 3));
}

internal readonly record struct UnreadCount(int Notifications, int Highlights);

/// <param name="Main">Of the main timeline, or of the whole room when the client wants no threads.</param>
/// <param name="Threads">By the event id of the root; null: none.</param>
/// <param name="ReadBySending">Position of the last event that he sent without which there would be more; 0: none. His filter may hide it.</param>
internal sealed record UnreadCounts(UnreadCount Main, Dictionary<string, UnreadCount>? Threads, long ReadBySending);

/// <summary>
/// Events of a room that the user's push rules notify about, from his read receipts, and what he has sent, on. Each event is evaluated once for a user, until
/// something changes that decides (<see cref="UnreadBasis"/>); what he reads only takes away.
/// Spec: client-server-api/#receiving-notifications, #threaded-read-receipts
/// </summary>
internal sealed class UnreadState
{
    /// <summary>Beyond that the counts stand still: nobody reads such numbers.</summary>
    public const int MaxNotices = 10_000;
    /// <summary>With more than so many those go that were read in their threads: they would be in the way of what comes.</summary>
    private const int MaxRead = 1_000;

    private readonly List<Notice> notices = [];
    private readonly Lock gate = new();
    private UnreadBasis? basis;

    /// <param name="Thread">Event id of the root; null: main timeline.</param>
    private readonly record struct Notice(long Position, string EventId, string? Thread, bool Highlight, long SentTsMs);

    /// <summary>Everything up to here has been evaluated, or was read before.</summary>
    public long Through { get; private set; }

    /// <summary>Position up to which the user has read everything: by unthreaded receipts, else his own membership.</summary>
    private static long ReadUpTo(UserRoom own) => Math.Max(PositionOf(own, ""), own.Position);

    private static long PositionOf(UserRoom own, string thread) =>
        Math.Max(Of(own, ReceiptTypes.Read, thread), Of(own, ReceiptTypes.Private, thread));

    private static long Of(UserRoom own, string type, string thread) =>
        own.Receipts.TryGetValue((type, thread), out var receipt) ? receipt.EventPosition ?? 0 : 0;

    /// <summary>There may be something that he has not read, and that other rules would count in another way.</summary>
    public static bool IsOpen(UserRoom own) => own.Room is { } room && room.LastEvent > ReadUpTo(own);

    /// <summary>From where on events still have to be evaluated; on another basis all of them.</summary>
    public long Start(UserRoom own, UnreadBasis now)
    {
        lock (gate)
        {
            if (basis != now)
            {
                basis = now;
                notices.Clear();
                Through = 0;
            }
            Through = Math.Max(Through, ReadUpTo(own));
            return Through;
        }
    }

    /// <summary>
    /// Evaluates further events, ascending, and notes that everything up to <paramref name="through"/> is done. False: it has to be asked first what
    /// thread some of them belong to. Synapse: who is ignored notifies nobody, nor does what has been redacted.
    /// </summary>
    public bool TryEvaluate(
        IEnumerable<CachedEvent> events, Room room, RoomCache cache, User user, string? displayName, UnreadBasis with, long through, ThreadFinder threads, bool mayAsk)
    {
        lock (gate)
        {
            if (basis != with) return true;
            var found = new List<Notice>();
            var redacted = new HashSet<string>(StringComparer.Ordinal);
            foreach (var e in events)
            {
                if (e.Position <= Through || e.IsRedacted) continue;
                if (e.Redacts is { } gone) redacted.Add(gone);
                if (e.Sender == user.Id || with.Ignored.Contains(e.Sender) || notices.Count + found.Count >= MaxNotices) continue;
                var outcome = e.Push(cache).For(with.Rules, user.Id, displayName);
                if (!outcome.Notify) continue;
                found.Add(new Notice(e.Position, e.EventId, threads.RootOf(e, room.Nid, cache, mayAsk), outcome.Highlight, e.IsState ? long.MaxValue : e.View.OriginServerTs));
            }
            if (mayAsk && threads.IsAsking) return false;
            notices.AddRange(found);
            if (redacted.Count > 0) notices.RemoveAll(n => redacted.Contains(n.EventId));
            Through = Math.Max(Through, through);
            return true;
        }
    }

    /// <param name="oldestTsMs">Messages that were sent before that are not shown any more, nor counted.</param>
    public UnreadCounts Count(UserRoom own, bool byThread, long oldestTsMs)
    {
        lock (gate)
        {
            var unthreaded = ReadUpTo(own);
            notices.RemoveAll(n => n.Position <= unthreaded);
            var main = PositionOf(own, ThreadWalk.Main);
            var sentMain = own.Sent.UpTo(ThreadWalk.Main);
            var readBySending = 0L;
            var total = default(UnreadCount);
            Dictionary<string, UnreadCount>? threads = null;
            foreach (var n in notices)
            {
                if (n.SentTsMs < oldestTsMs || n.Position <= (n.Thread is null ? main : PositionOf(own, n.Thread))) continue;
                var sent = n.Thread is null ? sentMain : own.Sent.UpTo(n.Thread);
                if (n.Position <= sent)
                {
                    readBySending = Math.Max(readBySending, sent);
                    continue;
                }
                if (n.Thread is null || !byThread) total = Plus(total, n);
                else (threads ??= [])[n.Thread] = Plus(threads.GetValueOrDefault(n.Thread), n);
            }
            if (notices.Count > MaxRead) notices.RemoveAll(n => IsReadInThread(own, n));
            return new UnreadCounts(total, threads, readBySending);
        }
    }

    private static bool IsReadInThread(UserRoom own, Notice n)
    {
        var thread = n.Thread ?? ThreadWalk.Main;
        return n.Position <= Math.Max(PositionOf(own, thread), own.Sent.UpTo(thread));
    }

    private static UnreadCount Plus(UnreadCount count, Notice n) => new(count.Notifications + 1, count.Highlights + (n.Highlight ? 1 : 0));
}
