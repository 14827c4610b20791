using Matrix.Primitives;
using Matrix.Sync.Store;
using Matrix.Sync.Users;

namespace Matrix.Sync.Sliding;

/// <summary>
/// A connection at the version that a client comes with. Version 0: it begins, and there is nothing in the database of it yet.
/// </summary>
internal sealed record Connection(long Nid, long Version, string UserId, string DeviceId, ConnectionState State, ToldMembers Told)
{
    /// <summary>One that begins: it gets its number when it is saved.</summary>
    public static Connection New(SlidingRequest request) => new(0, 0, request.UserId, request.DeviceId, ConnectionState.Empty, new ToldMembers());
}

/// <summary>Connections by number and version: in the database, and in memory what was used last. Any instance goes on with any of them.</summary>
internal sealed class Connections(ISyncStore store, TimeProvider clock)
{
    private const long MaxBytes = 64 << 20;
    private readonly Dictionary<(long Nid, long Version), LinkedListNode<Connection>> known = [];
    /// <summary>Those of each connection that are in memory.</summary>
    private readonly Dictionary<long, List<long>> versions = [];
    private readonly LinkedList<Connection> byUse = new();
    private readonly Lock gate = new();
    private long bytes;

    /// <summary>Estimate of memory, bytes.</summary>
    public long Bytes => Volatile.Read(ref bytes);

    /// <summary>M_UNKNOWN_POS unless it is of that user and device and has not been superseded.</summary>
    public async ValueTask<Connection> FindAsync(string userId, string deviceId, long nid, long version, CancellationToken ct)
    {
        if (Known(nid, version) is not { } connection)
        {
            var stored = await store.SlidingStateAsync(nid, version, ct);
            if (stored is null || ConnectionState.Decode(stored.State) is not { } state) throw UnknownPos();
            connection = new(nid, version, stored.UserId, stored.DeviceId, state, new ToldMembers());
            Keep(connection);
        }
        if (connection.UserId != userId || connection.DeviceId != deviceId) throw UnknownPos();
        return connection;
    }

    public static MatrixException UnknownPos() => MatrixError.Custom(400, "M_UNKNOWN_POS", "Unknown position: begin a new connection").AsException();

    /// <summary>
    /// The next version of a connection, stored; what it supersedes is forgotten here too. M_UNKNOWN_POS if the basis itself has been superseded meanwhile, by
    /// another instance as a rule: that costs nothing to find out here, and nothing where a client stays on one instance.
    /// </summary>
    public async Task<Connection> SaveAsync(Connection basis, string connId, ConnectionState state, CancellationToken ct)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        Connection next;
        if (basis.Version == 0)
        {
            var (nid, version) = await store.BeginSlidingAsync(basis.UserId, basis.DeviceId, connId, state.Encode(), now, ct);
            next = basis with { Nid = nid, Version = version, State = state };
        }
        else
        {
            var version = await store.PutSlidingAsync(basis.Nid, basis.Version, state.Encode(), now, ct);
            Forget(basis.Nid, version is null ? basis.Version + 1 : basis.Version);
            if (version is null) throw UnknownPos();
            next = basis with { Version = version.Value, State = state };
        }
        Keep(next);
        return next;
    }

    private Connection? Known(long nid, long version)
    {
        lock (gate)
        {
            if (!known.TryGetValue((nid, version), out var node)) return null;
            byUse.Remove(node);
            byUse.AddLast(node);
            return node.Value;
        }
    }

    private void Keep(Connection connection)
    {
        lock (gate)
        {
            var key = (connection.Nid, connection.Version);
            if (known.ContainsKey(key)) return;
            known[key] = byUse.AddLast(connection);
            if (!versions.TryGetValue(connection.Nid, out var kept)) versions[connection.Nid] = kept = [];
            kept.Add(connection.Version);
            bytes += connection.State.Bytes;
            while (bytes > MaxBytes && byUse.Count > 1) Drop(byUse.First!);
        }
    }

    private void Forget(long nid, long before)
    {
        lock (gate)
            if (versions.TryGetValue(nid, out var kept))
                foreach (var version in kept.FindAll(v => v < before)) Drop(known[(nid, version)]);
    }

    private void Drop(LinkedListNode<Connection> node)
    {
        var (nid, version) = (node.Value.Nid, node.Value.Version);
        byUse.Remove(node);
        known.Remove((nid, version));
        if (versions[nid] is var kept && kept.Remove(version) && kept.Count == 0) versions.Remove(nid);
        bytes -= node.Value.State.Bytes;
    }

    /// <summary>Gives memory back, the least recently used first, until that many bytes are left.</summary>
    public void Trim(long toBytes)
    {
        lock (gate) while (bytes > toBytes && byUse.First is { } first) Drop(first);
    }
}
