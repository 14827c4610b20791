using Matrix.Web.RateLimits;
using System.Text.Json;
using Matrix.ClientApi.Rooms;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Accounts;
using Matrix.Storage.Reports;
using Matrix.Storage.Rooms;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Reports;

/// <summary>Reports of events, rooms and users, kept for the administrators. Spec: client-server-api/#reporting-content</summary>
internal static class ReportEndpoints
{
    private const int MaxReason = 10_000;

    public static void MapReports(this ClientRoutes routes)
    {
        const ClientVersions v = ClientVersions.R0V3Unstable;
        routes.Post(v, "/rooms/{roomId}/report/{eventId}", ReportEvent).Named("report_event").RateLimited(RateLimitRules.Reports);
        routes.Post(v, "/rooms/{roomId}/report", ReportRoom).Named("report_room").RateLimited(RateLimitRules.Reports);
        routes.Post(ClientVersions.V3, "/users/{userId}/report", ReportUser).Named("report_user").RateLimited(RateLimitRules.Reports);
    }

    private static async Task<IResult> ReportEvent(
        string roomId, string eventId, JsonBody body, Requester requester, EventLookup lookup, ReportStore reports, TimeProvider clock, CancellationToken ct)
    {
        var o = body.AsObjectOrEmpty();
        var (reason, score) = (Reason(o), o.IntOrNull("score"));
        if (score is < int.MinValue or > int.MaxValue) throw MatrixError.BadJson("'score' is out of range").AsException();
        var notThere = MatrixError.NotFound("The event was not found or you are not joined to the room.");
        var (view, _) = await lookup.RequireAsync(roomId, eventId, requester.UserId, ct, notThere);
        if (!view.IsJoined) throw notThere.AsException();
        await AddAsync(reports, new NewReport(requester.UserId.Value, roomId, eventId, null, reason, (int?)score, Raw(o)), clock, ct);
        return MatrixResults.Empty;
    }

    private static async Task<IResult> ReportRoom(
        string roomId, JsonBody body, Requester requester, RoomReader rooms, ReportStore reports, TimeProvider clock, CancellationToken ct)
    {
        var o = body.AsObject();
        var reason = Required(o);
        if (await rooms.FindAsync(roomId, ct) is null) throw MatrixError.NotFound("The room was not found.").AsException();
        await AddAsync(reports, new NewReport(requester.UserId.Value, roomId, null, null, reason, null, Raw(o)), clock, ct);
        return MatrixResults.Empty;
    }

    private static async Task<IResult> ReportUser(
        string userId, JsonBody body, Requester requester, AccountStore accounts, ReportStore reports, ServiceDefaults.HomeserverConfig config,
        TimeProvider clock, CancellationToken ct)
    {
        var o = body.AsObject();
        var reason = Required(o);
        if (!UserId.TryParse(userId, null, out var target)) throw MatrixError.InvalidParam("Not a user id").AsException();
        // Synapse: whether there is such a user is not told.
        if (!target.Value.EndsWith(":" + config.ServerName, StringComparison.Ordinal) || await accounts.ExistsAsync(target.Value, ct))
            await AddAsync(reports, new NewReport(requester.UserId.Value, null, null, target.Value, reason, null, Raw(o)), clock, ct);
        return MatrixResults.Empty;
    }

    private static Task<long> AddAsync(ReportStore reports, NewReport report, TimeProvider clock, CancellationToken ct) =>
        reports.AddAsync(report, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct);

    private static string? Reason(JsonElement o) =>
        o.StringOrNull("reason") is { } reason && (reason.Length > MaxReason || reason.Contains('\0'))
            ? throw MatrixError.BadJson($"'reason' must be text of at most {MaxReason} characters").AsException() : o.StringOrNull("reason");

    private static string Required(JsonElement o) => Reason(o) ?? throw MatrixError.MissingParam("Missing 'reason' parameter").AsException();

    private static byte[] Raw(JsonElement o) => System.Text.Encoding.UTF8.GetBytes(o.GetRawText());
}
