using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Storage.Instances;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Matrix.Storage.Following;

/// <summary>What a <see cref="DutyFollower"/> needs of its process.</summary>
/// <param name="Instance">Name of this instance, holder of its leases.</param>
public sealed record FollowingContext(
    string Instance, Database Database, IStreamSource Source, IStreamFollower Follower, LeaseStore Leases, SavedPositions Positions, TimeProvider Clock);

/// <summary>
/// Runs one <see cref="IFollowingDuty"/>: holds its lease, takes what is new from the bus or, where that has a gap, from the database, saves the position
/// with the work. Woken by the bus, and by itself every few seconds: a lost hint costs time, never a row. Rows that do not concern the duty cost no
/// statement: the position is saved with the next that does, and now and then.
/// </summary>
public sealed partial class DutyFollower(IFollowingDuty duty, FollowingContext context, ILogger<DutyFollower> log) : BackgroundService, IStreamConsumer
{
    private const int RowsAtOnce = 500;
    public static readonly TimeSpan LeaseLife = TimeSpan.FromSeconds(15);
    public static readonly TimeSpan Rest = TimeSpan.FromSeconds(4);
    /// <summary>A lease younger than this is not renewed. Whoever lost it nevertheless finds the saved position moved.</summary>
    private static readonly TimeSpan LeaseFresh = TimeSpan.FromSeconds(5);
    /// <summary>For how long a position that was passed without work may stay unsaved.</summary>
    private static readonly TimeSpan SavePeriod = TimeSpan.FromSeconds(10);
    private readonly WakeUp news = new();
    private readonly Dictionary<StreamDefinition, RecentRows> recent = duty.Streams.ToDictionary(s => s, _ => new RecentRows(RowsAtOnce));
    private Dictionary<StreamDefinition, long>? positions;
    private Dictionary<StreamDefinition, long> saved = [];
    private long? leasedAt;
    private long savedAt;
    private TaskCompletionSource progress = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IReadOnlyCollection<StreamDefinition> Streams => duty.Streams.Where(s => !s.IsEphemeral).ToArray();

    /// <summary>How far this instance has done its work; null while another instance does the duty.</summary>
    public long? Position(StreamDefinition stream) => Volatile.Read(ref positions) is { } p && p.TryGetValue(stream, out var pos) ? pos : null;

    /// <summary>Completes when this instance has done its work up to that position; never while another one does the duty.</summary>
    public async Task WaitForAsync(StreamDefinition stream, long position, CancellationToken ct)
    {
        while (true)
        {
            var next = Volatile.Read(ref progress).Task;
            if (Position(stream) >= position) return;
            await next.WaitAsync(ct);
        }
    }

