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
    private const int Portion = 20;
    /// <summary>Events that are looked at for one that the user may see.</summary>
    private const int MaxScanned = 400;

    public static void MapTimestampToEvent(this ClientRoutes routes) =>
        routes.Get(ClientVersions.V1, "/rooms/{roomId}/timestamp_to_event", Get).AllowGuests().Named("get_event_by_timestamp");

    private static async Task<IResult> Get(
        string roomId, long? ts, string? dir, Requester requester, RoomAccess access, EventTimes times, EventVisibility visibility, CancellationToken ct)
    {
        if (ts is null) throw MatrixError.MissingParam("Missing 'ts' parameter").AsException();
        // Synapse: forwards unless told otherwise.
        if (dir is not (null or "f" or "b")) throw MatrixError.InvalidParam("'dir' must be 'f' or 'b'").AsException();
        var backwards = dir == "b";
        var view = await access.RequireAsync(roomId, requester.UserId, ct);
        var from = new EventTime(ts.Value, backwards ? long.MaxValue : long.MinValue);
        for (var scanned = 0; scanned < MaxScanned; scanned += Portion)
        {
            var page = await times.NearestAsync(view.RoomNid, from, view.UpTo, backwards, Portion, ct);
            if ((await visibility.FilterAsync(requester.UserId, page, [view.Standing], ct)).FirstOrDefault() is { } found)
                return MatrixResults.Object(w =>
                {
                    w.WriteString("event_id"u8, found.Pdu.EventId);
                    w.WriteNumber("origin_server_ts"u8, found.Pdu.OriginServerTs);
                });
            if (page.Count < Portion) break;
            from = new EventTime(page[^1].Pdu.OriginServerTs, page[^1].Position!.Value);
        }
        throw MatrixError.NotFound($"Unable to find event from {ts} in {(backwards ? "backward" : "forward")} direction").AsException();
    }
}
