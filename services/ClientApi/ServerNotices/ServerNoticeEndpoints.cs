using System.Text;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.ServerNotices;

/// <summary>Administrators write to users in the name of the server. Synapse: admin_api/server_notices</summary>
internal static class ServerNoticeEndpoints
{
    public static void MapServerNotices(this ClientRoutes routes)
    {
        routes.Map("POST", "/_synapse/admin/v1/send_server_notice", Post).Named("admin_send_server_notice");
        routes.Map("PUT", "/_synapse/admin/v1/send_server_notice/{txnId}", Put).Named("admin_send_server_notice_with_transaction");
    }

    private static Task<IResult> Post(Requester requester, JsonBody body, NoticeSender sender, AccountStore accounts, HomeserverConfig config, CancellationToken ct) =>
        Put(null, requester, body, sender, accounts, config, ct);

    private static async Task<IResult> Put(
        string? txnId, Requester requester, JsonBody body, NoticeSender sender, AccountStore accounts, HomeserverConfig config, CancellationToken ct)
    {
        requester.RequireAdmin();
        if (!sender.IsEnabled) throw MatrixError.Unknown(400, "Server notices are not enabled on this server").AsException();
        var o = body.AsObject();
        if (!UserId.TryParse(o.RequiredString("user_id"), null, out var user)) throw MatrixError.InvalidParam("'user_id' is not a user id").AsException();
        var content = o.ObjectOrNull("content") ?? throw MatrixError.MissingParam("Missing 'content' parameter").AsException();
        var type = o.StringOrNull("type") ?? EventTypes.Message;
        // What makes the room what it is is not for notices.
        if (type is EventTypes.Create or EventTypes.Member or EventTypes.PowerLevels) throw MatrixError.Forbidden($"No notice is an {type}.").AsException();
        if (user.Server != config.ServerName) throw MatrixError.Unknown(400, "Server notices can only be sent to local users").AsException();
        if (await accounts.FindForLoginAsync(user.Value, user.Value, ct) is not { Deactivated: false }) throw MatrixError.NotFound("User not found").AsException();
        var notice = new Notice(user.Value, type, o.StringOrNull("state_key"), Encoding.UTF8.GetBytes(content.GetRawText()))
        {
            TxnId = txnId, TxnOwner = requester.UserId.Value,
        };
        var (_, eventId) = await sender.SendAsync(notice, ct);
        return MatrixResults.Object(w => w.WriteString("event_id"u8, eventId));
    }
}
