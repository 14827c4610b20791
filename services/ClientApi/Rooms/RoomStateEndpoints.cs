using System.Buffers;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;
using Matrix.Web.AppServices;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Rooms;

/// <summary>State and members of rooms. Spec: client-server-api/#getting-events-for-a-room, openapi/client-server/rooms.yaml</summary>
internal static class RoomStateEndpoints
{
    private static readonly string[] KnownMemberships = [Memberships.Join, Memberships.Invite, Memberships.Leave, Memberships.Ban, Memberships.Knock];

    public static void MapRoomState(this ClientRoutes routes)
    {
        const ClientVersions v = ClientVersions.ApiV1R0V3Unstable;
        routes.Get(v, "/rooms/{roomId}/state", GetState).AllowGuests().Named("get_room_state");
        routes.Get(v, "/rooms/{roomId}/members", GetMembers).AllowGuests().Named("get_members");
        routes.Get(v, "/rooms/{roomId}/joined_members", GetJoinedMembers).Named("get_joined_members");
        routes.Get(v, "/joined_rooms", GetJoinedRooms).AllowGuests().Named("get_joined_rooms");
    }

    private static async Task<IResult> GetState(
        string roomId, Requester requester, RoomAccess access, RoomSnapshotReader snapshot, EventAnswers answers, CancellationToken ct)
    {
        var state = await snapshot.StateAsync(await access.RequireAsync(roomId, requester.UserId, ct), ct);
        var buffer = new ArrayBufferWriter<byte>(16 * 1024);
        (await answers.RendererAsync(requester, state, ct)).WriteArray(buffer, state);
        return MatrixResults.Raw(buffer.WrittenMemory);
    }

    private static async Task<IResult> GetMembers(
        string roomId, string? at, string? membership, [Microsoft.AspNetCore.Mvc.FromQuery(Name = "not_membership")] string? notMembership,
        Requester requester, RoomAccess access, MemberLists members, EventAnswers answers, CancellationToken ct)
    {
        foreach (var value in (string?[])[membership, notMembership])
            if (value is not null && !KnownMemberships.Contains(value)) throw MatrixError.InvalidParam("Unknown membership").AsException();
        var view = await access.RequireAsync(roomId, requester.UserId, ct);
        var position = at is null ? null : StreamToken.FromClient(at, "at").Events;
        // Both together are an "or". Spec: openapi/client-server/rooms.yaml, not_membership
        var wanted = KnownMemberships.Where(m => (membership is null && notMembership is null) || m == membership || (notMembership is not null && m != notMembership)).ToArray();
        var list = await members.GetAsync(view, position, wanted, ct);
        return new AnswerBuffer(await answers.RendererAsync(requester, list, ct)).Events("chunk"u8, list).Answer();
    }

    private static async Task<IResult> GetJoinedMembers(
        string roomId, Requester requester, RoomAccess access, MemberLists members, AppServiceRegistrations services, CancellationToken ct)
    {
        var service = requester.AppServiceId is { } id ? services.All.FirstOrDefault(s => s.Id == id) : null;
        var list = service is not null && await members.OfServiceAsync(roomId, service, ct) is { } seen ? seen
            : await members.GetAsync(await access.RequireJoinedAsync(roomId, requester.UserId, ct), null, [Memberships.Join], ct);
        return MatrixResults.Object(w =>
        {
            w.WriteStartObject("joined"u8);
            foreach (var e in list)
            {
                w.WriteStartObject(e.Pdu.StateKey!);
                // Synapse: both are always there, null when the member has none.
                w.WriteString("display_name"u8, e.Pdu.ContentString("displayname"u8));
                w.WriteString("avatar_url"u8, e.Pdu.ContentString("avatar_url"u8));
                w.WriteEndObject();
            }
            w.WriteEndObject();
        });
    }

    private static async Task<IResult> GetJoinedRooms(Requester requester, MembershipStore memberships, CancellationToken ct)
    {
        var joined = await memberships.JoinedRoomsAsync(requester.UserId.Value, ct);
        return MatrixResults.Object(w =>
        {
            w.WriteStartArray("joined_rooms"u8);
            foreach (var room in joined) w.WriteStringValue(room);
            w.WriteEndArray();
        });
    }
}

/// <summary>Member events of a room, of the present or of some point of its history.</summary>
internal sealed class MemberLists(RoomReader rooms, StateReader states, EventReader events)
{
    /// <summary>Joined members, if any of them is a user of that service; else null. Spec: openapi/client-server/rooms.yaml, joined_members</summary>
    public async Task<List<StoredEvent>?> OfServiceAsync(string roomId, AppServiceRegistration service, CancellationToken ct)
    {
        if (await rooms.FindAsync(roomId, ct) is not { } room) return null;
        var joined = await rooms.MembersAsync(room.RoomNid, [Memberships.Join], ct);
        return joined.Exists(m => service.IsInterestedInUser(m.UserId)) ? await events.ByNidsAsync(joined.ConvertAll(m => m.EventNid), ct) : null;
    }

    /// <param name="at">Position in stream events after which the members are wanted; null: the newest that the view shows.</param>
    public async Task<List<StoredEvent>> GetAsync(RoomView view, long? at, string[] memberships, CancellationToken ct)
    {
        if (at is null && view.Departure is null)
        {
            var members = await rooms.MembersAsync(view.RoomNid, memberships, ct);
            return await events.ByNidsAsync(members.ConvertAll(m => m.EventNid), ct);
        }
        var last = at is { } position
            ? (await events.TimelineAsync(view.RoomNid, long.MinValue, Math.Min(position, view.UpTo), backwards: true, 1, ct)).FirstOrDefault()
            : view.Departure;
        if (last?.SnapshotNid is not { } snapshot) return [];
        var state = await states.EventsAsync(snapshot, ct);
        return state.FindAll(e => e.Pdu.Type == EventTypes.Member && memberships.Contains(e.Pdu.Membership));
    }
}
