using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Storage.Relations;

namespace Matrix.Rooms.Aggregations;

/// <summary>
/// Bundled aggregations: what the children of shown events come to, as the raw JSON of <c>unsigned.m.relations</c>. One query for any number of events
/// that have no children; three more for all that have. Embedded events pass <see cref="EventVisibility"/>.
/// Spec: client-server-api/#aggregations-of-child-events
/// </summary>
public sealed class Aggregator(RelationReader relations, EventReader events, EventVisibility visibility, TimeProvider clock)
{
    private static readonly Dictionary<string, ReadOnlyMemory<byte>> Nothing = [];

    /// <summary>By event id; events without children that are aggregated are omitted. Annotations are not, since v1.7 of the specification.</summary>
    public Task<Dictionary<string, ReadOnlyMemory<byte>>> BundleAsync(
        AggregationReader reader, IReadOnlyList<AggregationTarget> targets, CancellationToken ct) => BundleAsync(reader, targets, threads: true, ct);

    private async Task<Dictionary<string, ReadOnlyMemory<byte>>> BundleAsync(
        AggregationReader reader, IReadOnlyList<AggregationTarget> targets, bool threads, CancellationToken ct)
    {
        var parents = new List<RelationParent>(targets.Count);
        foreach (var t in targets) parents.Add(new RelationParent(t.RoomNid, t.EventId, t.Sender, t.Type, t.UpTo));
        var summaries = await relations.SummariesAsync(parents, reader.User.Value, reader.Ignored, threads, ct);
        if (summaries.Count == 0) return Nothing;

        foreach (var (i, summary) in summaries)
        {
            var t = targets[i];
            if (t.IsRedacted || t.Relation == RelationTypes.Replace) summary.ReplacementNid = null;
            // No thread begins with an event that relates to another.
            if (t.Relation is not null) summary.Thread = null;
        }
        var embedded = await EmbeddedAsync(reader, summaries, ct);
        var inner = await InnerAsync(reader, targets, summaries, embedded, ct);
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var bundles = new Dictionary<string, ReadOnlyMemory<byte>>(summaries.Count, StringComparer.Ordinal);
        foreach (var (i, summary) in summaries)
            if (Write(reader, targets[i], summary, embedded, inner, now) is { Length: > 0 } json) bundles[targets[i].EventId] = json;
        return bundles;
    }

    private async Task<Dictionary<long, StoredEvent>> EmbeddedAsync(
        AggregationReader reader, Dictionary<int, ChildrenSummary> summaries, CancellationToken ct)
    {
        var nids = new HashSet<long>();
        foreach (var s in summaries.Values)
        {
            if (s.ReplacementNid is { } replacement) nids.Add(replacement);
            if (s.Thread is { } thread) nids.Add(thread.LatestNid);
        }
        if (nids.Count == 0) return [];
        var stored = await events.ByNidsAsync([.. nids], ct);
        return (await visibility.FilterAsync(reader.User, stored, ct)).DistinctBy(e => e.EventNid).ToDictionary(e => e.EventNid);
    }

    /// <summary>The latest events of threads have aggregations of their own.</summary>
    private async Task<Dictionary<string, ReadOnlyMemory<byte>>> InnerAsync(
        AggregationReader reader, IReadOnlyList<AggregationTarget> targets, Dictionary<int, ChildrenSummary> summaries,
        Dictionary<long, StoredEvent> embedded, CancellationToken ct)
    {
        List<AggregationTarget>? latest = null;
        foreach (var (i, s) in summaries)
            if (s.Thread is { } thread && embedded.TryGetValue(thread.LatestNid, out var e)
                && AggregationTarget.Of(e.Pdu, e.RoomNid, e.RedactedBy is not null, targets[i].UpTo) is { } target)
                (latest ??= []).Add(target);
        return latest is null ? Nothing : await BundleAsync(reader, latest, threads: false, ct);
    }

    private static byte[] Write(
        AggregationReader reader, in AggregationTarget target, ChildrenSummary summary, Dictionary<long, StoredEvent> embedded,
        Dictionary<string, ReadOnlyMemory<byte>> inner, long nowMs)
    {
        using var output = new PooledBuffer(1024);
        void Name(ReadOnlySpan<byte> name)
        {
            Raw(output.Length == 0 ? "{"u8 : ","u8);
            CanonicalJson.WriteRaw(output, name);
            Raw(":"u8);
        }
        void Raw(ReadOnlySpan<byte> text) => System.Buffers.BuffersExtensions.Write(output, text);

        if (summary.References.Count > 0)
        {
            Name("m.reference"u8);
            for (var i = 0; i < summary.References.Count; i++)
            {
                Raw(i == 0 ? "{\"chunk\":[{\"event_id\":"u8 : ",{\"event_id\":"u8);
                CanonicalJson.WriteString(output, summary.References[i]);
                Raw("}"u8);
            }
            Raw("]}"u8);
        }
        // One that says nothing any more replaces nothing.
        if (summary.ReplacementNid is { } nid && embedded.TryGetValue(nid, out var replacement) && !replacement.IsPruned)
        {
            Name("m.replace"u8);
            WriteEvent(output, reader, replacement, default, nowMs);
        }
        if (summary.Thread is { } thread && embedded.TryGetValue(thread.LatestNid, out var latest))
        {
            Name("m.thread"u8);
            Raw("{\"count\":"u8);
            CanonicalJson.WriteNumber(output, thread.Count);
            Raw(",\"current_user_participated\":"u8);
            Raw(thread.HasOwn || target.Sender == reader.User.Value ? "true"u8 : "false"u8);
            Raw(",\"latest_event\":"u8);
            WriteEvent(output, reader, latest, inner.GetValueOrDefault(latest.Pdu.EventId), nowMs);
            Raw("}"u8);
        }
        if (output.Length == 0) return [];
        Raw("}"u8);
        return output.Written.ToArray();
    }

    private static void WriteEvent(PooledBuffer output, AggregationReader reader, StoredEvent e, ReadOnlyMemory<byte> relations, long nowMs) =>
        ClientEvent.Write(output, e.Pdu, new ClientEventOptions
        {
            OmitRoomId = reader.OmitRoomId,
            AgeMs = Math.Max(0, nowMs - e.Pdu.OriginServerTs),
            TransactionId = e.TxnDeviceId is not null && e.TxnDeviceId == reader.DeviceId && e.Pdu.Sender == reader.User.Value ? e.TxnId : null,
            Relations = relations,
        });
}
