using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Storage.Events;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Rooms;

/// <summary>The event closest to a time. Spec: openapi/client-server/room_event_by_timestamp.yaml</summary>
internal static class TimestampEndpoints
{
    public static void MapTimestampToEvent(this ClientRoutes routes) =>
        routes.Get(ClientVersions.V1, "/rooms/{roomId}/timestamp_to_event", Get).Named("get_event_by_timestamp");

    private static async Task<IResult> Get(
        string roomId, long? ts, string? dir, Requester requester, RoomAccess access, ClosestEvents times, CancellationToken ct)
    {
        if (ts is null) throw MatrixError.MissingParam("Missing 'ts' parameter").AsException();
        // Synapse: forwards unless told otherwise.
        if (dir is not (null or "f" or "b")) throw MatrixError.InvalidParam("'dir' must be 'f' or 'b'").AsException();
        var backwards = dir == "b";
        var view = await access.RequireAsync(roomId, requester.UserId, ct);
        var found = await times.FindAsync(view, requester.UserId, ts.Value, backwards, ct)
            ?? throw MatrixError.NotFound($"Unable to find event from {ts} in {(backwards ? "backward" : "forward")} direction").AsException();
        return MatrixResults.Object(w =>
        {
            w.WriteString("event_id"u8, found.Pdu.EventId);
            w.WriteNumber("origin_server_ts"u8, found.Pdu.OriginServerTs);
        });
    }
}

/// <summary>Finds the event of a room that is closest to a time, here or on other servers.</summary>
internal sealed class ClosestEvents(EventTimes times, EventVisibility visibility, RemoteTimes remote)
{
    private const int Portion = 20;
    /// <summary>Events that are looked at for one that the user may see.</summary>
    private const int MaxScanned = 400;

    public async Task<StoredEvent?> FindAsync(RoomView view, UserId user, long ts, bool backwards, CancellationToken ct)
    {
        var local = await HereAsync(view, user, ts, backwards, ct);
        if (local?.Pdu.OriginServerTs == ts || await remote.FindAsync(view, ts, backwards, local, ct) is not { } closer) return local;
        return (await visibility.FilterAsync(user, [closer], [view.Standing], ct)).FirstOrDefault() ?? local;
    }

    private async Task<StoredEvent?> HereAsync(RoomView view, UserId user, long ts, bool backwards, CancellationToken ct)
    {
        var from = new EventTime(ts, backwards ? long.MaxValue : long.MinValue);
        for (var scanned = 0; scanned < MaxScanned; scanned += Portion)
        {
            var page = await times.NearestAsync(view.RoomNid, from, view.UpTo, backwards, Portion, ct);
            if ((await visibility.FilterAsync(user, page, [view.Standing], ct)).FirstOrDefault() is { } found) return found;
            if (page.Count < Portion) break;
            from = new EventTime(page[^1].Pdu.OriginServerTs, page[^1].Position!.Value);
        }
        return null;
    }
}
