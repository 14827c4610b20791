using Matrix.EventPersister.Ingest;
using Matrix.Rooms.Ingest;
using Matrix.Storage.Federation;
using Npgsql;

namespace Matrix.EventPersister.Policy;

/// <summary>
/// Hands events in once more that a policy server gave no answer about. What it recommends then becomes part of the room; what it refuses, and what is still
/// without an answer after some hours, stays soft-failed. The specification wants an event without the signature soft-failed and knows of no later; but
/// it wants it asked for as well, and a server that restarts would cost the room what was said meanwhile. Spec:
/// server-server-api/#validating-policy-server-signatures
/// </summary>
internal sealed partial class PolicyRetries(PolicyWaits waits, PduIngestor ingestor, TimeProvider clock, ILogger<PolicyRetries> log) : BackgroundService
{
    private const int AtOnce = 200;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                while (await RunAsync(clock.GetUtcNow().ToUnixTimeMilliseconds(), stoppingToken) == AtOnce) { }
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (NpgsqlException e)
            {
                LogSetBack(e.Message);
            }
            catch (Exception e)
            {
                LogFailed(e);
            }
            await Task.Delay(Interval, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>How many were due, at most <see cref="AtOnce"/>. What cannot be judged now has its next try.</summary>
    internal async Task<int> RunAsync(long nowMs, CancellationToken ct)
    {
        var due = await waits.TakeDueAsync(nowMs, AtOnce, ct);
        foreach (var part in due.GroupBy(d => (d.Pdu.RoomId, d.Pdu.Origin)))
        {
            var result = await ingestor.IngestAsync(
                new PduIngest(part.Key.RoomId, part.Key.Origin, IngestMode.Live, [.. part.Select(d => (ReadOnlyMemory<byte>)d.Pdu.Json)], SignaturesChecked: true), ct);
            var unasked = result.Pdus.Where(p => p.IsUnasked).Select(p => p.EventId).ToHashSet();
            await waits.DoneAsync([.. part.Where(d => d.Tries >= PolicyWaits.MaxTries || !unasked.Contains(d.Pdu.EventId)).Select(d => d.Pdu.EventId)], ct);
        }
        return due.Count;
    }

    [LoggerMessage(5040, LogLevel.Warning, "Policy servers are asked again later: {Reason}")]
    private partial void LogSetBack(string reason);

    [LoggerMessage(5041, LogLevel.Error, "Events about which policy servers are asked again could not be handed in")]
    private partial void LogFailed(Exception e);
}
