using System.Collections.Frozen;

namespace Matrix.Events;

/// <summary>State resolution v1, v2 and v2.1, chosen by the room version. Pure. Spec: rooms/v2, rooms/v12#state-resolution</summary>
public static class StateResolver
{
    /// <summary>
    /// Resolves state sets (key to event id). <paramref name="fetch"/> returns an event by id, null when it is not known (it then counts as
    /// rejected). The result does not depend on the order of the sets.
    /// </summary>
    /// <param name="context">Needed where third-party invites are in conflict: without it they are refused.</param>
    /// <param name="authEventsOf">
    /// The auth events of an event by id, null when it is not known: lets a caller that keeps the auth graph answer without loading events.
    /// Whole auth chains are walked through it, while <paramref name="fetch"/> is asked for conflicted events and their neighbours only.
    /// Null: the events are fetched.
    /// </param>
    public static IReadOnlyDictionary<StateKey, string> Resolve(
        RoomVersion version, IReadOnlyList<IReadOnlyDictionary<StateKey, string>> stateSets, Func<string, Pdu?> fetch, Func<string, bool> isRejected,
        IAuthContext? context = null, Func<string, IReadOnlyList<string>?>? authEventsOf = null)
    {
        var sets = Distinct(stateSets);
        if (sets.Count == 0) return FrozenDictionary<StateKey, string>.Empty;
        if (sets.Count == 1) return sets[0];
        var split = new SplitStates(sets);
        return split.Any
            ? split.With(ResolveConflicts(version, split.Conflicts, split, new AuthGraph(fetch, authEventsOf), fetch, isRejected, context)) : split.With([]);
    }

    /// <summary>
    /// The same for a caller that has compared the states itself: <paramref name="conflicts"/> has what each of them holds at the keys on which they
    /// differ (or of which some have nothing). The result has those keys only; a key that is not in it has no event any more.
    /// </summary>
    /// <param name="graph">Of the room; what it learns is of use the next time. Events that are not known to it count as rejected.</param>
    public static Dictionary<StateKey, string> ResolveConflicts(
        RoomVersion version, IReadOnlyList<IReadOnlyDictionary<StateKey, string>> conflicts, IAgreedState agreed, AuthGraph graph, Func<string, Pdu?> fetch,
        Func<string, bool> isRejected, IAuthContext? context = null) =>
        version.Resolution == StateResolution.V1
            ? new ResolutionV1(conflicts, agreed, fetch, context).Resolve()
            : new ResolutionV2(version, conflicts, agreed, graph, isRejected, context).Resolve();

    private static List<IReadOnlyDictionary<StateKey, string>> Distinct(IReadOnlyList<IReadOnlyDictionary<StateKey, string>> stateSets)
    {
        var distinct = new List<IReadOnlyDictionary<StateKey, string>>(stateSets.Count);
        foreach (var set in stateSets)
        {
            var known = false;
            foreach (var other in distinct) known |= ReferenceEquals(set, other);
            if (!known) distinct.Add(set);
        }
        return distinct;
    }
}
