using Matrix.Events;
using Matrix.Primitives;
using Matrix.Sync.Answers;
using Matrix.Sync.Endpoints;
using Matrix.Sync.Engine;
using Matrix.Sync.Presence;
using Matrix.Sync.Rooms;
using Matrix.Sync.Store;
using Matrix.Sync.Users;
using Matrix.Web.Auth;
using Matrix.Web.Routing;

namespace Matrix.Sync.Legacy;

/// <summary>What there was before /sync. Spec: openapi/client-server/old_sync.yaml, peeking_events.yaml</summary>
internal static class LegacyEndpoints
{
    /// <summary>Synapse: what it takes where nothing is said.</summary>
    private const int DefaultLimit = 10;

    public static void MapLegacySync(this ClientRoutes routes)
    {
        routes.Get(ClientVersions.ApiV1R0V3Unstable, "/events", Events).AllowGuests().Named("events");
        routes.Get(ClientVersions.ApiV1R0V3Unstable, "/initialSync", InitialSync).Named("initial_sync");
    }

    private static async Task<IResult> Events(
        LegacyQuery query, Requester requester, SyncState state, SyncHandler handler, PeekHandler peeks, UserTable users, PresenceKeeper presence,
        ISyncStore store, CancellationToken ct)
    {
        var userId = requester.UserId.Value;
        if (query.RoomId is null && requester.IsGuest) throw MatrixError.Unknown(400, "Guest users must specify room_id").AsException();
        var since = query.From ?? await NowAsync(state, handler, ct);
        using var seen = await presence.BeginAsync(userId, requester.DeviceId, "online", ct);
        var limit = Math.Min(query.Limit ?? DefaultLimit, EventsForm.MaxLimit);
        if (query.RoomId is { } roomId && !await IsJoinedAsync(state, users, requester, roomId, ct))
            return new BufferResult(await peeks.HandleAsync(userId, roomId, since, limit, query.Timeout, ct));
        var filter = query.RoomId is { } only ? Filter.All with { Room = RoomFilter.All with { Rooms = [only] } } : Filter.All;
        var request = new SyncRequest(userId, requester.DeviceId, filter, since, FullState: false, UseStateAfter: false)
        {
            ExactTimelineLimit = SyncRequest.MaxTimelineLimit,
        };
        return new BufferResult(await handler.HandleAsync(request, new EventsForm(limit, store), query.Timeout, ct));
    }

    /// <summary>Who names no token begins with what comes next.</summary>
    private static async Task<Positions> NowAsync(SyncState state, SyncHandler handler, CancellationToken ct)
    {
        await handler.ReachDatabaseAsync(ct);
        using (state.Read()) return state.Now;
    }

    private static async ValueTask<bool> IsJoinedAsync(SyncState state, UserTable users, Requester requester, string roomId, CancellationToken ct)
    {
        var (user, _) = await users.PinAsync(requester.UserId.Value, requester.DeviceId, ct);
        try
        {
            using (state.Read()) return user.Find(roomId) is { Membership: Membership.Join };
        }
        finally
        {
            user.Unpin();
        }
    }

    private static async Task<IResult> InitialSync(
        LegacyQuery query, Requester requester, SyncHandler handler, ISyncStore store, CancellationToken ct)
    {
        var userId = requester.UserId.Value;
        var form = new InitialSyncForm(await store.PublishedRoomsAsync(userId, ct));
        var filter = Filter.All with { Room = RoomFilter.All with { IncludeLeave = query.Archived } };
        var request = new SyncRequest(userId, requester.DeviceId, filter, null, FullState: true, UseStateAfter: true)
        {
            ExactTimelineLimit = Math.Min(query.Limit ?? DefaultLimit, SyncRequest.MaxTimelineLimit),
        };
        return new BufferResult(await handler.HandleAsync(request, form, TimeSpan.Zero, ct));
    }
}

/// <summary>Query parameters of both.</summary>
internal sealed record LegacyQuery(Positions? From, TimeSpan Timeout, int? Limit, string? RoomId, bool Archived)
{
    public static ValueTask<LegacyQuery> BindAsync(HttpContext context)
    {
        var query = new QueryText(context.Request.Query);
        // Synapse: END is where everything stands now.
        var from = query.Of("from") is { Length: > 0 } token && token != "END" ? Positions.Of(StreamToken.FromClient(token, "from")) : (Positions?)null;
        var roomId = query.Of("room_id");
        if (roomId is not null && !roomId.StartsWith('!')) throw MatrixError.InvalidParam("'room_id' must be a room id.").AsException();
        return ValueTask.FromResult(new LegacyQuery(from, query.Timeout("timeout"), query.Number("limit"), roomId, query.Bool("archived")));
    }
}
