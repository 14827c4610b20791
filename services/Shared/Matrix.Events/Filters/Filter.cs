using System.Collections.Immutable;
using Matrix.Primitives;

namespace Matrix.Events;

public enum EventFormat { Client, Federation }

/// <summary>Filters of the rooms part of a sync. <see cref="Rooms"/> and <see cref="NotRooms"/> come before the others.</summary>
public sealed record RoomFilter
{
    public static RoomFilter All { get; } = new();

    public ImmutableArray<string>? Rooms { get; init; }
    public ImmutableArray<string> NotRooms { get; init; } = [];
    public bool IncludeLeave { get; init; }
    public EventFilter State { get; init; } = EventFilter.All;
    public EventFilter Timeline { get; init; } = EventFilter.All;
    public EventFilter Ephemeral { get; init; } = EventFilter.All;
    public EventFilter AccountData { get; init; } = EventFilter.All;

    public bool MatchesRoom(string roomId) => !NotRooms.Contains(roomId) && (Rooms is not { } rooms || rooms.Contains(roomId));

    public bool Equals(RoomFilter? other) => ReferenceEquals(this, other);
    public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);
}

/// <summary>What reading a filter gave: the filter, or what is wrong with it (one sentence for the client).</summary>
public readonly record struct FilterVerdict<T>(T? Value, string? Fault) where T : class;

/// <summary>The filter of <c>/sync</c>. Spec: openapi/client-server/definitions/sync_filter.yaml</summary>
public sealed record Filter
{
    /// <summary>No filter at all.</summary>
    public static Filter All { get; } = new();

    /// <summary>Null: whole events.</summary>
    public EventFields? EventFields { get; init; }
    public EventFormat EventFormat { get; init; }
    public EventFilter Presence { get; init; } = EventFilter.All;
    public EventFilter AccountData { get; init; } = EventFilter.All;
    public RoomFilter Room { get; init; } = RoomFilter.All;

    public bool Equals(Filter? other) => ReferenceEquals(this, other);
    public override int GetHashCode() => System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(this);

    /// <summary>Reads a filter from any JSON. Unknown members are ignored, null counts as absent.</summary>
    public static FilterVerdict<Filter> Parse(ReadOnlySpan<byte> json)
    {
        using var canonical = CanonicalPdu.TryOf(json);
        if (canonical is null) return new(null, "The filter is not a JSON object.");
        var reader = new FilterReader();
        var filter = reader.Filter(canonical.Written);
        return reader.Fault is { } fault ? new(null, fault) : new(filter, null);
    }

    /// <summary>Reads one room event filter, as <c>/messages</c>, <c>/context</c> and <c>/search</c> take it.</summary>
    public static FilterVerdict<EventFilter> ParseEventFilter(ReadOnlySpan<byte> json)
    {
        using var canonical = CanonicalPdu.TryOf(json);
        if (canonical is null) return new(null, "The filter is not a JSON object.");
        var reader = new FilterReader();
        var filter = reader.EventFilter("filter", canonical.Written, ofRooms: true);
        return reader.Fault is { } fault ? new(null, fault) : new(filter, null);
    }
}
