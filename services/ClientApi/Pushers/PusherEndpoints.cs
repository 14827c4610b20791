using System.Text;
using System.Text.Json;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Storage.Pushers;
using Matrix.Storage.Streams;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Pushers;

/// <summary>Pushers of the user. Spec: client-server-api/#push-notifications</summary>
internal static class PusherEndpoints
{
    // Spec: openapi/client-server/pusher.yaml
    private const int MaxPushkeyBytes = 512;
    private const int MaxAppId = 64;
    private const int MaxText = 1024;

    public static void MapPushers(this ClientRoutes routes)
    {
        routes.Get(ClientVersions.ApiV1R0V3Unstable, "/pushers", List).Named("get_pushers");
        routes.Post(ClientVersions.ApiV1R0V3Unstable, "/pushers/set", Set).Named("set_pusher").BodyLimit(64 * 1024);
    }

    private static async Task<IResult> List(Requester requester, PusherSettingsStore store, CancellationToken ct)
    {
        var pushers = await store.ListAsync(requester.UserId.Value, ct);
        return MatrixResults.Object(w =>
        {
            w.WriteStartArray("pushers"u8);
            foreach (var p in pushers)
            {
                w.WriteStartObject();
                w.WriteString("pushkey"u8, p.Pushkey);
                w.WriteString("kind"u8, p.Kind);
                w.WriteString("app_id"u8, p.AppId);
                w.WriteString("app_display_name"u8, p.AppDisplayName);
                w.WriteString("device_display_name"u8, p.DeviceDisplayName);
                if (p.ProfileTag is { } tag) w.WriteString("profile_tag"u8, tag);
                w.WriteString("lang"u8, p.Lang);
                w.WritePropertyName("data"u8);
                w.WriteRawValue(p.Data, skipInputValidation: true);
                w.WriteEndObject();
            }
            w.WriteEndArray();
        });
    }

    private static async Task<IResult> Set(
        JsonBody body, Requester requester, PusherSettingsStore store, IStreamPublisher publisher, TimeProvider clock, CancellationToken ct)
    {
        var request = body.AsObject();
        var appId = Limited(request, "app_id", MaxAppId);
        var pushkey = request.RequiredString("pushkey");
        if (Encoding.UTF8.GetByteCount(pushkey) is 0 or > MaxPushkeyBytes) throw MatrixError.InvalidParam("Invalid 'pushkey'").AsException();
        if (!request.TryGetProperty("kind"u8, out var kind)) throw MatrixError.MissingParam("Missing 'kind' parameter").AsException();
        if (kind.ValueKind == JsonValueKind.Null)
        {
            await publisher.PublishAllAsync(await store.DeleteAsync(requester.UserId.Value, appId, pushkey, ct));
            return MatrixResults.Empty;
        }
        var data = request.ObjectOrNull("data") ?? throw MatrixError.MissingParam("Missing 'data' parameter").AsException();
        var pusher = new PusherRecord(
            appId, pushkey, KindOf(request, data), Limited(request, "app_display_name", MaxText), Limited(request, "device_display_name", MaxText),
            request.StringOrNull("profile_tag"), Limited(request, "lang", MaxText), Encoding.UTF8.GetBytes(data.GetRawText()), requester.DeviceId, true);
        var append = request.BoolOrNull("append") ?? false;
        await publisher.PublishAllAsync(await store.SetAsync(requester.UserId.Value, pusher, append, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct));
        return MatrixResults.Empty;
    }

    private static string KindOf(JsonElement request, JsonElement data)
    {
        switch (request.RequiredString("kind"))
        {
            case "http":
                var url = data.StringOrNull("url") ?? throw MatrixError.MissingParam("'url' required in data for HTTP pusher").AsException();
                if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("https" or "http"))
                    throw MatrixError.InvalidParam("'url' must be an HTTP URL").AsException();
                if (uri.AbsolutePath != "/_matrix/push/v1/notify")
                    throw MatrixError.InvalidParam("'url' must have a path of '/_matrix/push/v1/notify'").AsException();
                return "http";
            case "email":
                // An address can be pushed to once it is bound to the account; none can be bound yet.
                throw MatrixError.Custom(400, "M_THREEPID_NOT_FOUND", "The address is not bound to this account.").AsException();
            default:
                throw MatrixError.InvalidParam("Unknown kind of pusher").AsException();
        }
    }

    private static string Limited(JsonElement request, string name, int max)
    {
        var value = request.RequiredString(name);
        return value.Length <= max ? value : throw MatrixError.InvalidParam($"'{name}' is too long").AsException();
    }
}
