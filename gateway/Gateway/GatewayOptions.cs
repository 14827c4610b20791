namespace Matrix.Gateway;

internal sealed record GatewayOptions
{
    /// <summary>Every how many requests one is written to the access log; 0 for none.</summary>
    public int AccessLogEvery { get; init; }
    /// <summary>How long a request waits for an instance before it is answered 503.</summary>
    public TimeSpan WaitForInstance { get; init; } = TimeSpan.FromSeconds(2);
    public int MaxAttempts { get; init; } = 4;
    /// <summary>False, for tests: requests of a room go to all instances in turn.</summary>
    public bool RoomAffinity { get; init; } = true;

    public static GatewayOptions Read(IConfiguration configuration) => new()
    {
        AccessLogEvery = configuration.GetValue("ARMADA_ACCESS_LOG_EVERY", 0),
    };
}
