using System.Text.Json;
using Matrix.ClientApi.PushRules;
using Matrix.Primitives;
using Matrix.Storage.AccountData;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.AccountData;

/// <summary>Account data. Spec: client-server-api/#client-config</summary>
internal static class AccountDataEndpoints
{
    private const string Global = "/user/{userId}/account_data/{type}";
    private const string OfRoom = "/user/{userId}/rooms/{roomId}/account_data/{type}";

    public static void MapAccountData(this ClientRoutes routes)
    {
        routes.Get(ClientVersions.R0V3Unstable, Global, GetGlobal).Named("get_account_data");
        routes.Put(ClientVersions.R0V3Unstable, Global, PutGlobal).Named("set_account_data");
        routes.Get(ClientVersions.R0V3Unstable, OfRoom, GetOfRoom).Named("get_room_account_data");
        routes.Put(ClientVersions.R0V3Unstable, OfRoom, PutOfRoom).Named("set_room_account_data");
        // MSC3391, not in the specification yet.
        routes.Delete(ClientVersions.Unstable, "/org.matrix.msc3391" + Global, DeleteGlobal).Named("delete_account_data");
        routes.Delete(ClientVersions.Unstable, "/org.matrix.msc3391" + OfRoom, DeleteOfRoom).Named("delete_room_account_data");
    }

    private static async Task<IResult> GetGlobal(
        UserId userId, string type, Requester requester, AccountDataStore store, PushRuleBook rules, CancellationToken ct)
    {
        requester.RequireSelf(userId, "Cannot get account data for other users.");
        if (type == PushRuleBook.Type) return MatrixResults.Raw(await rules.GetAsync(userId, ct));
        return await AnswerAsync(store, userId, "", type, ct);
    }

    private static async Task<IResult> PutGlobal(
        UserId userId, string type, Requester requester, JsonBody body, AccountDataWriter writer, CancellationToken ct)
    {
        requester.RequireSelf(userId, "Cannot add account data for other users.");
        var content = body.AsObject();
        RequireSettable(type);
        // Synapse: who ignores himself would see none of his own messages.
        if (type == IgnoredUsers.Type && content.TryGetProperty("ignored_users"u8, out var ignored) && ignored.ValueKind == JsonValueKind.Object
            && ignored.TryGetProperty(userId.Value, out _))
            throw MatrixError.InvalidParam("You cannot ignore yourself").AsException();
        await writer.SetAsync(userId.Value, "", type, body.Bytes, ct);
        return MatrixResults.Empty;
    }

    private static async Task<IResult> GetOfRoom(
        UserId userId, RoomId roomId, string type, Requester requester, AccountDataStore store, CancellationToken ct)
    {
        requester.RequireSelf(userId, "Cannot get account data for other users.");
        return await AnswerAsync(store, userId, roomId.Value, type, ct);
    }

    private static async Task<IResult> PutOfRoom(
        UserId userId, RoomId roomId, string type, Requester requester, JsonBody body, AccountDataWriter writer, CancellationToken ct)
    {
        requester.RequireSelf(userId, "Cannot add account data for other users.");
        body.AsObject();
        RequireSettable(type);
        await writer.SetAsync(userId.Value, roomId.Value, type, body.Bytes, ct);
        return MatrixResults.Empty;
    }

    private static async Task<IResult> DeleteGlobal(UserId userId, string type, Requester requester, AccountDataWriter writer, CancellationToken ct)
    {
        requester.RequireSelf(userId, "Cannot delete account data of other users.");
        RequireSettable(type);
        await writer.DeleteAsync(userId.Value, "", type, ct);
        return MatrixResults.Empty;
    }

    private static async Task<IResult> DeleteOfRoom(
        UserId userId, RoomId roomId, string type, Requester requester, AccountDataWriter writer, CancellationToken ct)
    {
        requester.RequireSelf(userId, "Cannot delete account data of other users.");
        RequireSettable(type);
        await writer.DeleteAsync(userId.Value, roomId.Value, type, ct);
        return MatrixResults.Empty;
    }

    private static async Task<IResult> AnswerAsync(AccountDataStore store, UserId user, string roomId, string type, CancellationToken ct) =>
        await store.GetAsync(user.Value, roomId, type, ct) is { } content
            ? MatrixResults.Raw(content) : throw MatrixError.NotFound("Account data not found").AsException();

    /// <summary>Types that the server manages. Spec: client-server-api/#put_matrixclientv3useruseridaccount_datatype</summary>
    private static void RequireSettable(string type)
    {
        var instead = type switch
        {
            "m.fully_read" => "/rooms/!roomId:server.name/read_markers",
            PushRuleBook.Type => "/pushrules",
            _ => null,
        };
        if (instead is not null) throw MatrixError.Custom(405, "M_BAD_JSON", $"Cannot set {type} through this API. Use {instead}").AsException();
    }
}