    public ValueTask OnRowsAsync(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> rows)
    {
        recent[stream].Add(from, to, rows);
        news.Wake();
        return ValueTask.CompletedTask;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await StepAsync(stoppingToken);
                await news.WaitAsync(Beat.Next(Rest, context.Clock), context.Clock, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e) when (e is NpgsqlException or StreamRowsPrunedException)
            {
                SetBack();       // the truth is in the database: read it again
                LogSetBack(duty.Reader, e.Message);
                await Task.Delay(Rest, context.Clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (Exception e)
            {
                SetBack();
                LogFailed(e, duty.Reader);
                await Task.Delay(LeaseLife, context.Clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        await HandOverAsync();
    }

    /// <summary>One round: the lease, and everything that is new.</summary>
    private async Task StepAsync(CancellationToken ct)
    {
        if (!context.Follower.IsReady) return;
        if (!duty.IsMine)
        {
            if (positions is not null) await HandOverAsync();
            return;
        }
        if (!await HasLeaseAsync(ct)) return;
        if (positions is null)
        {
            var start = await LoadOrRebuildAsync(ct);
            (saved, savedAt) = (start, context.Clock.GetTimestamp());
            duty.Begin();
            Progressed(start);
        }
        foreach (var stream in duty.Streams)
        {
            // The local position moves after the consumers were told: what they were told of is there already.
            var to = Math.Max(context.Follower.Position(stream), recent[stream].End);
            while (positions is { } at && at[stream] < to)
            {
                if (!await AdvanceAsync(at, stream, to, ct) || !await HasLeaseAsync(ct)) return;
            }
        }
        if (context.Clock.GetElapsedTime(savedAt) >= SavePeriod) await SaveAsync(ct);
    }

    private async Task<bool> HasLeaseAsync(CancellationToken ct)
    {
        if (leasedAt is { } since && context.Clock.GetElapsedTime(since) < LeaseFresh) return true;
        var now = context.Clock.GetTimestamp();
        if (await context.Leases.TryTakeAsync(duty.Reader, context.Instance, LeaseLife, ct))
        {
            leasedAt = now;
            return true;
        }
        SetBack();
        return false;
    }

    /// <summary>What is saved decides where this instance begins again, once it has the lease.</summary>
    private void SetBack() => (positions, leasedAt) = (null, null);

    private async Task<Dictionary<StreamDefinition, long>> LoadOrRebuildAsync(CancellationToken ct)
    {
        var loaded = await context.Positions.LoadAsync(duty.Reader, ct);
        var retained = await context.Positions.RetainedAsync(ct);
        if (duty.Streams.All(s => loaded.TryGetValue(s, out var pos) && pos >= retained.GetValueOrDefault(s))) return loaded;
        LogRebuilding(duty.Reader);
        var current = await context.Source.GetPositionsAsync(ct);
        await duty.RebuildAsync(ct);
        var start = new Dictionary<StreamDefinition, long>();
        foreach (var stream in duty.Streams)
        {
            start[stream] = current.GetValueOrDefault(stream);
            await context.Positions.SetAsync(duty.Reader, stream, start[stream], ct);
        }
        return start;
    }

    /// <summary>False when another instance moved the position: this one begins again from what is saved.</summary>
    private async Task<bool> AdvanceAsync(Dictionary<StreamDefinition, long> at, StreamDefinition stream, long to, CancellationToken ct)
    {
        var page = recent[stream].After(at[stream]) ?? await context.Source.ReadAsync(stream, at[stream], to, RowsAtOnce, ct);
        var due = page.Rows.Where(r => duty.Concerns(stream, r)).ToList();
        if (due.Count > 0 && !await SaveAsync(stream, page.To, tx => duty.ApplyAsync(tx, stream, due, ct), ct)) return false;
        Progressed(new Dictionary<StreamDefinition, long>(at) { [stream] = page.To });
        return true;
    }

    /// <summary>Saves what was passed without work.</summary>
    private async Task SaveAsync(CancellationToken ct)
    {
        savedAt = context.Clock.GetTimestamp();
        foreach (var stream in duty.Streams)
        {
            if (positions is { } at && at[stream] > saved[stream]) await SaveAsync(stream, at[stream], _ => Task.CompletedTask, ct);
        }
    }

    private async Task<bool> SaveAsync(StreamDefinition stream, long to, Func<NpgsqlTransaction, Task> work, CancellationToken ct)
    {
        await using var connection = await context.Database.Source.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        await work(tx);
        if (!await SavedPositions.AdvanceAsync(tx, duty.Reader, stream, saved[stream], to, ct))
        {
            await tx.RollbackAsync(ct);
            SetBack();
            news.Wake();
            return false;
        }
        await tx.CommitAsync(ct);
        saved = new Dictionary<StreamDefinition, long>(saved) { [stream] = to };
        return true;
    }

    /// <summary>A new dictionary each time: others read it meanwhile.</summary>
    private void Progressed(Dictionary<StreamDefinition, long> now)
    {
        Volatile.Write(ref positions, now);
        Interlocked.Exchange(ref progress, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
    }

    private async Task HandOverAsync()
    {
        if (positions is null) return;
        try
        {
            await SaveAsync(CancellationToken.None);
            await context.Leases.ReleaseAsync(duty.Reader, context.Instance, CancellationToken.None);
        }
        catch (NpgsqlException e)
        {
            LogSetBack(duty.Reader, e.Message);     // the lease runs out by itself
        }
        SetBack();
    }

    [LoggerMessage(1, LogLevel.Information, "{Reader} builds from the tables what it follows afterwards")]
    private partial void LogRebuilding(string reader);

    [LoggerMessage(2, LogLevel.Warning, "{Reader} pauses: {Reason}")]
    private partial void LogSetBack(string reader, string reason);

    [LoggerMessage(3, LogLevel.Error, "{Reader} failed and will try again")]
    private partial void LogFailed(Exception e, string reader);
}
