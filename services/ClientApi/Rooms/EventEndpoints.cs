using System.Buffers;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Rooms;

/// <summary>Single events, their surroundings, aliases, and forgetting. Spec: client-server-api/#getting-events-for-a-room, #event-context</summary>
internal static class EventEndpoints
{
    public static void MapRoomEvents(this ClientRoutes routes)
    {
        const ClientVersions v = ClientVersions.ApiV1R0V3Unstable;
        routes.Get(v, "/rooms/{roomId}/event/{eventId}", GetEvent).AllowGuests().Named("get_event");
        routes.Get(v, "/events/{eventId}", GetEventAlone).AllowGuests().Named("get_one_event");
        routes.Get(v, "/rooms/{roomId}/context/{eventId}", GetContext).AllowGuests().Named("get_event_context");
        routes.Post(v, "/rooms/{roomId}/forget", Forget).Named("forget_room");
        routes.Put(v, "/rooms/{roomId}/forget/{txnId}", Forget).Named("forget_room_with_transaction");
        routes.Get(ClientVersions.R0V3, "/rooms/{roomId}/aliases", GetAliases).Named("get_room_aliases");
    }

    private static async Task<IResult> GetEvent(
        string roomId, string eventId, Requester requester, EventLookup lookup, EventAnswers answers, CancellationToken ct)
    {
        var (view, e) = await lookup.RequireAsync(roomId, eventId, requester.UserId, ct);
        var buffer = new ArrayBufferWriter<byte>(e.Pdu.Json.Length + 512);
        (await answers.BundlingRendererAsync(requester, view, [e], [], ct)).Write(buffer, e);
        return MatrixResults.Raw(buffer.WrittenMemory);
    }

    /// <summary>Deprecated. Spec: openapi/client-server/old_sync.yaml</summary>
    private static async Task<IResult> GetEventAlone(
        string eventId, Requester requester, EventReader events, EventLookup lookup, EventAnswers answers, CancellationToken ct)
    {
        var e = (await events.ByIdsAsync([eventId], ct)).FirstOrDefault() ?? throw EventLookup.NotFound();
        return await GetEvent(e.Pdu.RoomId, eventId, requester, lookup, answers, ct);
    }

    private static async Task<IResult> GetContext(
        string roomId, string eventId, int? limit, string? filter, Requester requester, EventLookup lookup, RoomPager pager, EventAnswers answers,
        CancellationToken ct)
    {
        var wanted = PageRequest.LimitOf(limit);
        var eventFilter = PageRequest.FilterOf(filter);
        // Synapse: forbidden where the event itself would be said not to exist.
        var hidden = MatrixError.Forbidden("You don't have permission to access that event.");
        var (view, e) = await lookup.RequireAsync(roomId, eventId, requester.UserId, ct, hidden);
        if (e.Position is not { } position) throw EventLookup.NotFound();
        var before = await pager.ReadAsync(view, requester.UserId, new PageRequest(true, position - 1, null, wanted / 2, eventFilter), ct);
        var after = await pager.ReadAsync(view, requester.UserId, new PageRequest(false, position, null, wanted - (wanted / 2), eventFilter), ct);
        var last = after.Events.Count > 0 ? after.Events[^1] : e;
        List<StoredEvent> shown = [e, .. before.Events, .. after.Events];
        var state = await pager.StateForAsync(last, shown, eventFilter, ct);
        return new AnswerBuffer(await answers.BundlingRendererAsync(requester, view, shown, state, ct))
            .Event("event"u8, e).Events("events_before"u8, before.Events).Events("events_after"u8, after.Events).Events("state"u8, state)
            .Token("start"u8, StreamToken.After(before.Edge)).Token("end"u8, StreamToken.After(after.Edge)).Answer();
    }

    private static async Task<IResult> Forget(string roomId, Requester requester, RoomReader rooms, MembershipStore memberships, CancellationToken ct)
    {
        var member = await rooms.MembershipAsync(roomId, requester.UserId.Value, ct);
        if (member is { Membership: not (Memberships.Leave or Memberships.Ban) })
            throw MatrixError.Unknown(400, $"User {requester.UserId} in room {roomId}").AsException();
        if (member is not null) await memberships.ForgetAsync(roomId, requester.UserId.Value, ct);
        return MatrixResults.Empty;
    }

    private static async Task<IResult> GetAliases(
        string roomId, Requester requester, RoomAccess access, Storage.RoomDirectory.RoomDirectoryStore directory, CancellationToken ct)
    {
        var view = await access.RequireAsync(roomId, requester.UserId, ct);
        // Who has left sees what anybody sees of the room, and aliases have no history.
        if (view.Departure is not null) throw MatrixError.Forbidden("You are not joined to the room.").AsException();
        var aliases = await directory.AliasesOfRoomAsync(roomId, ct);
        return MatrixResults.Object(w =>
        {
            w.WriteStartArray("aliases"u8);
            foreach (var alias in aliases) w.WriteStringValue(alias.Alias);
            w.WriteEndArray();
        });
    }
}

/// <summary>Finds an event for a user.</summary>
internal sealed class EventLookup(RoomAccess access, EventReader events, EventVisibility visibility)
{
    /// <summary>
    /// The event as the user may see it. M_NOT_FOUND for one that does not exist or is of another room; <paramref name="hidden"/>, else the same, when he may not.
    /// </summary>
    public async Task<(RoomView View, StoredEvent Event)> RequireAsync(
        string roomId, string eventId, UserId user, CancellationToken ct, MatrixError? hidden = null)
    {
        var e = (await events.ByIdsAsync([eventId], ct)).FirstOrDefault();
        if (e is null || e.Pdu.RoomId != roomId) throw NotFound();
        if (await access.FindAsync(e, user, ct) is { } view && await visibility.FilterAsync(user, [e], [view.Standing], ct) is [var shown]) return (view, shown);
        throw hidden?.AsException() ?? NotFound();
    }

    public static MatrixException NotFound() => MatrixError.NotFound("Event not found.").AsException();
}
