using Matrix.FederationInbound.Authentication;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.FederationInbound.Rooms;

/// <summary>The event closest to a time, for another server. Spec: openapi/server-server/events.yaml, timestamp_to_event</summary>
internal static class TimestampEndpoints
{
    public static void MapTimestampToEvent(this ClientRoutes routes)
    {
        routes.Map("GET", "/_matrix/federation/v1/timestamp_to_event/{roomId}", FindAsync).Anonymous().Named("federation_event_by_timestamp");
        // Synapse: as above.
        routes.Map("GET", "/_matrix/federation/unstable/org.matrix.msc3030/timestamp_to_event/{roomId}", FindAsync).Anonymous().Named("federation_event_by_timestamp");
    }

    private static async Task<IResult> FindAsync(
        string roomId, long? ts, string? dir, FederationRequest request, RoomAccess access, EventTimes times, CancellationToken ct)
    {
        if (ts is null) throw MatrixError.MissingParam("Missing 'ts' parameter").AsException();
        if (dir is not ("f" or "b")) throw MatrixError.InvalidParam("'dir' must be 'f' or 'b'").AsException();
        var backwards = dir == "b";
        var room = await access.RequireAsync(roomId, request.Origin, ct);
        // Which events there are is no secret between servers of a room: what may be seen of one is judged when it is asked for.
        var found = (await times.NearestAsync(room.RoomNid, new EventTime(ts.Value, backwards ? long.MaxValue : long.MinValue), long.MaxValue, backwards, 1, ct)).FirstOrDefault()
            ?? throw MatrixError.NotFound($"Unable to find event from {ts} in {(backwards ? "backward" : "forward")} direction").AsException();
        return MatrixResults.Object(w =>
        {
            w.WriteString("event_id"u8, found.Pdu.EventId);
            w.WriteNumber("origin_server_ts"u8, found.Pdu.OriginServerTs);
        });
    }
}
