namespace Matrix.Events;

/// <summary>State resolution v1, v2 and v2.1, chosen by the room version. Pure. Spec: rooms/v2, rooms/v12#state-resolution</summary>
public static class StateResolver
{
    /// <summary>
    /// Resolves state sets (key to event id). <paramref name="fetch"/> returns an event by id, null when it is not known (it then counts as
    /// rejected). The result does not depend on the order of the sets.
    /// </summary>
    public static IReadOnlyDictionary<StateKey, string> Resolve(
        RoomVersion version, IReadOnlyList<IReadOnlyDictionary<StateKey, string>> stateSets, Func<string, Pdu?> fetch, Func<string, bool> isRejected)
        => throw new NotImplementedException();
}
