namespace Matrix.Background.Duties;

/// <summary>Something that the homeserver does now and then. One instance does it, as long as it holds the lease of that name.</summary>
internal interface IBackgroundDuty
{
    /// <summary>In metrics, logs and the lease: <c>prune_streams</c>.</summary>
    string Name { get; }
    TimeSpan Interval { get; }
    /// <summary>
    /// Does one portion and returns how many rows it dealt with; more to do is asked for again at once. 0: done until the interval is over. Must be
    /// right when two instances do it at once.
    /// </summary>
    Task<int> RunAsync(CancellationToken ct);
}
