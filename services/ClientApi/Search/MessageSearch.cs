using System.Collections.Immutable;
using Matrix.ClientApi.Rooms;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Storage.Events;
using Matrix.Storage.Relations;
using Matrix.Storage.Rooms;
using Matrix.Storage.Search;

namespace Matrix.ClientApi.Search;

/// <param name="View">The room as the user may see it.</param>
internal sealed record SearchResult(StoredEvent Event, double Rank, RoomView View);

/// <param name="Last">The last hit that was looked at, for the token of the next page; null: there is no more.</param>
internal sealed record SearchPage(List<SearchResult> Results, long Count, (double Rank, long Position)? Last);

/// <summary>Finds events for a user in the rooms that he is in or has left. Spec: client-server-api/#server-side-search</summary>
internal sealed class MessageSearch(SearchStore store, EventReader events, EventVisibility visibility, RoomReader rooms, RoomAccess access, RelationReader relations)
{
    /// <summary>Hits looked at for one page: a word that stands everywhere but where the user may look must not read everything.</summary>
    private const int MaxScanned = 2_000;
    private const int MaxCount = 10_000;
    /// <summary>Rooms that replaced each other, one after the other.</summary>
    private const int MaxUpgrades = 20;

    public async Task<SearchPage> FindAsync(SearchRequest request, UserId user, IReadOnlySet<string> ignored, CancellationToken ct)
    {
        var stays = (await rooms.MembershipsOfUserAsync(user.Value, ct)).FindAll(m =>
            m.Membership is Memberships.Join or Memberships.Leave or Memberships.Ban && !m.Forgotten);
        if (request.Filter.Rooms is { } named) request = request with { Filter = request.Filter with { Rooms = await WithReplacedAsync(named, stays, ct) } };
        var memberships = stays.FindAll(m =>
            request.Filter.MatchesRoom(m.RoomId) && (request.Token.RoomId is not { } only || only == m.RoomId));
        if (request.Query is null || memberships.Count == 0 || request.Kinds.Count == 0) return new SearchPage([], 0, null);
        var senders = request.Token.Sender is { } sender ? [sender] : request.Filter.Senders is { } wanted ? wanted.ToArray() : (string[]?)null;
        var range = new SearchRange(
            request.Query.Text, memberships.ConvertAll(m => m.RoomNid), request.Kinds, senders, request.ByRank,
            request.Token.IsFirst ? null : (request.Token.Rank, request.Token.Position));

        var count = await store.CountAsync(range, MaxCount, ct);
        var results = new List<SearchResult>(request.Limit);
        var views = new Dictionary<long, RoomView?>();
        for (var scanned = 0; scanned < MaxScanned; )
        {
            var take = Math.Max(50, 2 * request.Limit);
            var hits = await store.FindAsync(range, take, ct);
            var shown = await VisibleAsync(hits, request, user, ignored, ct);
            foreach (var hit in hits)
            {
                if (!shown.TryGetValue(hit.EventNid, out var e)) continue;
                if (!views.TryGetValue(hit.RoomNid, out var view)) views[hit.RoomNid] = view = await access.FindAsync(e.Pdu.RoomId, user, ct);
                if (view is null) continue;
                if (results.Count == request.Limit) return new SearchPage(results, count, range.After);
                results.Add(new SearchResult(e, hit.Rank, view));
                range = range with { After = (hit.Rank, hit.Position) };
            }
            if (hits.Count < take) return new SearchPage(results, count, null);
            range = range with { After = (hits[^1].Rank, hits[^1].Position) };
            scanned += hits.Count;
        }
        return new SearchPage(results, count, range.After);
    }

    // Synapse: whoever searches a room searches those that it replaced too, where he was in them.
    private async Task<ImmutableArray<string>> WithReplacedAsync(ImmutableArray<string> named, List<MembershipRecord> stays, CancellationToken ct)
    {
        var all = new HashSet<string>(named, StringComparer.Ordinal);
        var newer = stays.FindAll(m => all.Contains(m.RoomId));
        for (var i = 0; i < MaxUpgrades && newer.Count > 0; i++)
        {
            var replaced = new HashSet<string>(StringComparer.Ordinal);
            foreach (var create in await rooms.CurrentStateAsync(newer.ConvertAll(m => m.RoomNid), [new StateKey(EventTypes.Create, "")], ct))
                if (StateContent.Predecessor(create.Pdu) is { } roomId && all.Add(roomId)) replaced.Add(roomId);
            newer = stays.FindAll(m => replaced.Contains(m.RoomId));
        }
        return [.. all];
    }

    private async Task<Dictionary<long, StoredEvent>> VisibleAsync(
        List<SearchHit> hits, SearchRequest request, UserId user, IReadOnlySet<string> ignored, CancellationToken ct)
    {
        var stored = await events.ByNidsAsync(hits.ConvertAll(h => h.EventNid), ct);
        // The index may lag behind a redaction.
        var wanted = stored.FindAll(e => e.RedactedBy is null && request.Filter.Matches(e.Pdu) && (e.Pdu.IsState || !ignored.Contains(e.Pdu.Sender)));
        if (request.Filter.AsksForRelated)
        {
            var related = await relations.RelatedAsync(
                [.. wanted.Select(e => (e.RoomNid, e.Pdu.EventId))], request.Filter.RelatedByRelTypes?.ToArray(), request.Filter.RelatedBySenders?.ToArray(), long.MaxValue, ct);
            wanted.RemoveAll(e => !related.Contains(e.Pdu.EventId));
        }
        // Nor is an event found by words that the user may not read.
        return (await visibility.FilterAsync(user, wanted, ct)).Where(e => !e.IsPruned).DistinctBy(e => e.EventNid).ToDictionary(e => e.EventNid);
    }
}
