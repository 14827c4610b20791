namespace Matrix.Replication.Rpc;

/// <param name="Secret">Shared by every process of the fleet; never empty.</param>
public sealed record InternalRpcOptions(string Secret)
{
    /// <summary>For a whole call, answer included.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(2);
    /// <summary>How long a call waits for any instance that can be reached, such as while the only one restarts.</summary>
    public TimeSpan NobodyThereTimeout { get; init; } = TimeSpan.FromSeconds(10);
    /// <summary>How long the caller waits until it has what the answer's positions promise; it goes on without after that.</summary>
    public TimeSpan PositionsTimeout { get; init; } = TimeSpan.FromSeconds(2);
    /// <summary>False, for tests: calls go to all instances in turn, whatever their key.</summary>
    public bool Affinity { get; init; } = true;
}
