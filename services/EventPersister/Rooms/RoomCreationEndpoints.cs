using Matrix.Crypto;
using Matrix.ServiceDefaults;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.EventPersister.Rooms;

/// <summary>Creating rooms. Spec: client-server-api/#creation</summary>
internal static class RoomCreationEndpoints
{
    public static void MapRoomCreation(this ClientRoutes routes) =>
        routes.Post(ClientVersions.ApiV1R0V3Unstable, "/createRoom", Create).Named("create_room");

    private static async Task<IResult> Create(
        Requester requester, JsonBody body, RoomCreation creation, ServerIdentity server, HomeserverConfig config, CancellationToken ct)
    {
        var plan = RoomPlan.Read(body.AsObjectOrEmpty(), requester.UserId.Value, server.ServerName, config.DefaultRoomVersion);
        var roomId = await creation.CreateAsync(plan, ct);
        return MatrixResults.Object(w => w.WriteString("room_id", roomId));
    }
}
