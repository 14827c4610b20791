using Matrix.ClientApi.Rooms;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Events;

namespace Matrix.ClientApi.Search;

/// <param name="Profiles">Member events of those who speak, as they were then; null: not asked for.</param>
internal sealed record Surroundings(List<StoredEvent> Before, List<StoredEvent> After, StreamToken Start, StreamToken End, List<StoredEvent>? Profiles);

/// <summary>What stands around the results of a search.</summary>
internal sealed class SearchSurroundings(RoomPager pager, RoomSnapshotReader snapshots)
{
    /// <summary>By event id.</summary>
    public async Task<Dictionary<string, Surroundings>> OfAsync(List<SearchResult> results, SearchContext context, UserId user, CancellationToken ct)
    {
        var all = new Dictionary<string, Surroundings>(StringComparer.Ordinal);
        foreach (var (e, _, view) in results)
        {
            var position = e.Position!.Value;
            var before = await PageAsync(view, user, new PageRequest(true, position - 1, null, context.Before, EventFilter.All), ct);
            var after = await PageAsync(view, user, new PageRequest(false, position, null, context.After, EventFilter.All), ct);
            var profiles = context.IncludeProfile ? await pager.MembersForAsync([e, .. before.Events, .. after.Events], ct) : null;
            all[e.Pdu.EventId] = new Surroundings(
                before.Events, after.Events, StreamToken.After(before.Edge), StreamToken.After(after.Edge), profiles);
        }
        return all;
    }

    private async Task<RoomPage> PageAsync(RoomView view, UserId user, PageRequest request, CancellationToken ct) =>
        request.Limit == 0 ? new RoomPage([], request.From!.Value, true) : await pager.ReadAsync(view, user, request, ct);

    /// <summary>State of the rooms of the results, by room id.</summary>
    public async Task<Dictionary<string, List<StoredEvent>>> StateAsync(List<SearchResult> results, CancellationToken ct)
    {
        var state = new Dictionary<string, List<StoredEvent>>(StringComparer.Ordinal);
        foreach (var (_, _, view) in results)
            if (!state.ContainsKey(view.RoomId)) state[view.RoomId] = await snapshots.StateAsync(view, ct);
        return state;
    }
}
