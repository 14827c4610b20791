using Matrix.Events;
using Matrix.Primitives;

namespace Matrix.Rooms;

/// <summary>
/// How long messages are shown. Rooms say it by <c>m.room.retention</c> (MSC1763), the configuration for those that do not, and within which bounds.
/// Synapse: state events stay, and nothing of it holds unless the feature is switched on.
/// </summary>
/// <param name="DefaultMaxMs">For rooms that say nothing; null: no end.</param>
/// <param name="AllowedMinMs">What a room says is at least this; null: as it says.</param>
/// <param name="AllowedMaxMs">And at most this; null: as it says.</param>
public sealed record MessageRetention(long? DefaultMaxMs, long? AllowedMinMs, long? AllowedMaxMs)
{
    public const string EventType = "m.room.retention";

    /// <summary>As configured; null: it is not switched on.</summary>
    public static MessageRetention? Of(bool isEnabled, TimeSpan? defaultMax, TimeSpan? allowedMin, TimeSpan? allowedMax)
    {
        static long? Milliseconds(TimeSpan? time) => time is { } t ? (long)t.TotalMilliseconds : null;
        return isEnabled ? new(Milliseconds(defaultMax), Milliseconds(allowedMin), Milliseconds(allowedMax)) : null;
    }

    /// <summary>Null: messages of a room with that event (null: none) are kept for good.</summary>
    public long? MaxLifetimeMs(Pdu? retention)
    {
        if (retention is null || !CanonicalValue.TryInteger(retention.ContentValue("max_lifetime"u8), out var said) || said < 0) return DefaultMaxMs;
        if (AllowedMinMs is { } min && said < min) said = min;
        return AllowedMaxMs is { } max && said > max ? max : said;
    }
}
