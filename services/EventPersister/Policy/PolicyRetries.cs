using Matrix.EventPersister.Ingest;
using Matrix.Rooms.Ingest;
using Matrix.Storage.Federation;
using Matrix.Web;

namespace Matrix.EventPersister.Policy;

/// <summary>
/// Hands events in once more that a policy server gave no answer about. What it recommends then becomes part of the room; what it refuses, and what is still
/// without an answer after some hours, stays soft-failed. The specification wants an event without the signature soft-failed and knows of no later; but
/// it wants it asked for as well, and a server that restarts would cost the room what was said meanwhile. Spec:
/// server-server-api/#validating-policy-server-signatures
/// </summary>
internal sealed class PolicyRetries(PolicyWaits waits, PduIngestor ingestor, TimeProvider clock, ILogger<PolicyRetries> log) : BackgroundService
{
    private const int AtOnce = 200;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private readonly Rounds rounds = new("Asking policy servers again", clock, log);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => rounds.EveryAsync(Interval, RunAsync, stoppingToken);

    private async Task RunAsync(CancellationToken ct)
    {
        while (await RunAsync(clock.GetUtcNow().ToUnixTimeMilliseconds(), ct) == AtOnce) { }
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
}
