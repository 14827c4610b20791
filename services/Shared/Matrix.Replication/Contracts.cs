namespace Matrix.Replication;

/// <summary>Rows of a stream as the database holds them; To is the last position covered, which may be short of what was asked.</summary>
public sealed record StreamPage(long To, IReadOnlyList<StreamRow> Rows);

/// <summary>
/// What an ephemeral stream holds: the newest row of each key, ascending, as far as it was kept. Positions of an ephemeral stream start at the
/// clock (microseconds since the epoch), so they go on ascending when the bus lost its data.
/// </summary>
/// <param name="Base">Where the stream began. A reader that stood before it holds what is void: the data was lost in between.</param>
/// <param name="To">Last position covered; short of the stream's position when there is more to read.</param>
public sealed record EphemeralPage(long Base, long To, IReadOnlyList<StreamRow> Rows);

/// <summary>The rows that a reader needs are no longer kept; it must start anew from the present.</summary>
public sealed class StreamRowsPrunedException(StreamDefinition stream, long from, long retained)
    : Exception($"Stream {stream}: rows after {from} were asked for, those up to {retained} are no longer kept. Restart this reader.");

/// <summary>The truth behind the bus. Implemented by Matrix.Storage over <c>stream_counters</c>.</summary>
public interface IStreamSource
{
    /// <summary>Current position of every persistent stream, in one query.</summary>
    Task<IReadOnlyDictionary<StreamDefinition, long>> GetPositionsAsync(CancellationToken ct);
    /// <summary>Rows in (from, to], ascending, at most about <paramref name="limit"/> rows (never splits a position).</summary>
    Task<StreamPage> ReadAsync(StreamDefinition stream, long from, long to, int limit, CancellationToken ct);
}

/// <summary>Carries hints; may lose, repeat, reorder or delay anything. Implementations: Redis, in process, lossy (tests).</summary>
public interface IReplicationBus
{
    /// <summary>False while the transport is away; followers then poll.</summary>
    bool IsConnected { get; }
    /// <summary>Grows whenever the transport came back: what was published meanwhile did not arrive.</summary>
    long Interruptions { get; }
    /// <summary>The transport went away or came back. Handlers are quick.</summary>
    event Action? ConnectionChanged { add { } remove { } }
    /// <summary>Never throws for a transport fault: what is lost is found again in the database.</summary>
    ValueTask PublishAsync(StreamFrame frame, CancellationToken ct);
    /// <summary>Frames of one stream arrive one at a time, in the order the transport had them.</summary>
    IAsyncDisposable Subscribe(IReadOnlyCollection<StreamDefinition> streams, Func<StreamFrame, ValueTask> onFrame);
    /// <summary>
    /// Takes the next position of an ephemeral stream and publishes, atomically; the row is kept for a while as the newest of its key. Returns the
    /// position; 0 when the transport is away and nothing was published.
    /// </summary>
    ValueTask<long> PublishEphemeralAsync(StreamDefinition stream, string key, ReadOnlyMemory<byte> payload, CancellationToken ct);
    /// <summary>Current position of an ephemeral stream (0 when never written, lost, or the transport is away).</summary>
    ValueTask<long> GetEphemeralPositionAsync(StreamDefinition stream, CancellationToken ct);
    /// <summary>The newest rows after <paramref name="from"/>, at most <paramref name="limit"/>; null while the transport is away.</summary>
    ValueTask<EphemeralPage?> TryReadEphemeralAsync(StreamDefinition stream, long from, int limit, CancellationToken ct);
}

/// <summary>A part of a service that follows streams. Called in position order per stream, never twice for a position, never with a gap.</summary>
public interface IStreamConsumer
{
    IReadOnlyCollection<StreamDefinition> Streams { get; }
    /// <summary>
    /// Rows in (from, to]; memory only, quick, must not throw. Long work belongs behind a bounded queue or a saved cursor.
    /// For an ephemeral stream that was reset (Redis lost its data) <paramref name="from"/> is 0 and everything known is void.
    /// </summary>
    ValueTask OnRowsAsync(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> rows);
}

/// <summary>Where this process stands in each stream. One per process; drives all <see cref="IStreamConsumer"/>s.</summary>
public interface IStreamFollower
{
    /// <summary>Everything up to here has been given to the consumers.</summary>
    long Position(StreamDefinition stream);
    /// <summary>Completes when the local position reaches <paramref name="position"/>; false when it did not within the timeout. Asks the database itself when waiting long.</summary>
    ValueTask<bool> WaitForAsync(StreamDefinition stream, long position, TimeSpan timeout, CancellationToken ct);
    /// <summary>True once the first positions are loaded and consumers may answer.</summary>
    bool IsReady { get; }
}

/// <summary>What a writer calls after COMMIT: applies the frame to this process at once and publishes it to the others.</summary>
public interface IStreamPublisher
{
    ValueTask PublishAsync(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> rows, CancellationToken ct);
    ValueTask<long> PublishEphemeralAsync(StreamDefinition stream, string key, ReadOnlyMemory<byte> payload, CancellationToken ct);
}

/// <summary>A running instance of a service.</summary>
/// <param name="Service">Service name: gateway, clientapi, sync, eventpersister, federationinbound, federationsender, media, push, userdirectory, appservices, background.</param>
/// <param name="Group">Service group that the gateway routes to; the service name unless configured.</param>
/// <param name="Address">Base address for traffic of the gateway, such as http://127.0.0.1:40001</param>
/// <param name="InternalAddress">Base address of <c>/_internal</c>.</param>
public sealed record ServiceInstance(string Name, string Service, string Group, string Address, string InternalAddress, long StartedTsMs);

/// <summary>Who runs. Backed by the <c>instances</c> table; the last known list survives a database pause.</summary>
public interface IInstanceDirectory
{
    /// <summary>Alive instances of a group (or service), ordered by name.</summary>
    IReadOnlyList<ServiceInstance> Of(string groupOrService);
    IReadOnlyList<ServiceInstance> All { get; }
    /// <summary>Changes by one with every change of the list.</summary>
    long Version { get; }
    /// <summary>Completes at the next change after <paramref name="version"/>.</summary>
    Task WaitForChangeAsync(long version, CancellationToken ct);
}

/// <summary>Calls <c>/_internal</c> endpoints of other instances with the shared secret; waits for the positions that an answer carries.</summary>
public interface IInternalRpc
{
    /// <summary>Posts JSON to an instance chosen by rendezvous hash of <paramref name="key"/> over the service; retries another when it could not be delivered.</summary>
    Task<byte[]> PostAsync(string service, string key, string path, ReadOnlyMemory<byte> json, CancellationToken ct);
}
