using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Matrix.Replication;

/// <summary>What replication measures; docs/streams.md names each.</summary>
public static class ReplicationMetrics
{
    public const string MeterName = "Armada.Replication";
    internal static readonly Meter Meter = new(MeterName);

    internal static readonly Counter<long> FramesPublished = Meter.CreateCounter<long>("armada.replication.frames.published");
    internal static readonly Counter<long> FramesApplied = Meter.CreateCounter<long>("armada.replication.frames.applied");
    /// <summary>Already known: repeats, and what a gap read brought first.</summary>
    internal static readonly Counter<long> FramesDropped = Meter.CreateCounter<long>("armada.replication.frames.dropped");
    /// <summary>Given up: transport away, queue full, not decodable. Found again in the database.</summary>
    internal static readonly Counter<long> FramesLost = Meter.CreateCounter<long>("armada.replication.frames.lost");
    internal static readonly Counter<long> GapReads = Meter.CreateCounter<long>("armada.replication.gap_reads");
    internal static readonly Counter<long> EphemeralResets = Meter.CreateCounter<long>("armada.replication.ephemeral_resets");
    internal static readonly Counter<long> RpcRetries = Meter.CreateCounter<long>("armada.rpc.retries");

    internal static readonly ActivitySource Activities = new(MeterName);

    /// <summary>Default when this flow of calls is not traced.</summary>
    internal static ActivityContext CurrentTrace => Activity.Current is { Recorded: true } current ? current.Context : default;

    internal static KeyValuePair<string, object?> Tag(StreamDefinition stream) => new("stream", stream.Name);
}
