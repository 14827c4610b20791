namespace Matrix.Replication.Buses;

/// <summary>How long and how much of an ephemeral stream is kept for those who come late.</summary>
internal static class EphemeralRetention
{
    /// <summary>Newest keys of a stream that are kept.</summary>
    public const int MaxKeys = 10_000;

    /// <summary>Typing ends by itself within the time that the client gave (the spec suggests 30 s); presence is refreshed by its writer.</summary>
    public static TimeSpan Of(StreamDefinition stream) => stream == Streams.Typing ? TimeSpan.FromMinutes(2) : TimeSpan.FromHours(1);
}
