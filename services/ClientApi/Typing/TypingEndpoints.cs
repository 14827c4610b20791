using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Storage.Ephemeral;
using Matrix.Storage.Rooms;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Typing;

/// <summary>Typing notifications. Spec: client-server-api/#typing-notifications</summary>
internal static class TypingEndpoints
{
    private const long DefaultTimeoutMs = 30_000;
    private const long MaxTimeoutMs = 120_000;

    public static void MapTyping(this ClientRoutes routes) =>
        routes.Put(ClientVersions.ApiV1R0V3Unstable, "/rooms/{roomId}/typing/{userId}", Put).Named("set_typing");

    private static async Task<IResult> Put(
        RoomId roomId, UserId userId, JsonBody body, Requester requester, RoomReader rooms, IStreamPublisher publisher, TimeProvider clock, CancellationToken ct)
    {
        requester.RequireSelf(userId, "Cannot set another user's typing state");
        var request = body.AsObject();
        var typing = request.BoolOrNull("typing") ?? throw MatrixError.MissingParam("Missing 'typing' parameter").AsException();
        var timeout = Math.Clamp(request.IntOrNull("timeout") ?? DefaultTimeoutMs, 0, MaxTimeoutMs);
        if (await rooms.MembershipAsync(roomId.Value, userId.Value, ct) is not { Membership: "join" })
            throw MatrixError.Forbidden("You are not joined to the room.").AsException();
        var row = new TypingRow(userId.Value, typing, typing ? clock.GetUtcNow().ToUnixTimeMilliseconds() + timeout : 0);
        await publisher.PublishEphemeralAsync(Replication.Streams.Typing, TypingRow.Key(roomId.Value, userId.Value), row.Encode(), ct);
        return MatrixResults.Empty;
    }
}
