using System.Text.Json;
using Matrix.Primitives;
using Matrix.Sync.Endpoints;
using Matrix.Sync.Presence;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.Sync.Sliding;

/// <summary>Sliding sync: as accepted, and by the path and names of its first implementation, which clients use today. Spec: MSC4186</summary>
internal static class SlidingEndpoints
{
    public static void MapSlidingSync(this ClientRoutes routes)
    {
        routes.Map("POST", "/_matrix/client/v4/sync", Stable).AllowGuests().Named("sliding_sync");
        routes.Map("POST", "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync", Unstable).AllowGuests().Named("sliding_sync_unstable");
    }

    private static Task<IResult> Stable(JsonBody body, Requester requester, SlidingHandler handler, PresenceKeeper presence, CancellationToken ct)
    {
        var request = body.AsObject();
        var timeout = request.IntOrNull("timeout") ?? 0;
        if (timeout < 0) throw MatrixError.InvalidParam("'timeout' must not be negative.").AsException();
        var wanted = QueryText.PresenceState("set_presence", request.StringOrNull("set_presence"));
        return AnswerAsync(request, request.StringOrNull("pos"), QueryText.Bounded(timeout), wanted, isStable: true, requester, handler, presence, ct);
    }

    private static Task<IResult> Unstable(
        UnstableQuery query, JsonBody body, Requester requester, SlidingHandler handler, PresenceKeeper presence, CancellationToken ct) =>
        AnswerAsync(body.AsObjectOrEmpty(), query.Pos, query.Timeout, query.Presence, isStable: false, requester, handler, presence, ct);

    private static async Task<IResult> AnswerAsync(
        JsonElement body, string? pos, TimeSpan timeout, string wanted, bool isStable, Requester requester, SlidingHandler handler, PresenceKeeper presence,
        CancellationToken ct)
    {
        var userId = requester.UserId.Value;
        var request = new SlidingRequestReader(userId, isStable).Read(body, requester.DeviceId);
        using var seen = await presence.BeginAsync(userId, requester.DeviceId, wanted, ct);
        return new BufferResult(await handler.HandleAsync(request, pos, timeout, ct));
    }

    private sealed record UnstableQuery(string? Pos, TimeSpan Timeout, string Presence)
    {
        public static ValueTask<UnstableQuery> BindAsync(HttpContext context)
        {
            var query = new QueryText(context.Request.Query);
            return ValueTask.FromResult(new UnstableQuery(query.Of("pos"), query.Timeout("timeout"), query.Presence("set_presence")));
        }
    }
}
