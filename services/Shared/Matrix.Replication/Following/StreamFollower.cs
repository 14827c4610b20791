using System.Collections.Frozen;
using Matrix.Primitives;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Matrix.Replication.Following;

/// <summary>
/// Follows every stream: frames of the bus when they join the local position, the database for what is missing. Losing the bus costs delay only:
/// positions are compared with the truth every few seconds in any case, and twice a second while the bus is away.
/// </summary>
public sealed partial class StreamFollower : IStreamFollower, IHostedService, IAsyncDisposable
{
    private readonly IStreamSource source;
    private readonly IReplicationBus bus;
    private readonly Func<IEnumerable<IStreamConsumer>> consumers;
    private readonly FollowerOptions options;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly CancellationTokenSource stopping = new();
    private readonly WakeUp news = new();
    private FrozenDictionary<StreamDefinition, StreamTrack> tracks = FrozenDictionary<StreamDefinition, StreamTrack>.Empty;
    private IAsyncDisposable? subscription;
    private Task polling = Task.CompletedTask;
    private Exception? fault;
    private int catchUps;
    private bool sourceAway;
    private long ephemeralComparedAt;
    private long interruptions = -1;
    private long interruptedAt;

    /// <param name="consumers">Asked once, at start: consumers may themselves need this follower or a publisher.</param>
    public StreamFollower(
        IStreamSource source, IReplicationBus bus, Func<IEnumerable<IStreamConsumer>> consumers, FollowerOptions options, TimeProvider time,
        ILogger<StreamFollower> log)
    {
        (this.source, this.bus, this.consumers, this.options, this.time, this.log) = (source, bus, consumers, options, time, log);
    }

    /// <summary>Why this process can no longer be trusted; null while all is well.</summary>
    public Exception? Fault => Volatile.Read(ref fault);

    /// <summary>False: rows arrive by polling only.</summary>
    public bool BusIsConnected => bus.IsConnected;

    public bool IsReady => Fault is null && tracks.Count > 0 && tracks.Values.All(t => t.HasPosition);

    /// <remarks>0 before the start.</remarks>
    public long Position(StreamDefinition stream) => tracks.TryGetValue(stream, out var track) ? track.Position : 0;

    /// <summary>How many positions are known to exist but not here yet.</summary>
    public long Behind(StreamDefinition stream) => tracks.TryGetValue(stream, out var track) ? track.Known - track.Position : 0;

    public async ValueTask<bool> WaitForAsync(StreamDefinition stream, long position, TimeSpan timeout, CancellationToken ct)
    {
        if (!tracks.TryGetValue(stream, out var track)) return false;
        if (track.HasPosition && track.Position >= position) return true;
        if (!track.IsFollowed)
        {
            // Nobody here caches anything of it, so there is nothing to wait for.
            await track.StartAtAsync(position);
            return true;
        }
        var waiter = track.Expect(position);
        try
        {
            var patience = timeout < options.WaiterPatience ? timeout : options.WaiterPatience;
            if (await ReachedAsync(waiter, patience, ct)) return true;
            track.Announce(position);
            BeginCatchUp(track, TimeSpan.Zero);
            return await ReachedAsync(waiter, timeout - patience, ct);
        }
        finally
        {
            track.Forget(waiter);
        }
    }

