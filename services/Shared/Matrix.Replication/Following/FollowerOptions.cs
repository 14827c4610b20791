namespace Matrix.Replication.Following;

/// <summary>Times of a follower. The defaults suit a fleet; tests change them.</summary>
public sealed record FollowerOptions
{
    /// <summary>
    /// How often local positions are compared with the truth while the bus is connected. A gap shows by the next frame and a loss of the bus is told: this is for the
    /// last frame of a writer that died, or lost its own connection.
    /// </summary>
    public TimeSpan ComparePeriod { get; init; } = TimeSpan.FromSeconds(4);
    /// <summary>The same after the bus has come back, until <see cref="SettledAfter"/>: who listens again may do so later than who speaks.</summary>
    public TimeSpan UnsettledComparePeriod { get; init; } = TimeSpan.FromSeconds(1);
    public TimeSpan SettledAfter { get; init; } = TimeSpan.FromSeconds(10);
    /// <summary>How often ephemeral streams are compared with what the bus keeps, beside after every interruption of the bus.</summary>
    public TimeSpan EphemeralComparePeriod { get; init; } = TimeSpan.FromSeconds(10);
    /// <summary>How often the truth is asked while the bus is away: then this is the delay of everything.</summary>
    public TimeSpan PollPeriod { get; init; } = TimeSpan.FromMilliseconds(500);
    /// <summary>How long a frame from the future waits for its predecessor: two writers publish at the same time.</summary>
    public TimeSpan PredecessorPatience { get; init; } = TimeSpan.FromMilliseconds(10);
    /// <summary>How long somebody who waits for a position waits for the bus before the truth is asked.</summary>
    public TimeSpan WaiterPatience { get; init; } = TimeSpan.FromMilliseconds(50);
    /// <summary>Rows of one read of a gap.</summary>
    public int PageSize { get; init; } = 500;
}
