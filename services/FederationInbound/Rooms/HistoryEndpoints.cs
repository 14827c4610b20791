using System.Text.Json;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.FederationInbound.Authentication;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.FederationInbound.Rooms;

/// <summary>What other servers read of rooms. Spec: server-server-api/#retrieving-events, #backfilling-and-retrieving-missing-events, #pdus</summary>
internal static class HistoryEndpoints
{
    private const int MaxBackfill = 100, MaxMissing = 20, UsualMissing = 10;

    public static void MapHistory(this ClientRoutes routes)
    {
        routes.Map("GET", "/_matrix/federation/v1/event/{eventId}", EventAsync).Anonymous().Named("federation_event");
        routes.Map("GET", "/_matrix/federation/v1/state/{roomId}", StateAsync).Anonymous().Named("federation_state");
        routes.Map("GET", "/_matrix/federation/v1/state_ids/{roomId}", StateIdsAsync).Anonymous().Named("federation_state_ids");
        routes.Map("GET", "/_matrix/federation/v1/event_auth/{roomId}/{eventId}", EventAuthAsync).Anonymous().Named("federation_event_auth");
        routes.Map("GET", "/_matrix/federation/v1/backfill/{roomId}", BackfillAsync).Anonymous().Named("federation_backfill");
        routes.Map("POST", "/_matrix/federation/v1/get_missing_events/{roomId}", MissingAsync).Anonymous().Named("federation_get_missing_events");
    }

    private static async Task<IResult> EventAsync(
        string eventId, FederationRequest request, EventReader events, RoomAccess access, ServerIdentity identity, TimeProvider clock, CancellationToken ct)
    {
        var e = (await events.ByIdsAsync([eventId], ct)).FirstOrDefault() ?? throw NoEvent();
        try
        {
            await access.RequireAsync(e.Pdu.RoomId, request.Origin, ct);
        }
        catch (MatrixException refused) when (refused.Error.Status == 404)
        {
            throw NoEvent();
        }
        return Transaction(await access.ForServerAsync(e.RoomNid, request.Origin, [e], ct) is { Count: 1 } shown ? shown : throw NoEvent(), identity, clock);
    }

    private static MatrixException NoEvent() => MatrixError.NotFound("Could not find event").AsException();

    private static string Required(string? eventId) => eventId ?? throw MatrixError.MissingParam("Missing required string query parameter 'event_id'").AsException();

    private static async Task<IResult> StateAsync(string roomId, string? event_id, FederationRequest request, RoomAccess access, RoomHistory history, CancellationToken ct)
    {
        var eventId = Required(event_id);
        var room = await access.RequireAsync(roomId, request.Origin, ct);
        var (own, chain) = await history.AuthChainAsync(await history.StateBeforeAsync(await history.RequireAsync(room, eventId, ct), ct), ct);
        var pdus = await access.StateForServerAsync(room.RoomNid, request.Origin, await history.PdusAsync(room, own, ct), ct);
        var auth = await access.StateForServerAsync(room.RoomNid, request.Origin, await history.PdusAsync(room, chain, ct), ct);
        return MatrixResults.Object(w =>
        {
            Write(w, "auth_chain", auth);
            Write(w, "pdus", pdus);
        });
    }

    private static async Task<IResult> StateIdsAsync(string roomId, string? event_id, FederationRequest request, RoomAccess access, RoomHistory history, CancellationToken ct)
    {
        var eventId = Required(event_id);
        var room = await access.RequireAsync(roomId, request.Origin, ct);
        var (own, chain) = await history.AuthChainAsync(await history.StateBeforeAsync(await history.RequireAsync(room, eventId, ct), ct), ct);
        return MatrixResults.Object(w =>
        {
            Write(w, "auth_chain_ids", chain);
            Write(w, "pdu_ids", own);
        });
    }

    private static async Task<IResult> EventAuthAsync(
        string roomId, string eventId, FederationRequest request, EventReader events, RoomAccess access, RoomHistory history, CancellationToken ct)
    {
        var room = await access.RequireAsync(roomId, request.Origin, ct);
        // Of rejected events too: who asks wants to judge for himself.
        var e = (await events.ByIdsAsync([eventId], ct)).FirstOrDefault(e => e.RoomNid == room.RoomNid) ?? throw NoEvent();
        var chain = await history.PdusAsync(room, (await history.AuthChainAsync([e.EventNid], ct)).Chain, ct);
        var auth = await access.StateForServerAsync(room.RoomNid, request.Origin, chain, ct);
        return MatrixResults.Object(w => Write(w, "auth_chain", auth));
    }

    /// <param name="v">Query parameter, repeated: where to begin; these events are given too.</param>
    private static async Task<IResult> BackfillAsync(
        string roomId, string[] v, int? limit, FederationRequest request, RoomAccess access, RoomHistory history, ServerIdentity identity, TimeProvider clock, CancellationToken ct)
    {
        if (v.Length == 0) throw MatrixError.MissingParam("Missing required string query parameter 'v'").AsException();
        if (limit is not > 0) throw MatrixError.MissingParam("Missing required integer query parameter 'limit'").AsException();
        var room = await access.RequireAsync(roomId, request.Origin, ct);
        var found = await history.BackAsync(room, v, withFrom: true, [], 0, Math.Min(limit.Value, MaxBackfill), ct);
        return Transaction(await access.ForServerAsync(room.RoomNid, request.Origin, found, ct), identity, clock);
    }

    private static async Task<IResult> MissingAsync(string roomId, FederationRequest request, RoomAccess access, RoomHistory history, CancellationToken ct)
    {
        var body = request.Body.AsObject();
        var (earliest, latest) = (Texts(body, "earliest_events"), Texts(body, "latest_events"));
        var limit = Math.Clamp(Number(body, "limit") ?? UsualMissing, 1, MaxMissing);
        var room = await access.RequireAsync(roomId, request.Origin, ct);
        var found = await history.BackAsync(room, latest, withFrom: false, earliest, Number(body, "min_depth") ?? 0, (int)limit, ct);
        found.Reverse();
        var shown = await access.ForServerAsync(room.RoomNid, request.Origin, found, ct);
        return MatrixResults.Object(w => Write(w, "events", shown));
    }

    private static long? Number(JsonElement body, string name) =>
        body.TryGetProperty(name, out var n) && n.ValueKind == JsonValueKind.Number && n.TryGetInt64(out var value) ? value : null;

    private static string[] Texts(JsonElement body, string name)
    {
        const int most = 100;
        if (!body.TryGetProperty(name, out var array)) return [];
        if (array.ValueKind != JsonValueKind.Array) throw MatrixError.BadJson($"{name} is not a list.").AsException();
        return [.. array.EnumerateArray().Where(e => e.ValueKind == JsonValueKind.String).Take(most).Select(e => e.GetString()!)];
    }

    private static IResult Transaction(IReadOnlyList<Pdu> pdus, ServerIdentity identity, TimeProvider clock) => MatrixResults.Object(w =>
    {
        w.WriteString("origin", identity.ServerName);
        w.WriteNumber("origin_server_ts", clock.GetUtcNow().ToUnixTimeMilliseconds());
        Write(w, "pdus", pdus);
    });

    private static void Write(Utf8JsonWriter w, string name, IReadOnlyList<Pdu> pdus)
    {
        w.WriteStartArray(name);
        foreach (var pdu in pdus) w.WriteRawValue(pdu.Json.Span, skipInputValidation: true);
        w.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter w, string name, IReadOnlyList<string> ids)
    {
        w.WriteStartArray(name);
        foreach (var id in ids) w.WriteStringValue(id);
        w.WriteEndArray();
    }
}
