using Matrix.ClientApi.Rooms;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Storage.Events;
using Matrix.Storage.Relations;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Relations;

/// <summary>Children of events, and threads. Spec: client-server-api/#relationships-api, #querying-threads-in-a-room</summary>
internal static class RelationEndpoints
{
    public static void MapRelations(this ClientRoutes routes)
    {
        const ClientVersions v = ClientVersions.V1 | ClientVersions.Unstable;
        routes.Get(v, "/rooms/{roomId}/relations/{eventId}", GetChildren).AllowGuests().Named("get_relations");
        routes.Get(v, "/rooms/{roomId}/relations/{eventId}/{relType}", GetChildren).AllowGuests().Named("get_relations_of_type");
        routes.Get(v, "/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}", GetChildren).AllowGuests().Named("get_relations_of_event_type");
        routes.Get(ClientVersions.V1, "/rooms/{roomId}/threads", GetThreads).Named("get_threads");
    }

    private static async Task<IResult> GetChildren(
        string roomId, string eventId, string? relType, string? eventType, [AsParameters] ChildrenQuery query, Requester requester, ChildrenPager pager,
        EventLookup lookup, EventAnswers answers, CancellationToken ct)
    {
        var request = query.ToRequest(relType, eventType);
        var (view, parent) = await lookup.RequireAsync(roomId, eventId, requester.UserId, ct);
        var page = await pager.ReadAsync(view, parent, requester.UserId, request, ct);
        var answer = new AnswerBuffer(await answers.BundlingRendererAsync(requester, view, page.Events, [], ct))
            .Events("chunk"u8, page.Events)
            .Token("next_batch"u8, page.Next is { } next ? StreamToken.After(next) : null)
            .Token("prev_batch"u8, request.FromToken);
        if (request.Recurse is not null) answer.Number("recursion_depth"u8, page.Depth);
        return answer.Answer();
    }

    private static async Task<IResult> GetThreads(
        string roomId, string? include, int? limit, string? from, Requester requester, RoomAccess access, RelationReader relations, EventReader events,
        EventVisibility visibility, EventAnswers answers, CancellationToken ct)
    {
        if (include is not (null or "all" or "participated")) throw MatrixError.InvalidParam("'include' must be 'all' or 'participated'").AsException();
        var wanted = ChildrenQuery.LimitOf(limit);
        var start = ChildrenQuery.PositionOf(from, "from") ?? long.MaxValue;
        var view = await access.RequireAsync(roomId, requester.UserId, ct);
        var roots = await relations.ThreadRootsAsync(
            view.RoomNid, view.UpTo, start, requester.UserId.Value, include == "participated", view.Ignored, wanted + 1, ct);
        var hasMore = roots.Count > wanted;
        if (hasMore) roots.RemoveAt(wanted);
        var stored = (await events.ByNidsAsync(roots.ConvertAll(r => r.RootNid), ct)).DistinctBy(e => e.EventNid).ToDictionary(e => e.EventNid);
        // What relates to something else begins no thread.
        var shown = roots.ConvertAll(r => stored[r.RootNid]).FindAll(e => EventRelation.Read(e.Pdu) is null);
        shown = (await visibility.FilterAsync(requester.UserId, shown, [view.Standing], ct)).ConvertAll(e => view.Ignored.Contains(e.Pdu.Sender) ? e with { Pdu = e.Pdu.Redacted() } : e);
        return new AnswerBuffer(await answers.BundlingRendererAsync(requester, view, shown, [], ct))
            .Events("chunk"u8, shown)
            .Token("next_batch"u8, hasMore ? StreamToken.Before(roots[^1].Latest) : null).Answer();
    }
}

/// <summary>Query of <c>/relations</c>.</summary>
internal sealed record ChildrenQuery(string? From, string? To, int? Limit, string? Dir, bool? Recurse)
{
    private const int DefaultLimit = 50;
    private const int MaxLimit = 500;

    public ChildrenRequest ToRequest(string? relType, string? eventType)
    {
        if (Dir is not (null or "f" or "b")) throw MatrixError.InvalidParam("'dir' must be 'f' or 'b'").AsException();
        return new ChildrenRequest(
            relType, eventType, Dir is not "f", PositionOf(From, "from"), PositionOf(To, "to"), LimitOf(Limit), Recurse,
            string.IsNullOrEmpty(From) ? null : StreamToken.FromClient(From, "from"));
    }

    public static int LimitOf(int? limit) =>
        limit is null ? DefaultLimit : limit < 1 ? throw MatrixError.InvalidParam("'limit' must be greater than zero").AsException() : Math.Min(limit.Value, MaxLimit);

    public static long? PositionOf(string? token, string parameter) =>
        string.IsNullOrEmpty(token) ? null
        : StreamToken.FromClient(token, parameter).Events ?? throw MatrixError.InvalidParam($"Invalid '{parameter}' token.").AsException();
}

internal sealed record ChildrenRequest(
    string? RelType, string? EventType, bool Backwards, long? From, long? To, int Limit, bool? Recurse, StreamToken? FromToken);

/// <param name="Next">Position of the token of the next page; null: there is none.</param>
/// <param name="Depth">How deep relations were followed.</param>
internal sealed record ChildrenPage(List<StoredEvent> Events, long? Next, int Depth);

/// <summary>Reads children of an event as a user may see them.</summary>
internal sealed class ChildrenPager(RelationReader relations, EventReader events, EventVisibility visibility)
{
    /// <summary>The specification asks for at least as much.</summary>
    private const int MaxDepth = 3;

    public async Task<ChildrenPage> ReadAsync(
        RoomView view, StoredEvent parent, UserId user, ChildrenRequest request, CancellationToken ct)
    {
        var (after, upTo) = request.Backwards
            ? (request.To ?? long.MinValue, Math.Min(request.From ?? long.MaxValue, view.UpTo))
            : (request.From ?? long.MinValue, Math.Min(request.To ?? long.MaxValue, view.UpTo));
        var depth = request.Recurse == true ? MaxDepth : 1;
        var children = await relations.ChildrenAsync(
            view.RoomNid, parent.Pdu.EventId, request.RelType, request.EventType, depth, (after, upTo), request.Backwards, request.Limit + 1, ct);
        var hasMore = children.Count > request.Limit;
        if (hasMore) children.RemoveAt(request.Limit);
        var stored = (await events.ByNidsAsync(children.ConvertAll(c => c.EventNid), ct)).DistinctBy(e => e.EventNid).ToDictionary(e => e.EventNid);
        var found = children.ConvertAll(c => stored[c.EventNid]);
        var visible = await visibility.FilterAsync(user, found.FindAll(e => e.Pdu.IsState || !view.Ignored.Contains(e.Pdu.Sender)), [view.Standing], ct);
        var last = hasMore ? found[^1].Position : null;
        // A page may be short of what the user may not see; it goes on where it was cut.
        return new ChildrenPage(visible, request.Backwards ? last - 1 : last, request.Recurse == true ? children.Select(c => c.Depth).DefaultIfEmpty(0).Max() : 1);
    }
}
