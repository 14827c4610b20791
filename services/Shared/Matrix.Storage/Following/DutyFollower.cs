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
/// Runs one <see cref="IFollowingDuty"/>: holds its lease, reads what is new from the database, saves the position with the work. Woken by the
/// bus, and by itself every few seconds: a lost hint costs time, never a row.
/// </summary>
public sealed partial class DutyFollower(IFollowingDuty duty, FollowingContext context, ILogger<DutyFollower> log) : BackgroundService, IStreamConsumer
{
    private const int RowsAtOnce = 500;
    public static readonly TimeSpan LeaseLife = TimeSpan.FromSeconds(15);
    public static readonly TimeSpan Rest = TimeSpan.FromSeconds(3);
    private readonly WakeUp news = new();
    private Dictionary<StreamDefinition, long>? positions;
    private TaskCompletionSource progress = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public IReadOnlyCollection<StreamDefinition> Streams => duty.Streams.Where(s => !s.IsEphemeral).ToArray();

    /// <summary>Saved position of a stream as this instance knows it; null while another instance does the duty.</summary>
    public long? Position(StreamDefinition stream) => Volatile.Read(ref positions) is { } p && p.TryGetValue(stream, out var pos) ? pos : null;

    /// <summary>Completes when this instance has saved that position; never while another one does the duty.</summary>
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
                await news.WaitAsync(Rest, context.Clock, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e) when (e is NpgsqlException or StreamRowsPrunedException)
            {
                positions = null;       // the truth is in the database: read it again
                LogSetBack(duty.Reader, e.Message);
                await Task.Delay(Rest, context.Clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (Exception e)
            {
                positions = null;
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
        if (!await context.Leases.TryTakeAsync(duty.Reader, context.Instance, LeaseLife, ct))
        {
            positions = null;
            return;
        }
        if (positions is null) Progressed(await LoadOrRebuildAsync(ct));
        foreach (var stream in duty.Streams)
        {
            var to = context.Follower.Position(stream);
            while (positions is { } at && at[stream] < to)
            {
                if (!await AdvanceAsync(at, stream, to, ct)) return;
                await context.Leases.TryTakeAsync(duty.Reader, context.Instance, LeaseLife, ct);
            }
        }
    }

    private async Task<Dictionary<StreamDefinition, long>> LoadOrRebuildAsync(CancellationToken ct)
    {
        var saved = await context.Positions.LoadAsync(duty.Reader, ct);
        var retained = await context.Positions.RetainedAsync(ct);
        if (duty.Streams.All(s => saved.TryGetValue(s, out var pos) && pos >= retained.GetValueOrDefault(s))) return saved;
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
        var from = at[stream];
        var page = await context.Source.ReadAsync(stream, from, to, RowsAtOnce, ct);
        await using var connection = await context.Database.Source.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(ct);
        if (page.Rows.Count > 0) await duty.ApplyAsync(tx, stream, page.Rows, ct);
        if (!await SavedPositions.AdvanceAsync(tx, duty.Reader, stream, from, page.To, ct))
        {
            await tx.RollbackAsync(ct);
            positions = null;
            return false;
        }
        await tx.CommitAsync(ct);
        Progressed(new Dictionary<StreamDefinition, long>(at) { [stream] = page.To });
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
        positions = null;
        try
        {
            await context.Leases.ReleaseAsync(duty.Reader, context.Instance, CancellationToken.None);
        }
        catch (NpgsqlException e)
        {
            LogSetBack(duty.Reader, e.Message);     // the lease runs out by itself
        }
    }

    public override void Dispose()
    {
        news.Dispose();
        base.Dispose();
    }

    [LoggerMessage(1, LogLevel.Information, "{Reader} builds from the tables what it follows afterwards")]
    private partial void LogRebuilding(string reader);

    [LoggerMessage(2, LogLevel.Warning, "{Reader} pauses: {Reason}")]
    private partial void LogSetBack(string reader, string reason);

    [LoggerMessage(3, LogLevel.Error, "{Reader} failed and will try again")]
    private partial void LogFailed(Exception e, string reader);
}
