using System.Diagnostics;

namespace Matrix.Replication;

/// <summary>An ordered log that other services follow. docs/streams.md is its vocabulary.</summary>
/// <param name="Name">Key in <c>stream_counters</c> and channel name on the bus.</param>
/// <param name="IsEphemeral">Positions and rows live on the bus only (Redis, or memory in the monolith), not in PostgreSQL.</param>
public sealed record StreamDefinition(string Name, bool IsEphemeral = false)
{
    public override string ToString() => Name;
}

/// <summary>Every stream there is. Adding one: docs/streams.md.</summary>
public static class Streams
{
    /// <summary>Events in commit order. Key: room id. Payload: <c>EventRow</c>.</summary>
    public static readonly StreamDefinition Events = new("events");
    /// <summary>Key: room id. Payload: ReceiptRow.</summary>
    public static readonly StreamDefinition Receipts = new("receipts");
    /// <summary>Key: user id. Payload: AccountDataRow (room id, empty for global; type).</summary>
    public static readonly StreamDefinition AccountData = new("account_data");
    /// <summary>Key: user id. Payload: ToDeviceRow (device id).</summary>
    public static readonly StreamDefinition ToDevice = new("to_device");
    /// <summary>Key: user id whose devices or keys changed. Payload: DeviceListRow.</summary>
    public static readonly StreamDefinition DeviceLists = new("device_lists");
    /// <summary>Key: user id.</summary>
    public static readonly StreamDefinition PushRules = new("push_rules");
    /// <summary>Key: user id.</summary>
    public static readonly StreamDefinition Pushers = new("pushers");
    /// <summary>Key: what is no longer valid, such as <c>token:HASH</c>, <c>user:ID</c>, <c>profile:ID</c>, <c>ignored:ID</c>.</summary>
    public static readonly StreamDefinition Caches = new("caches");
    /// <summary>Outgoing EDUs and device-list pokes. Key: destination.</summary>
    public static readonly StreamDefinition Federation = new("federation");
    public static readonly StreamDefinition AppService = new("appservice");
    /// <summary>Key: user id whose directory entry may have changed (registration, profile, deactivation).</summary>
    public static readonly StreamDefinition UserDirectory = new("user_directory");
    /// <summary>Key: user id, space, room id. Payload: TypingRow, one user who begins or stops.</summary>
    public static readonly StreamDefinition Typing = new("typing", IsEphemeral: true);
    /// <summary>Key: user id. Payload: PresenceRow.</summary>
    public static readonly StreamDefinition Presence = new("presence", IsEphemeral: true);

    /// <summary>In the order of their names: counters are taken in this order, always.</summary>
    public static readonly IReadOnlyList<StreamDefinition> All =
        [AccountData, AppService, Caches, DeviceLists, Events, Federation, Presence, PushRules, Pushers, Receipts, ToDevice, Typing, UserDirectory];

    public static StreamDefinition? Find(string name) => All.FirstOrDefault(s => s.Name == name);
}

/// <summary>One row of a stream; rows of a frame ascend by position; several rows may share one.</summary>
public readonly record struct StreamRow(long Position, string Key, ReadOnlyMemory<byte> Payload);

/// <summary>What a writer committed: all rows with positions in (From, To].</summary>
public sealed record StreamFrame(StreamDefinition Stream, long From, long To, string Writer, IReadOnlyList<StreamRow> Rows)
{
    /// <summary>The trace that wrote it, so that what readers do with it is seen there; default when nobody traces. A hint like the frame itself.</summary>
    public ActivityContext Trace { get; init; }
}
