using System.Collections.Concurrent;
using System.Threading.Channels;
using Matrix.Primitives;
using Matrix.Rooms.Ingest;
using Matrix.Storage.Federation;

namespace Matrix.FederationInbound.Transactions;

/// <summary>
/// Hands kept events to their rooms, in the order in which they came: at once what this process took, and now and then what others left behind. What a
/// room has not judged stays and is handed over again.
/// </summary>
internal sealed partial class InboundWork(InboundStore store, IPduIngest ingest, TimeProvider clock, ILogger<InboundWork> log) : BackgroundService
{
    private const int Workers = 8, PerClaim = 50, MaxWaiting = 10_000, RoomsAtOnce = 200;
    private static readonly TimeSpan Claim = TimeSpan.FromMinutes(2), Sweep = TimeSpan.FromSeconds(10), Pause = TimeSpan.FromSeconds(1);

    private readonly Channel<string> rooms = Channel.CreateBounded<string>(new BoundedChannelOptions(MaxWaiting) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly ConcurrentDictionary<string, bool> queued = new(StringComparer.Ordinal);

    private long Now => clock.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>There are events for that room. When too many rooms wait, the sweep finds it.</summary>
    public void Begin(string roomId)
    {
        if (queued.TryAdd(roomId, true) && !rooms.Writer.TryWrite(roomId)) queued.TryRemove(roomId, out _);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken) =>
        await Task.WhenAll([SweepAsync(stoppingToken), .. Enumerable.Range(0, Workers).Select(_ => WorkAsync(stoppingToken))]);

    private async Task SweepAsync(CancellationToken ct)
    {
        while (!ct.IsCancellationRequested)
        {
            try
            {
                foreach (var roomId in await store.WaitingAsync(Now, RoomsAtOnce, ct)) Begin(roomId);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                LogFailed(log, e, "?");
            }
            await Task.Delay(Sweep, clock, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task WorkAsync(CancellationToken ct)
    {
        await foreach (var roomId in rooms.Reader.ReadAllAsync(ct))
        {
            queued.TryRemove(roomId, out _);
            try
            {
                while (await HandOverAsync(roomId, ct)) { }
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                // They are kept: the sweep begins again when the claim is over.
                LogFailed(log, e, roomId);
                await Task.Delay(Pause, clock, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>False: nothing is left, or somebody else is at it.</summary>
    private async Task<bool> HandOverAsync(string roomId, CancellationToken ct)
    {
        var claimed = await store.ClaimAsync(roomId, Now, Now + (long)Claim.TotalMilliseconds, PerClaim, ct);
        if (claimed.Count == 0) return false;
        foreach (var part in claimed.GroupBy(c => c.Pdu.Origin))
            await ingest.IngestAsync(new PduIngest(roomId, part.Key, IngestMode.Live, [.. part.Select(c => (ReadOnlyMemory<byte>)c.Pdu.Json)], SignaturesChecked: true), ct);
        await store.DoneAsync([.. claimed.Select(c => c.Nid)], ct);
        return true;
    }

    [LoggerMessage(7010, LogLevel.Warning, "Events for {RoomId} could not be handed over; they are kept")]
    private static partial void LogFailed(ILogger log, Exception e, string roomId);
}
