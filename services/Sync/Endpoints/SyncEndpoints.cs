using Matrix.Sync.Answers;
using Matrix.Sync.Engine;
using Matrix.Sync.Filters;
using Matrix.Sync.Presence;
using Matrix.Web.Auth;
using Matrix.Web.Routing;

namespace Matrix.Sync.Endpoints;

/// <summary>Spec: client-server-api/#syncing</summary>
internal static class SyncEndpoints
{
    public static void MapSyncV3(this ClientRoutes routes) =>
        routes.Get(ClientVersions.R0V3, "/sync", Get).AllowGuests().Named("sync");

    private static async Task<IResult> Get(
        SyncQuery query, Requester requester, SyncHandler handler, FilterBook filters, PresenceKeeper presence, CancellationToken ct)
    {
        var userId = requester.UserId.Value;
        var filter = await filters.FindAsync(userId, query.Filter, ct);
        using var seen = await presence.BeginAsync(userId, requester.DeviceId, query.SetPresence, ct);
        var request = new SyncRequest(userId, requester.DeviceId, filter, query.Since, query.FullState, query.UseStateAfter)
        {
            StateAfterByOldName = query.StateAfterByOldName,
        };
        return new BufferResult(await handler.HandleAsync(request, query.Timeout, ct));
    }
}
