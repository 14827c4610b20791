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
    private const int MostLocalRooms = 100_000;
    /// <summary>Rooms in which nobody from elsewhere is. Forgotten at the first sign of one.</summary>
    private readonly HashSet<long> localRooms = [];
    private readonly Shard shard = new(FederationSenderService.Name, me, instances);

    public string Reader => "federationsender";
    public IReadOnlyList<StreamDefinition> Streams { get; } = [Replication.Streams.Events, Replication.Streams.Federation];
    public bool IsMine => shard.Owns(Reader);

    /// <summary>What happened before there was anybody to tell is not told.</summary>
    public Task RebuildAsync(CancellationToken ct) => Task.CompletedTask;

    public void Begin() => localRooms.Clear();

    public bool Concerns(StreamDefinition stream, StreamRow row)
    {
        if (stream != Replication.Streams.Events) return true;
        var e = EventRow.Decode(row);
        if (IsRemoteMember(e.Type, e.StateKey) || e.Moves.Any(m => IsRemoteMember(m.Type, m.StateKey))) localRooms.Remove(e.RoomNid);
        return identity.IsMine(e.Sender) && (e.Flags & NotSent) == 0 && !localRooms.Contains(e.RoomNid);
    }

    public async Task ApplyAsync(NpgsqlTransaction tx, StreamDefinition stream, IReadOnlyList<StreamRow> rows, CancellationToken ct)
    {
        if (stream == Replication.Streams.Federation)
        {
            metrics.Due("edu", rows.Count);
            return;
        }
        var rooms = rows.Select(r => EventRow.Decode(r).RoomNid).ToList();
        var servers = await destinations.RemoteServersAsync([.. rooms.Distinct()], identity.ServerName, ct);
        metrics.Due("pdu", rooms.Sum(r => servers.TryGetValue(r, out var list) ? list.Count : 0));
        // A remote member that came after this read has a row that is still to come.
        if (localRooms.Count > MostLocalRooms) localRooms.Clear();
        localRooms.UnionWith(rooms.Where(r => !servers.ContainsKey(r)));
    }

    private bool IsRemoteMember(string type, string? stateKey) => type == "m.room.member" && stateKey is not null && !identity.IsMine(stateKey);
}
