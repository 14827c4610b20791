using System.Buffers;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.EventPersister.State;

/// <summary>
/// Single state events, read where they are written (the documented pattern names no method). Whole state is read at ClientApi.
/// Spec: openapi/client-server/rooms.yaml
/// </summary>
internal static class StateEndpoints
{
    public static void MapState(this ClientRoutes routes)
    {
        const ClientVersions All = ClientVersions.ApiV1R0V3Unstable;
        routes.Get(All, "/rooms/{roomId}/state/{eventType}/{stateKey}", Get).AllowGuests().Named("get_state");
        routes.Get(All, "/rooms/{roomId}/state/{eventType}", GetWithoutKey).AllowGuests().Named("get_state_without_key");
    }

    private static Task<IResult> GetWithoutKey(
        string roomId, string eventType, string? format, Requester requester, SingleState state, TimeProvider clock, CancellationToken ct) =>
        Get(roomId, eventType, "", format, requester, state, clock, ct);

    private static async Task<IResult> Get(
        string roomId, string eventType, string stateKey, string? format, Requester requester, SingleState state, TimeProvider clock, CancellationToken ct)
    {
        if (format is not (null or "content" or "event")) throw MatrixError.InvalidParam("'format' must be content or event").AsException();
        var e = await state.FindAsync(roomId, requester.UserId, new StateKey(eventType, stateKey), ct)
            ?? throw MatrixError.NotFound("Event not found.").AsException();
        if (format != "event") return MatrixResults.Raw(e.Pdu.Content);
        var buffer = new ArrayBufferWriter<byte>(e.Pdu.Json.Length + 256);
        ClientEvent.Write(buffer, e.Pdu, new ClientEventOptions
        {
            AgeMs = clock.GetUtcNow().ToUnixTimeMilliseconds() - e.Pdu.OriginServerTs, PrevContent = e.PrevContent, ReplacesState = e.ReplacesEventId, PrevSender = e.PrevSender,
        });
        return MatrixResults.Raw(buffer.WrittenMemory);
    }
}

/// <summary>A state event as a user may see it: of the present for those who are in, of their last day for those who left.</summary>
internal sealed class SingleState(RoomReader rooms, StateReader states, EventReader events)
{
    /// <summary>Null: there is no such state. Throws when he may not know.</summary>
    public async Task<StoredEvent?> FindAsync(string roomId, UserId user, StateKey key, CancellationToken ct)
    {
        var member = await rooms.MembershipAsync(roomId, user.Value, ct);
        if (member is { Membership: Memberships.Join }) return await rooms.CurrentStateAsync(member.RoomNid, key, ct);
        var roomNid = member?.RoomNid ?? (await rooms.FindAsync(roomId, ct))?.RoomNid;
        if (roomNid is { } nid && await rooms.CurrentStateAsync(nid, new StateKey(EventTypes.HistoryVisibility, ""), ct) is { } visibility
            && HistoryVisibilities.Read(visibility.Pdu.Content.Span) == HistoryVisibility.WorldReadable)
            return await rooms.CurrentStateAsync(nid, key, ct);
        if (member is { Membership: Memberships.Leave or Memberships.Ban, Forgotten: false })
        {
            var left = (await events.ByNidsAsync([member.EventNid], ct)).FirstOrDefault();
            // An invitation that was turned down leaves nothing to look at.
            if (left?.SnapshotNid is { } snapshot && StateContent.Membership(left.PrevContent.Span) == Memberships.Join)
                return (await states.EventsAsync(snapshot, [key], ct)).FirstOrDefault();
        }
        throw MatrixError.Forbidden($"User {user} not in room {roomId}, and room previews are disabled").AsException();
    }
}
