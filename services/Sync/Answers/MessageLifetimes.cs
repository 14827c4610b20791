using Matrix.Events;
using Matrix.Rooms;
using Matrix.ServiceDefaults;
using Matrix.Sync.Rooms;

namespace Matrix.Sync.Answers;

/// <summary>How long messages are shown, in each room. The same as <see cref="EventVisibility"/> says of what comes from the database.</summary>
internal sealed class MessageLifetimes(HomeserverConfig config)
{
    /// <summary>Null: for good.</summary>
    public MessageRetention? Retention { get; } = MessageRetention.Of(
        config.Retention.Enabled, config.Retention.DefaultMaxLifetime, config.Retention.AllowedLifetimeMin, config.Retention.AllowedLifetimeMax);

    /// <summary>Messages that were sent before that are not shown.</summary>
    public long OldestTsMs(RoomCache room, long nowMs) =>
        Retention?.MaxLifetimeMs(room.Current(MessageRetention.EventType)?.View) is { } lifetime ? nowMs - lifetime : long.MinValue;
}
