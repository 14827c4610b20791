namespace Matrix.Storage.DelayedEvents;

/// <summary>An event to be sent later.</summary>
/// <param name="StateKey">Null: no state event.</param>
/// <param name="OriginTsMs">Chosen by an application service; null: when it is sent.</param>
/// <param name="ScheduledTsMs">Scheduled, or restarted last.</param>
public sealed record DelayedEvent(
    string DelayId, string UserId, string RoomId, string Type, string? StateKey, ReadOnlyMemory<byte> Content, long? OriginTsMs, long DelayMs, long ScheduledTsMs)
{
    /// <summary>Device under which transactions of delayed events stand, so that sending one twice sends it once. No device has this name.</summary>
    public const string Device = "\u001bdelayed";

    /// <summary>Null: still scheduled.</summary>
    public long? FinalisedTsMs { get; init; }
    /// <summary>The event that it became.</summary>
    public string? EventId { get; init; }
    /// <summary>Standard error response.</summary>
    public ReadOnlyMemory<byte> Error { get; init; }
}

/// <summary>What became of a change that somebody asked for.</summary>
public enum DelayedChange
{
    Done,
    /// <summary>There is no such event of that user.</summary>
    Unknown,
    /// <summary>It has been sent, or is being sent.</summary>
    Sent,
    /// <summary>It was cancelled, by a user or by an error.</summary>
    Cancelled,
}
