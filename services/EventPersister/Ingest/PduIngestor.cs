using System.Text.Json;
using Matrix.EventPersister.Actors;
using Matrix.EventPersister.Membership;
using Matrix.Events;
using Matrix.FederationClient.Pdus;
using Matrix.Primitives;
using Matrix.Rooms.Ingest;
using Matrix.Storage.Federation;
using Matrix.Storage.Rooms;

namespace Matrix.EventPersister.Ingest;

/// <summary>
/// Takes events of other servers in: checks what needs no room, fetches what they rest on, and hands them to the room's actor, parents first. All talk
/// with other servers happens here, so that no room waits for it.
/// </summary>
internal sealed partial class PduIngestor(
    RoomActors actors, RoomReader rooms, PduChecker checker, MissingEvents missing, PolicyWaits waits, GuestRemoval guests, ILogger<PduIngestor> log) : IPduIngest
{
    /// <summary>Events of one turn: what they meet is held in memory together.</summary>
    private const int MaxPerTurn = 50, MaxOutliersPerTurn = IPduIngest.MaxPdus;

    public async Task<IngestResult> IngestAsync(PduIngest pdus, CancellationToken ct)
    {
        if (pdus.Pdus.Count > IPduIngest.MaxPdus) throw MatrixError.TooLarge($"More than {IPduIngest.MaxPdus} events at once.").AsException();
        if (pdus.Mode == IngestMode.Join && pdus is not { StateBefore: not null, Pdus.Count: 1 }) throw MatrixError.BadJson("A join is one event with the state before it.").AsException();
        var room = await rooms.FindAsync(pdus.RoomId, ct);
        var mayBegin = pdus.Mode is IngestMode.Outliers or IngestMode.Join or IngestMode.OutOfBand;
        var version = room?.Version ?? (mayBegin && pdus.RoomVersion is { } id ? RoomVersions.Find(id) : null);
        if (version is null) return AllDropped(pdus, "The room is not known here.");
        if (pdus.RoomVersion is not null && pdus.RoomVersion != version.Id) return AllDropped(pdus, "The room has another version.");

        var checks = await checker.CheckAllAsync(pdus.Pdus, version, pdus.RoomId, pdus.SignaturesChecked, ct);
        var batch = new IngestBatch(pdus.RoomId, version, pdus.Origin, pdus.Mode);
        foreach (var check in checks) if (check.Pdu is { } pdu) batch.Add(pdu);
        if (pdus.Mode == IngestMode.Join) batch.Tell(checks[0].EventId, [pdus.StateBefore!]);
        if (room is not null && pdus.Mode is IngestMode.Live or IngestMode.Backfill) await missing.CompleteAsync(room!, batch, ct);

        var verdicts = new Dictionary<string, IngestedPdu>(StringComparer.Ordinal);
        long position = 0;
        if (batch.Outliers.Count > 0) await RunAsync(batch, IngestMode.Outliers, batch.OutliersInOrder(), [], ct);
        position = Math.Max(position, await RunAsync(batch, pdus.Mode, batch.InOrder(batch.Pdus), verdicts, ct));

        await FollowUpAsync(pdus, batch, verdicts, ct);
        var answers = new IngestedPdu[checks.Length];
        for (var i = 0; i < answers.Length; i++)
        {
            var check = checks[i];
            answers[i] = check.EventId is { } eventId && check.Pdu is not null && verdicts.TryGetValue(eventId, out var v)
                ? v : new IngestedPdu(check.EventId, IngestVerdict.Dropped, check.Reason ?? "The event is its own parent.");
            if (answers[i].Verdict != IngestVerdict.Known) Diagnostics.Ingested.Add(1, new KeyValuePair<string, object?>("verdict", answers[i].Verdict.ToString()));
            if (answers[i].Reason is { } reason) LogVerdict(log, answers[i].EventId ?? "?", pdus.RoomId, pdus.Origin, answers[i].Verdict, reason);
            else if (check.Reason is { } remark) LogRemark(log, check.EventId ?? "?", pdus.RoomId, pdus.Origin, remark);
        }
        return new IngestResult(answers, position);
    }

    /// <summary>What is to be done besides, now that the events are there.</summary>
    private async Task FollowUpAsync(PduIngest pdus, IngestBatch batch, Dictionary<string, IngestedPdu> verdicts, CancellationToken ct)
    {
        var unasked = batch.Pdus.Where(p => verdicts.GetValueOrDefault(p.EventId) is { IsUnasked: true }).Select(p => (p.EventId, p.Json)).ToList();
        if (unasked.Count > 0) await waits.KeepAsync(pdus.RoomId, pdus.Origin, unasked, actors.Tools.Clock.GetUtcNow().ToUnixTimeMilliseconds(), ct);
        if (pdus.Mode != IngestMode.Live) return;
        foreach (var pdu in batch.Pdus)
        {
            if (pdu is not { Type: EventTypes.GuestAccess, StateKey: "" } || verdicts.GetValueOrDefault(pdu.EventId) is not { Verdict: IngestVerdict.Accepted }) continue;
            using var content = JsonDocument.Parse(pdu.Content);
            await guests.AfterAsync(pdus.RoomId, content.RootElement);
        }
    }

    private async Task<long> RunAsync(
        IngestBatch batch, IngestMode mode, IReadOnlyList<Pdu> pdus, Dictionary<string, IngestedPdu> verdicts, CancellationToken ct)
    {
        long position = 0;
        foreach (var part in pdus.Chunk(mode is IngestMode.Outliers ? MaxOutliersPerTurn : MaxPerTurn))
        {
            var command = new IngestCommand(mode, [.. part.Select(p => new IncomingPdu(p, batch.StatesBefore(p.EventId)))],
                mode is IngestMode.Live or IngestMode.Backfill ? null : batch.Version, ct);
            var reply = await actors.RunAsync(batch.RoomId, command);
            if (reply.Error is { } error) throw error.AsException();
            foreach (var v in command.Verdicts) if (v.EventId is not null) verdicts[v.EventId] = v;
            position = Math.Max(position, command.Position);
        }
        return position;
    }

    private IngestResult AllDropped(PduIngest pdus, string reason)
    {
        LogVerdict(log, $"{pdus.Pdus.Count} events", pdus.RoomId, pdus.Origin, IngestVerdict.Dropped, reason);
        return new IngestResult([.. pdus.Pdus.Select(_ => new IngestedPdu(null, IngestVerdict.Dropped, reason))], 0);
    }

    [LoggerMessage(5030, LogLevel.Information, "{EventId} for {RoomId} from {Origin}: {Verdict}. {Reason}")]
    private static partial void LogVerdict(ILogger log, string eventId, string roomId, string origin, IngestVerdict verdict, string reason);
    [LoggerMessage(5031, LogLevel.Information, "{EventId} for {RoomId} from {Origin}: {Remark}")]
    private static partial void LogRemark(ILogger log, string eventId, string roomId, string origin, string remark);
}
