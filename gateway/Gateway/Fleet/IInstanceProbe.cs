using Matrix.Replication;

namespace Matrix.Gateway.Fleet;

/// <summary>A connection that carries nothing: it is there to be closed by the operating system in the moment the instance dies.</summary>
internal interface IWatchedConnection : IDisposable
{
    Task Closed { get; }
}

internal interface IInstanceProbe
{
    /// <summary>Connects to where the traffic goes; null when that fails.</summary>
    Task<IWatchedConnection?> ConnectAsync(ServiceInstance instance, CancellationToken ct);

    /// <summary>What the instance says of itself.</summary>
    Task<bool> IsReadyAsync(ServiceInstance instance, CancellationToken ct);
}
