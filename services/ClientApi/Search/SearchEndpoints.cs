using System.Buffers;
using System.Text.Json;
using Matrix.ClientApi.Rooms;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Storage.Search;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;
using Microsoft.AspNetCore.Mvc;

namespace Matrix.ClientApi.Search;

/// <summary>Full text search over messages, names and topics. Spec: client-server-api/#server-side-search</summary>
internal static class SearchEndpoints
{
    public static void MapMessageSearch(this ClientRoutes routes) => routes.Post(ClientVersions.ApiV1R0V3Unstable, "/search", Search).Named("search");

    private static async Task<IResult> Search(
        [FromQuery(Name = "next_batch")] string? nextBatch, JsonBody body, Requester requester, MessageSearch search, SearchSurroundings surroundings, EventAnswers answers,
        CancellationToken ct)
    {
        var categories = body.AsObject().ObjectOrNull("search_categories") ?? throw MatrixError.MissingParam("Missing 'search_categories' parameter").AsException();
        if (categories.ObjectOrNull("room_events") is not { } criteria) return MatrixResults.Object(w => { w.WriteStartObject("search_categories"u8); w.WriteEndObject(); });
        var request = SearchRequest.Read(criteria, nextBatch);
        var ignored = await answers.IgnoredAsync(requester, ct);
        var page = await search.FindAsync(request, requester.UserId, ignored, ct);
        var around = request.Context is null ? null : await surroundings.OfAsync(page.Results, request.Context, requester.UserId, ct);
        var state = request.IncludeState ? await surroundings.StateAsync(page.Results, ct) : null;

        var views = page.Results.Select(r => r.View).DistinctBy(v => v.RoomNid).ToDictionary(v => v.RoomNid, v => new ViewReach(v.UpTo, v.Standing.Member));
        List<StoredEvent> shown = [.. page.Results.Select(r => r.Event), .. around?.Values.SelectMany(a => a.Before.Concat(a.After)) ?? []];
        var renderer = await answers.BundlingRendererAsync(requester, e => views[e.RoomNid], shown, [.. state?.Values.SelectMany(s => s) ?? []], ignored, ct);
        return MatrixResults.Object(w =>
        {
            w.WriteStartObject("search_categories"u8);
            w.WriteStartObject("room_events"u8);
            Write(w, request, page, renderer, around, state);
            w.WriteEndObject();
            w.WriteEndObject();
        });
    }

    private static void Write(
        Utf8JsonWriter w, SearchRequest request, SearchPage page, EventRenderer renderer, Dictionary<string, Surroundings>? around,
        Dictionary<string, List<StoredEvent>>? state)
    {
        w.WriteNumber("count"u8, page.Count);
        w.WriteStartArray("highlights"u8);
        foreach (var word in Highlights(request, page)) w.WriteStringValue(word);
        w.WriteEndArray();
        w.WriteStartArray("results"u8);
        foreach (var result in page.Results)
        {
            w.WriteStartObject();
            w.WriteNumber("rank"u8, result.Rank);
            WriteEvent(w, "result", renderer, result.Event);
            if (around?.GetValueOrDefault(result.Event.Pdu.EventId) is { } a) WriteContext(w, renderer, a);
            w.WriteEndObject();
        }
        w.WriteEndArray();
        if (state is not null)
        {
            w.WriteStartObject("state"u8);
            foreach (var (room, events) in state) WriteEvents(w, room, renderer, events);
            w.WriteEndObject();
        }
        var token = page.Last is { } last ? new SearchToken(last.Rank, last.Position, request.Token.RoomId, request.Token.Sender) : null;
        if (request.GroupByRoom || request.GroupBySender)
        {
            w.WriteStartObject("groups"u8);
            if (request.GroupByRoom) WriteGroups(w, "room_id", page, e => e.Pdu.RoomId, room => token is null ? null : token with { RoomId = room });
            if (request.GroupBySender) WriteGroups(w, "sender", page, e => e.Pdu.Sender, sender => token is null ? null : token with { Sender = sender });
            w.WriteEndObject();
        }
        if (token is not null) w.WriteString("next_batch"u8, token.ToString());
    }

    private static void WriteGroups(Utf8JsonWriter w, string name, SearchPage page, Func<StoredEvent, string> keyOf, Func<string, SearchToken?> tokenOf)
    {
        w.WriteStartObject(name);
        var order = 0;
        foreach (var group in page.Results.GroupBy(r => keyOf(r.Event), StringComparer.Ordinal))
        {
            w.WriteStartObject(group.Key);
            w.WriteNumber("order"u8, ++order);
            w.WriteStartArray("results"u8);
            foreach (var result in group) w.WriteStringValue(result.Event.Pdu.EventId);
            w.WriteEndArray();
            if (tokenOf(group.Key) is { } token) w.WriteString("next_batch"u8, token.ToString());
            w.WriteEndObject();
        }
        w.WriteEndObject();
    }

    private static void WriteContext(Utf8JsonWriter w, EventRenderer renderer, Surroundings around)
    {
        w.WriteStartObject("context"u8);
        w.WriteString("start"u8, around.Start.ToString());
        w.WriteString("end"u8, around.End.ToString());
        WriteEvents(w, "events_before", renderer, around.Before);
        WriteEvents(w, "events_after", renderer, around.After);
        if (around.Profiles is { } profiles)
        {
            w.WriteStartObject("profile_info"u8);
            foreach (var member in profiles)
            {
                w.WriteStartObject(member.Pdu.StateKey!);
                if (member.Pdu.ContentString("displayname"u8) is { } name) w.WriteString("displayname"u8, name);
                if (member.Pdu.ContentString("avatar_url"u8) is { } avatar) w.WriteString("avatar_url"u8, avatar);
                w.WriteEndObject();
            }
            w.WriteEndObject();
        }
        w.WriteEndObject();
    }

    private static void WriteEvents(Utf8JsonWriter w, string name, EventRenderer renderer, IReadOnlyList<StoredEvent> events)
    {
        using var buffer = new PooledBuffer(4096);
        renderer.WriteArray(buffer, events);
        w.WritePropertyName(name);
        w.WriteRawValue(buffer.Written, skipInputValidation: true);
    }

    private static void WriteEvent(Utf8JsonWriter w, string name, EventRenderer renderer, StoredEvent e)
    {
        using var buffer = new PooledBuffer(4096);
        renderer.Write(buffer, e);
        w.WritePropertyName(name);
        w.WriteRawValue(buffer.Written, skipInputValidation: true);
    }

    private static IEnumerable<string> Highlights(SearchRequest request, SearchPage page) => request.Query is not { } query ? []
        : page.Results.SelectMany(r => SearchableText.Of(r.Event.Pdu) is { } found ? SearchTokens.Highlighted(found.Text, query.Words) : [])
            .Distinct(StringComparer.Ordinal).Take(100);
}
