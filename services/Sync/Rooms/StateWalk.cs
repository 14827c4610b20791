using Matrix.Events;

namespace Matrix.Sync.Rooms;

/// <summary>
/// Walks a window from its newest event backwards and knows the state before the events that were undone. An event is undone only where it is
/// the state: one that lost against another branch changes nothing.
/// </summary>
internal struct StateWalk(RoomCache cache)
{
    private Dictionary<StateKey, StateRef>? undone;

    public readonly StateRef Get(StateKey key) => undone is not null && undone.TryGetValue(key, out var r) ? r : cache.Current(key);

    public void Undo(in Slot slot)
    {
        foreach (var move in slot.Moves ?? [])
            if (Get(move.Key).Nid == move.NowNid) (undone ??= [])[move.Key] = move.Before;
        if (slot.Event.StateKey is null) return;
        var key = slot.Event.Key;
        if (Get(key).Nid == slot.Event.Nid) (undone ??= [])[key] = slot.Replaced;
    }

    /// <summary>Keys at which the state differs from the current one, with their values.</summary>
    public readonly IReadOnlyDictionary<StateKey, StateRef> Undone => undone ?? Empty;

    private static readonly Dictionary<StateKey, StateRef> Empty = [];
}
