using Matrix.Crypto;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Events;
using Matrix.Storage.Federation;
using Matrix.Storage.Following;
using Matrix.Web.Following;
using Npgsql;

namespace Matrix.FederationSender.Following;

/// <summary>
/// Finds which servers are to hear of what happens here, and remembers how far it came. Nothing is sent yet: the queues of the destinations will
/// be filled here, and the metrics say how much there would have been.
/// </summary>
internal sealed class DestinationDuty(
    DestinationReader destinations, ServerIdentity identity, FederationSenderMetrics metrics, InstanceIdentity me, IInstanceDirectory instances) : IFollowingDuty
{
    private const EventFlags NotSent = EventFlags.Outlier | EventFlags.Rejected | EventFlags.SoftFailed;
    private readonly Shard shard = new(FederationSenderService.Name, me, instances);

    public string Reader => "federationsender";
    public IReadOnlyList<StreamDefinition> Streams { get; } = [Replication.Streams.Events, Replication.Streams.Federation];
    public bool IsMine => shard.Owns(Reader);

    /// <summary>What happened before there was anybody to tell is not told.</summary>
    public Task RebuildAsync(CancellationToken ct) => Task.CompletedTask;

    public async Task ApplyAsync(NpgsqlTransaction tx, StreamDefinition stream, IReadOnlyList<StreamRow> rows, CancellationToken ct)
    {
        if (stream == Replication.Streams.Federation)
        {
            metrics.Due("edu", rows.Count);
            return;
        }
        var own = rows.Select(r => EventRow.Decode(r)).Where(e => identity.IsMine(e.Sender) && (e.Flags & NotSent) == 0).ToList();
        if (own.Count == 0) return;
        var servers = await destinations.RemoteServersAsync([.. own.Select(e => e.RoomNid).Distinct()], identity.ServerName, ct);
        metrics.Due("pdu", own.Sum(e => servers.TryGetValue(e.RoomNid, out var list) ? list.Count : 0));
    }
}
