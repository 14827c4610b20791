using System.Globalization;
using Matrix.ClientApi.Rooms;
using Matrix.Primitives;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Notifications;

/// <summary>What the user was notified of. Spec: client-server-api/#listing-notifications</summary>
internal static class NotificationEndpoints
{
    // Synapse's numbers.
    private const int DefaultLimit = 50;
    private const int MaxLimit = 500;

    public static void MapNotifications(this ClientRoutes routes) =>
        routes.Get(ClientVersions.R0V3Unstable, "/notifications", List).Named("get_notifications");

    private static async Task<IResult> List(
        string? from, string? limit, string? only, Requester requester, NotificationList list, EventAnswers answers, CancellationToken ct)
    {
        var page = await list.PageAsync(requester.UserId, From(from), Limit(limit), only == "highlight", ct);
        var renderer = await answers.RendererAsync(requester, page.Notifications.Select(n => n.Event), ct);
        return MatrixResults.Object(w =>
        {
            if (page.Next is { } next) w.WriteString("next_token"u8, next.ToString(CultureInfo.InvariantCulture));
            w.WriteStartArray("notifications"u8);
            foreach (var n in page.Notifications)
            {
                w.WriteStartObject();
                w.WriteString("room_id"u8, n.Event.Pdu.RoomId);
                // Synapse: always there (null), for rules have had no tags for long; it is a string, though.
                w.WriteString("profile_tag"u8, "");
                w.WriteBoolean("read"u8, n.IsRead);
                w.WriteNumber("ts"u8, n.Event.ReceivedTsMs);
                w.WritePropertyName("actions"u8);
                w.WriteRawValue(n.Rule.Actions.Json.Span, skipInputValidation: true);
                w.WritePropertyName("event"u8);
                using var json = new PooledBuffer(1024);
                renderer.Write(json, n.Event);
                w.WriteRawValue(json.Written, skipInputValidation: true);
                w.WriteEndObject();
            }
            w.WriteEndArray();
        });
    }

    /// <summary>The page begins below this position of stream events.</summary>
    private static long From(string? from) => from switch
    {
        null or "" => long.MaxValue,
        _ when long.TryParse(from, NumberStyles.None, CultureInfo.InvariantCulture, out var position) => position,
        _ => throw MatrixError.InvalidParam("'from' is no token of this endpoint").AsException(),
    };

    private static int Limit(string? limit) => limit switch
    {
        null or "" => DefaultLimit,
        _ when int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 => Math.Min(number, MaxLimit),
        _ => throw MatrixError.InvalidParam("'limit' must be a positive integer").AsException(),
    };
}
