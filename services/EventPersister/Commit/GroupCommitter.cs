using System.Diagnostics;
using System.Threading.Channels;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Storage;
using Matrix.Storage.Events;

namespace Matrix.EventPersister.Commit;

/// <summary>What became of a room's part of a transaction.</summary>
/// <param name="To">Position of the room's last event.</param>
internal readonly record struct CommitOutcome(CommitKind Kind, long To = 0, IReadOnlyDictionary<TransactionKey, string>? Known = null);

/// <summary>
/// Writes what the rooms have ready, together: while one transaction is on its way the next group gathers, so an idle server waits for nothing and a
/// busy one shares its commits among many rooms. After COMMIT the events are published, then the rooms hear of it.
/// </summary>
internal sealed partial class GroupCommitter(Database database, IStreamPublisher publisher, TimeProvider clock, ILogger<GroupCommitter> log) : IHostedService
{
    private const int QueueSize = 4_096;
    private const int MaxEventsPerGroup = 400;

    private readonly Channel<Pending> queue = Channel.CreateBounded<Pending>(new BoundedChannelOptions(QueueSize) { SingleReader = true });
    private Task worker = Task.CompletedTask;

    private sealed class Pending(RoomCommit commit)
    {
        public RoomCommit Commit { get; } = commit;
        public ActivityContext Trace { get; } = Activity.Current?.Context ?? default;
        public TaskCompletionSource<CommitOutcome> Outcome { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        worker = Task.Run(WorkAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    /// <summary>What was handed over is still written.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        queue.Writer.TryComplete();
        await worker.WaitAsync(cancellationToken);
    }

    /// <summary>Throws what the database threw; it is then not known whether the events are there.</summary>
    public async Task<CommitOutcome> CommitAsync(RoomCommit commit)
    {
        var pending = new Pending(commit);
        if (!queue.Writer.TryWrite(pending)) throw MatrixError.Unavailable("The server has too much to write at the moment.").AsException();
        return await pending.Outcome.Task;
    }

    private async Task WorkAsync()
    {
        await using var writer = new EventWriter(database, clock);
        var group = new List<Pending>();
        while (await queue.Reader.WaitToReadAsync())
        {
            var events = 0;
            while (events < MaxEventsPerGroup && queue.Reader.TryRead(out var pending))
            {
                group.Add(pending);
                events += pending.Commit.Events.Count;
            }
            // Rows of rooms are locked in this order everywhere.
            group.Sort(static (a, b) => a.Commit.RoomNid.CompareTo(b.Commit.RoomNid));
            try
            {
                using (Diagnostics.StartShared("commit", group, static p => p.Trace)) await CommitGroupAsync(writer, group);
            }
            catch (Exception e)
            {
                // Whatever it was, those who wait hear of it and the next group is written.
                LogFailed(log, e, group.Count);
                foreach (var p in group) p.Outcome.TrySetException(e);
            }
            group.Clear();
        }
    }

    private async Task CommitGroupAsync(EventWriter writer, List<Pending> group)
    {
        while (group.Count > 0)
        {
            CommitResult result;
            var began = Stopwatch.GetTimestamp();
            try
            {
                result = await writer.CommitAsync([.. group.Select(p => p.Commit)], CancellationToken.None);
            }
            catch (Exception e)
            {
                if (group.Count > 1 && DatabaseFaults.IsOfContent(e))
                {
                    await OneByOneAsync(writer, group);
                    return;
                }
                LogFailed(log, e, group.Count);
                foreach (var p in group) p.Outcome.TrySetException(e);
                return;
            }
            switch (result.Kind)
            {
                case CommitKind.Committed:
                    Diagnostics.CommitSeconds.Record(Stopwatch.GetElapsedTime(began).TotalSeconds);
                    await AnnounceAsync(group, result.To);
                    return;
                case CommitKind.HeadMoved:
                    Settle(group, new CommitOutcome(CommitKind.HeadMoved), p => result.Moved!.Contains(p.Commit.RoomNid));
                    break;
                case CommitKind.TransactionKnown:
                    Settle(group, new CommitOutcome(CommitKind.TransactionKnown, Known: result.Known), p => HoldsAny(p.Commit, result.Known!));
                    break;
                default:
                    if (group.Count > 1) { await OneByOneAsync(writer, group); return; }
                    Settle(group, new CommitOutcome(result.Kind), static _ => true);
                    break;
            }
        }
    }

    /// <summary>Takes those rooms out of the group; the others go on. When none can be told apart, all have to begin again.</summary>
    private static void Settle(List<Pending> group, CommitOutcome outcome, Func<Pending, bool> concerned)
    {
        var any = group.Any(concerned);
        for (var i = group.Count - 1; i >= 0; i--)
        {
            if (any && !concerned(group[i])) continue;
            group[i].Outcome.TrySetResult(outcome);
            group.RemoveAt(i);
        }
    }

    private static bool HoldsAny(RoomCommit commit, IReadOnlyDictionary<TransactionKey, string> known)
    {
        foreach (var e in commit.Events)
            if (e.TxnId is not null && known.ContainsKey(e.KeyIn(commit.RoomId))) return true;
        return false;
    }

    /// <summary>Something in one of the rooms is refused: each gets a transaction of its own, so that only that one fails.</summary>
    private async Task OneByOneAsync(EventWriter writer, List<Pending> group)
    {
        foreach (var p in group) await CommitGroupAsync(writer, [p]);
    }

    private async Task AnnounceAsync(List<Pending> group, long to)
    {
        var count = 0;
        foreach (var p in group) count += p.Commit.StreamCount;
        Diagnostics.Events.Add(count);
        Diagnostics.CommitEvents.Record(count);
        var from = to - count;
        var rows = new List<StreamRow>(count);
        foreach (var p in group)
            foreach (var e in p.Commit.Events) if (e.Place == EventPlace.Stream) rows.Add(EventRows.Of(p.Commit, e, from + rows.Count + 1));
        try
        {
            if (count > 0) await publisher.PublishAsync(Streams.Events, from, to, rows, CancellationToken.None);
        }
        catch (Exception e)
        {
            // The events are there; whoever follows finds them by the counter.
            LogNotPublished(log, e, from, to);
        }
        foreach (var p in group)
        {
            var own = p.Commit.StreamCount;
            from += own;
            p.Outcome.TrySetResult(new CommitOutcome(CommitKind.Committed, own == 0 ? 0 : from));
        }
    }

    [LoggerMessage(5010, LogLevel.Error, "The events of {Rooms} rooms could not be written")]
    private static partial void LogFailed(ILogger log, Exception e, int rooms);
    [LoggerMessage(5011, LogLevel.Error, "Events {From} to {To} were written but not published")]
    private static partial void LogNotPublished(ILogger log, Exception e, long from, long to);
}