    /// <summary>A frame of this process's own writers, or of the bus.</summary>
    public async ValueTask OfferAsync(StreamFrame frame)
    {
        if (!tracks.TryGetValue(frame.Stream, out var track)) return;
        if (await track.OfferAsync(frame) && track.HasPosition) BeginCatchUp(track, options.PredecessorPatience);
    }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var all = consumers().ToList();
        tracks = Streams.All.ToFrozenDictionary(
            s => s,
            s => new StreamTrack(s, all.Where(c => c.Streams.Contains(s)).ToList(), e => Interlocked.CompareExchange(ref fault, e, null), log));
        // Listening first: what is committed after the positions are read arrives on the bus.
        var followed = tracks.Values.Where(t => t.IsFollowed).Select(t => t.Stream).ToList();
        if (followed.Count > 0) subscription = bus.Subscribe(followed, OfferAsync);
        foreach (var track in tracks.Values.Where(t => t.Stream.IsEphemeral)) await track.StartAtAsync(0);
        bus.ConnectionChanged += news.Wake;
        await CompareAsync(cancellationToken);
        polling = PollAsync(stopping.Token);
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (stopping.IsCancellationRequested) return;
        bus.ConnectionChanged -= news.Wake;
        await stopping.CancelAsync();
        await polling;
        if (subscription is not null) await subscription.DisposeAsync();
        subscription = null;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        stopping.Dispose();
    }

    /// <summary>Catch-ups that are under way; tests wait for them.</summary>
    internal int CatchUpsUnderWay => Volatile.Read(ref catchUps);

    private async Task PollAsync(CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            var period = !bus.IsConnected || sourceAway ? options.PollPeriod : IsSettled ? Beat.Next(options.ComparePeriod, time) : options.UnsettledComparePeriod;
            await news.WaitAsync(period, time, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!ct.IsCancellationRequested) await CompareAsync(ct);
        }
    }

    private bool IsSettled => bus.Interruptions == interruptions && time.GetElapsedTime(interruptedAt) >= options.SettledAfter;

    /// <summary>Compares every position with the truth and begins to fetch what is missing. A database that is away is said once and asked again later.</summary>
    private async Task CompareAsync(CancellationToken ct)
    {
        try
        {
            foreach (var (stream, position) in await source.GetPositionsAsync(ct))
            {
                var track = tracks[stream];
                if (!track.HasPosition || !track.IsFollowed) await track.StartAtAsync(position);
                // With the bus alive the frame is most likely on its way.
                if (track.Announce(position)) BeginCatchUp(track, bus.IsConnected ? options.PredecessorPatience : TimeSpan.Zero);
            }
            if (sourceAway) LogSourceBack(log);
            sourceAway = false;
        }
        catch (Exception) when (ct.IsCancellationRequested)
        {
            return;
        }
        catch (Exception e)
        {
            if (!sourceAway) LogSourceAway(log, e);
            sourceAway = true;
        }
        if (bus.IsConnected) CompareEphemeral();
    }

    private void CompareEphemeral()
    {
        var now = time.GetTimestamp();
        if (Interlocked.Exchange(ref interruptions, bus.Interruptions) != interruptions) interruptedAt = now;
        var isSettled = time.GetElapsedTime(interruptedAt, now) >= options.SettledAfter;
        if (isSettled && time.GetElapsedTime(ephemeralComparedAt, now) < options.EphemeralComparePeriod) return;
        ephemeralComparedAt = now;
        foreach (var track in tracks.Values)
        {
            if (track.Stream.IsEphemeral && track.IsFollowed) BeginCatchUp(track, TimeSpan.Zero);
        }
    }

    private void BeginCatchUp(StreamTrack track, TimeSpan patience)
    {
        if (stopping.IsCancellationRequested || !track.TryBeginCatchUp()) return;
        Interlocked.Increment(ref catchUps);
        _ = CatchUpAsync(track, patience, stopping.Token);
    }

    private async Task CatchUpAsync(StreamTrack track, TimeSpan patience, CancellationToken ct)
    {
        var done = false;
        try
        {
            if (patience > TimeSpan.Zero) await Task.Delay(patience, time, ct);
            done = track.Stream.IsEphemeral ? await ReadEphemeralAsync(track, ct) : await ReadGapAsync(track, ct);
        }
        catch (Exception) when (ct.IsCancellationRequested)
        {
            return;
        }
        catch (StreamRowsPrunedException e)
        {
            LogPruned(log, e);
            Interlocked.CompareExchange(ref fault, e, null);
        }
        catch (Exception e)
        {
            // The next comparison begins again.
            LogGapReadFailed(log, e, track.Stream.Name, track.Position);
        }
        finally
        {
            track.EndCatchUp();
            // What was announced between the last look and the end of this.
            if (done && track.Position < track.Known) BeginCatchUp(track, options.PredecessorPatience);
            Interlocked.Decrement(ref catchUps);
        }
    }

    private async Task<bool> ReadGapAsync(StreamTrack track, CancellationToken ct)
    {
        while (track.Position is var from && from < track.Known)
        {
            var to = track.Known;
            ReplicationMetrics.GapReads.Add(1, ReplicationMetrics.Tag(track.Stream));
            var page = await source.ReadAsync(track.Stream, from, to, options.PageSize, ct);
            if (page.To <= from)
            {
                track.NothingAfter();
                return true;
            }
            await GiveAsync(track, new StreamFrame(track.Stream, from, page.To, "database", page.Rows), ct);
        }
        return true;
    }

    /// <summary>False: the bus is away.</summary>
    private async Task<bool> ReadEphemeralAsync(StreamTrack track, CancellationToken ct)
    {
        while (true)
        {
            var from = track.Position;
            if (await bus.TryReadEphemeralAsync(track.Stream, from, options.PageSize, ct) is not { } page) return false;
            if (page.To < from && track.VoidedAt == page.To)
            {
                track.NothingAfter();
                return true;
            }
            if (from < page.Base || page.To < from)
            {
                if (from > 0)
                {
                    LogEphemeralReset(log, track.Stream.Name);
                    ReplicationMetrics.EphemeralResets.Add(1, ReplicationMetrics.Tag(track.Stream));
                }
                await track.ResetAsync(page.To, page.Rows);
                // A bus that lost its data and was not written since stands at 0; positions here never descend.
                track.VoidedAt = page.To < from ? page.To : null;
                if (page.To < from) return true;
            }
            else if (page.To > from)
            {
                await GiveAsync(track, new StreamFrame(track.Stream, from, page.To, "bus", page.Rows), ct);
            }
            else
            {
                track.NothingAfter();
            }
            if (page.Rows.Count < options.PageSize) return true;
        }
    }

    private static async Task GiveAsync(StreamTrack track, StreamFrame frame, CancellationToken ct)
    {
        await track.OfferAsync(frame);
        // Another caller may be applying right now and takes this one too: the next page begins where that ends.
        var waiter = track.Expect(frame.To);
        await waiter.Completion.Task.WaitAsync(ct);
    }

    private async ValueTask<bool> ReachedAsync(StreamTrack.Waiter waiter, TimeSpan timeout, CancellationToken ct)
    {
        if (waiter.Completion.Task.IsCompleted) return true;
        if (timeout <= TimeSpan.Zero) return false;
        using var delay = CancellationTokenSource.CreateLinkedTokenSource(ct, stopping.Token);
        await Task.WhenAny(waiter.Completion.Task, Task.Delay(timeout, time, delay.Token));
        await delay.CancelAsync();
        ct.ThrowIfCancellationRequested();
        return waiter.Completion.Task.IsCompleted;
    }

    [LoggerMessage(3030, LogLevel.Warning, "The database does not answer; positions stand still until it does")]
    private static partial void LogSourceAway(ILogger log, Exception e);
    [LoggerMessage(3031, LogLevel.Information, "The database answers again")]
    private static partial void LogSourceBack(ILogger log);
    [LoggerMessage(3032, LogLevel.Warning, "Reading stream {Stream} after {Position} failed; tried again within seconds")]
    private static partial void LogGapReadFailed(ILogger log, Exception e, string stream, long position);
    [LoggerMessage(3033, LogLevel.Critical, "This process was away for longer than rows are kept; it is no longer ready and has to be restarted")]
    private static partial void LogPruned(ILogger log, Exception e);
    [LoggerMessage(3034, LogLevel.Warning, "Stream {Stream} lost its data on the bus and begins anew")]
    private static partial void LogEphemeralReset(ILogger log, string stream);
}
