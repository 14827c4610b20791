using Matrix.FederationInbound.Authentication;
using Matrix.Primitives;
using Matrix.Rooms.Spaces;
using Matrix.Storage.Spaces;
using Matrix.Web.Json;
using Matrix.Web.Routing;
using Microsoft.AspNetCore.Mvc;

namespace Matrix.FederationInbound.Rooms;

/// <summary>Spaces as other servers read them. Spec: server-server-api/#spaces</summary>
internal static class SpaceEndpoints
{
    private const int MaxChildren = 500;

    public static void MapSpaces(this ClientRoutes routes)
    {
        routes.Map("GET", "/_matrix/federation/v1/hierarchy/{roomId}", HierarchyAsync).Anonymous().Named("federation_hierarchy");
        // Synapse: where other servers asked before the specification had it.
        routes.Map("GET", "/_matrix/federation/unstable/org.matrix.msc2946/hierarchy/{roomId}", HierarchyAsync).Anonymous().Named("federation_hierarchy");
    }

    private static async Task<IResult> HierarchyAsync(
        string roomId, [FromQuery(Name = "suggested_only")] bool? suggestedOnly, FederationRequest request, RoomAccess access, RoomSummaries summaries, RoomFactsReader facts,
        CancellationToken ct)
    {
        var root = (await summaries.OpenToServerAsync(await summaries.OfAsync([roomId], null, ct), request.Origin, ct)).FirstOrDefault()
            ?? throw MatrixError.NotFound("Unknown room").AsException();
        if (!await access.IsAllowedAsync(root.RoomNid, request.Origin, ct)) throw MatrixError.Forbidden("Server is banned from room").AsException();
        var children = await ChildrenAsync([root], suggestedOnly ?? false, facts, ct);
        var ids = children(root).Select(c => c.RoomId).Take(MaxChildren).ToList();
        var known = (await summaries.OfAsync(ids, null, ct)).FindAll(r => r.HasState);
        var open = (await summaries.OpenToServerAsync(known, request.Origin, ct)).ToDictionary(r => r.RoomId, StringComparer.Ordinal);
        var grandchildren = await ChildrenAsync(open.Values, suggestedOnly ?? false, facts, ct);
        return MatrixResults.Object(w =>
        {
            w.WritePropertyName("room"u8);
            new SpaceRoom(root, children(root)).Write(w);
            w.WriteStartArray("children"u8);
            foreach (var id in ids) if (open.TryGetValue(id, out var child)) new SpaceRoom(child, grandchildren(child)).Write(w);
            w.WriteEndArray();
            w.WriteStartArray("inaccessible_children"u8);
            foreach (var room in known) if (!open.ContainsKey(room.RoomId)) w.WriteStringValue(room.RoomId);
            w.WriteEndArray();
        });
    }

    private static async Task<Func<RoomSummary, IReadOnlyList<SpaceChild>>> ChildrenAsync(
        IReadOnlyCollection<RoomSummary> of, bool suggestedOnly, RoomFactsReader facts, CancellationToken ct)
    {
        var events = (await facts.ChildrenAsync([.. of.Where(r => r.IsSpace).Select(r => r.RoomNid)], ct)).ToLookup(e => e.RoomNid);
        return room => SpaceChild.InOrder(events[room.RoomNid].Select(SpaceChild.Of), suggestedOnly);
    }
}
