using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Matrix.Replication.Following;

/// <summary>
/// One stream as this process stands in it: the local position, frames that came before their predecessor, and who waits. Gives rows to the
/// consumers one frame at a time, in order; knows nothing of buses and databases.
/// </summary>
internal sealed partial class StreamTrack(StreamDefinition stream, IReadOnlyList<IStreamConsumer> consumers, Action<Exception> onFault, ILogger log)
{
    /// <summary>Frames held for a predecessor. What does not fit is read from the database later.</summary>
    private const int MaxEarly = 256;
    private const long Unknown = -1;

    private readonly string applyName = $"apply {stream.Name}";
    private readonly Lock gate = new();
    private readonly SortedDictionary<long, StreamFrame> early = [];
    private readonly List<Waiter> waiters = [];
    private readonly List<IStreamConsumer> alive = [.. consumers];
    private long position = Unknown;
    private long known;
    private bool applying;
    private bool catchingUp;

    public StreamDefinition Stream { get; } = stream;
    /// <summary>False: nobody here wants the rows, only the position.</summary>
    public bool IsFollowed { get; } = consumers.Count > 0;
    public bool HasPosition => Volatile.Read(ref position) != Unknown;
    public long Position => Math.Max(0, Volatile.Read(ref position));
    /// <summary>Highest position that is known to exist.</summary>
    public long Known => Math.Max(Volatile.Read(ref known), Position);

    /// <summary>
    /// For an ephemeral stream whose bus stands before this reader: the bus position at which everything was declared void, so that it is not done again
    /// until something is written. Null: not so.
    /// </summary>
    public long? VoidedAt { get; set; }

    /// <summary>The first position; a later one for a stream that nobody here follows.</summary>
    public ValueTask StartAtAsync(long start)
    {
        lock (gate)
        {
            if (position != Unknown && IsFollowed) return ValueTask.CompletedTask;
            if (start > position) MoveTo(start);
        }
        return DrainAsync();
    }

    /// <summary>
    /// Takes a frame; completes when everything that could be applied by this call is. True: there is a gap before what is known, so somebody has
    /// to <see cref="TryBeginCatchUp"/>.
    /// </summary>
    public async ValueTask<bool> OfferAsync(StreamFrame frame)
    {
        if (!IsFollowed)
        {
            await StartAtAsync(frame.To);
            return false;
        }
        lock (gate)
        {
            known = Math.Max(known, frame.To);
            if (frame.To <= position)
            {
                ReplicationMetrics.FramesDropped.Add(1, ReplicationMetrics.Tag(Stream));
                return false;
            }
            Hold(frame);
        }
        await DrainAsync();
        return Position < Known;
    }

    /// <summary>An ephemeral stream lost its data: everything known is void, these are the rows now.</summary>
    public async ValueTask ResetAsync(long to, IReadOnlyList<StreamRow> rows)
    {
        while (true)
        {
            lock (gate)
            {
                if (!applying)
                {
                    applying = true;
                    early.Clear();
                    break;
                }
            }
            await Task.Yield();
        }
        var end = Math.Max(to, Position);
        await GiveAsync(0, end, rows);
        lock (gate)
        {
            // Positions that were announced before are of the data that was lost.
            known = end;
            MoveTo(end);
            applying = false;
        }
        await DrainAsync();
    }

    /// <summary>Notes that this position exists. True: it is not here yet.</summary>
    public bool Announce(long exists)
    {
        lock (gate)
        {
            known = Math.Max(known, exists);
            return position < known;
        }
    }

    /// <summary>The truth was asked and there is no more: what somebody only claimed, or sent from elsewhere, is forgotten.</summary>
    public void NothingAfter()
    {
        lock (gate)
        {
            known = position;
            early.Clear();
        }
    }

    /// <summary>True for one caller at a time.</summary>
    public bool TryBeginCatchUp()
    {
        lock (gate)
        {
            if (catchingUp) return false;
            return catchingUp = true;
        }
    }

    public void EndCatchUp()
    {
        lock (gate) catchingUp = false;
    }

    /// <summary>Completes when the position is reached. Give it back to <see cref="Forget"/> when no longer wanted.</summary>
    public Waiter Expect(long target)
    {
        lock (gate)
        {
            var waiter = new Waiter(target);
            if (position >= target) waiter.Completion.SetResult();
            else waiters.Add(waiter);
            return waiter;
        }
    }

    public void Forget(Waiter waiter)
    {
        lock (gate) waiters.Remove(waiter);
    }

    private void Hold(StreamFrame frame)
    {
        if (early.TryGetValue(frame.From, out var other) && other.To >= frame.To) return;
        early[frame.From] = frame;
        // Never one that joins: whoever read a gap waits for what it brought.
        if (early.Count > MaxEarly && early.Keys.Last() is var last && last > position) early.Remove(last);
    }

    private async ValueTask DrainAsync()
    {
        while (Next() is { } next)
        {
            using (next.Trace == default ? null : ReplicationMetrics.Activities.StartActivity(applyName, ActivityKind.Consumer, next.Trace))
                await GiveAsync(next.From, next.To, next.Rows);
            ReplicationMetrics.FramesApplied.Add(1, ReplicationMetrics.Tag(Stream));
            lock (gate)
            {
                MoveTo(next.To);
                applying = false;
            }
        }
    }

    /// <summary>Takes what joins the local position, trimmed to what is new; null when nothing does or another caller is applying.</summary>
    private StreamFrame? Next()
    {
        lock (gate)
        {
            if (applying || position == Unknown) return null;
            while (early.Count > 0)
            {
                var (from, frame) = early.First();
                if (from > position) return null;
                early.Remove(from);
                if (frame.To <= position) continue;
                applying = true;
                return from == position
                    ? frame
                    : frame with { From = position, Rows = [.. frame.Rows.Where(r => r.Position > position)] };
            }
            return null;
        }
    }

    private async ValueTask GiveAsync(long from, long to, IReadOnlyList<StreamRow> rows)
    {
        for (var i = 0; i < alive.Count; i++)
        {
            try
            {
                await alive[i].OnRowsAsync(Stream, from, to, rows);
            }
            catch (Exception e)
            {
                // What it knows is no longer true and cannot be made true: it gets nothing more, and the process is not ready any more.
                LogConsumerFailed(log, e, alive[i].GetType().Name, Stream.Name, from, to);
                alive.RemoveAt(i--);
                onFault(e);
            }
        }
    }

    private void MoveTo(long to)
    {
        Volatile.Write(ref position, to);
        known = Math.Max(known, to);
        for (var i = waiters.Count - 1; i >= 0; i--)
        {
            if (waiters[i].Target > to) continue;
            waiters[i].Completion.TrySetResult();
            waiters.RemoveAt(i);
        }
    }

    internal sealed class Waiter(long target)
    {
        public long Target { get; } = target;
        public TaskCompletionSource Completion { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    [LoggerMessage(3020, LogLevel.Critical, "{Consumer} failed on stream {Stream} ({From}, {To}]; this process is no longer ready and has to be restarted")]
    private static partial void LogConsumerFailed(ILogger log, Exception e, string consumer, string stream, long from, long to);
}
