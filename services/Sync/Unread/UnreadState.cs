using Matrix.Events;
using Matrix.Primitives;
using Matrix.Sync.Engine;
using Matrix.Sync.Rooms;
using Matrix.Sync.Users;

namespace Matrix.Sync.Unread;

internal readonly record struct UnreadCount(int Notifications, int Highlights);

/// <param name="Main">Of the main timeline, or of the whole room when the client wants no threads.</param>
/// <param name="Threads">By the event id of the root; null: none.</param>
internal sealed record UnreadCounts(UnreadCount Main, Dictionary<string, UnreadCount>? Threads);

/// <summary>
/// Events of a room that the user's push rules notify about, from his read receipts on. Each event is evaluated once for a user; a receipt only takes
/// away. Spec: client-server-api/#receiving-notifications, #threaded-read-receipts
/// </summary>
internal sealed class UnreadState
{
    /// <summary>Beyond that the counts stand still: nobody reads such numbers.</summary>
    public const int MaxNotices = 10_000;

    private readonly List<Notice> notices = [];
    private readonly Lock gate = new();
    private PushRuleSet? rules;

    /// <param name="Thread">Event id of the root; null: main timeline.</param>
    private readonly record struct Notice(long Position, string? Thread, bool Highlight, long SentTsMs);

    /// <summary>Everything up to here has been evaluated, or was read before.</summary>
    public long Through { get; private set; }

    /// <summary>Position up to which the user has read everything: by unthreaded receipts, else his own membership.</summary>
    private static long ReadUpTo(UserRoom own) => Math.Max(PositionOf(own, ""), own.Position);

    private static long PositionOf(UserRoom own, string thread) =>
        Math.Max(Of(own, ReceiptTypes.Read, thread), Of(own, ReceiptTypes.Private, thread));

    private static long Of(UserRoom own, string type, string thread) =>
        own.Receipts.TryGetValue((type, thread), out var receipt) ? receipt.EventPosition ?? 0 : 0;

    /// <summary>From where on events still have to be evaluated; changed rules begin anew.</summary>
    public long Start(UserRoom own, PushRuleSet now)
    {
        lock (gate)
        {
            if (!ReferenceEquals(rules, now))
            {
                rules = now;
                notices.Clear();
                Through = 0;
            }
            Through = Math.Max(Through, ReadUpTo(own));
            return Through;
        }
    }

    /// <summary>
    /// Evaluates further events, ascending, and notes that everything up to <paramref name="through"/> is done. Synapse: who is ignored notifies nobody.
    /// </summary>
    public void Evaluate(IEnumerable<CachedEvent> events, RoomCache room, User user, string? displayName, PushRuleSet with, long through)
    {
        lock (gate)
        {
            if (!ReferenceEquals(rules, with)) return;
            foreach (var e in events)
            {
                if (e.Position <= Through || e.Sender == user.Id || user.AccountData.Ignored.Contains(e.Sender) || notices.Count >= MaxNotices) continue;
                var outcome = e.Push(room).For(with, user.Id, displayName);
                if (outcome.Notify) notices.Add(new Notice(e.Position, ThreadOf(e), outcome.Highlight, e.IsState ? long.MaxValue : e.View.OriginServerTs));
            }
            Through = Math.Max(Through, through);
        }
    }

    /// <summary>Synapse: only what names the thread itself belongs to it; edits and reactions do not notify.</summary>
    private static string? ThreadOf(CachedEvent e)
    {
        if (!new CanonicalObject(e.Content).TryGet("m.relates_to"u8, out var relation)) return null;
        var members = new CanonicalObject(relation);
        return members.TryGet("rel_type"u8, out var type) && type.SequenceEqual("\"m.thread\""u8) ? members.GetString("event_id"u8) : null;
    }

    /// <param name="oldestTsMs">Messages that were sent before that are not shown any more, nor counted.</param>
    public UnreadCounts Count(UserRoom own, bool byThread, long oldestTsMs)
    {
        lock (gate)
        {
            var unthreaded = ReadUpTo(own);
            notices.RemoveAll(n => n.Position <= unthreaded);
            var main = PositionOf(own, "main");
            var total = default(UnreadCount);
            Dictionary<string, UnreadCount>? threads = null;
            foreach (var n in notices)
            {
                if (n.SentTsMs < oldestTsMs || n.Position <= (n.Thread is null ? main : PositionOf(own, n.Thread))) continue;
                if (n.Thread is null || !byThread) total = Plus(total, n);
                else (threads ??= [])[n.Thread] = Plus(threads.GetValueOrDefault(n.Thread), n);
            }
            return new UnreadCounts(total, threads);
        }
    }

    private static UnreadCount Plus(UnreadCount count, Notice n) => new(count.Notifications + 1, count.Highlights + (n.Highlight ? 1 : 0));
}
