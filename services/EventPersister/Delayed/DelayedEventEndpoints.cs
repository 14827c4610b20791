using System.Text.Json;
using Matrix.Primitives;
using Matrix.Storage.DelayedEvents;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.EventPersister.Delayed;

/// <summary>Events that are sent later. Spec: MSC4140, under its stable and its unstable names</summary>
internal static class DelayedEventEndpoints
{
    private const string Unstable = "/_matrix/client/unstable/org.matrix.msc4140";

    public static void MapDelayedEvents(this ClientRoutes routes)
    {
        routes.Put(ClientVersions.V3, "/rooms/{roomId}/delayed_event/{eventType}/{txnId}", Schedule).AllowGuests().Named("send_delayed_event");
        routes.Map("PUT", Unstable + "/rooms/{roomId}/delayed_event/{eventType}/{txnId}", Schedule).AllowGuests().Named("send_delayed_event");
        foreach (var prefix in (ReadOnlySpan<string>)["/_matrix/client/v1", Unstable])
        {
            routes.Map("GET", prefix + "/delayed_events", List).AllowGuests().Named("get_delayed_events");
            routes.Map("GET", prefix + "/delayed_events/{delayId}", Get).AllowGuests().Named("get_delayed_event");
            routes.Map("POST", prefix + "/delayed_events/{delayId}/{action}", Act).AllowGuests().Named("change_delayed_event");
        }
        // Synapse: the first form of it.
        routes.Map("POST", Unstable + "/delayed_events/{delayId}", ActByBody).AllowGuests().Named("change_delayed_event");
    }

    private static async Task<IResult> Schedule(
        string roomId, string eventType, string txnId, string? ts, Requester requester, JsonBody body, DelayedEvents delayed, CancellationToken ct)
    {
        var o = body.AsObject();
        var delay = o.IntOrNull("delay_ms") ?? throw MatrixError.MissingParam("Missing 'delay_ms' parameter").AsException();
        var content = o.ObjectOrNull("content") ?? throw MatrixError.MissingParam("Missing 'content' parameter").AsException();
        var request = new Sending.SendRequest(roomId, eventType, o.StringOrNull("state_key"), txnId, ts, requester);
        return await delayed.ScheduleAsync(request, delay, new JsonBody(System.Text.Encoding.UTF8.GetBytes(content.GetRawText())), ct);
    }

    private static async Task<IResult> List(Requester requester, DelayedEventStore store, CancellationToken ct)
    {
        var events = await store.ScheduledAsync(requester.UserId.Value, ct);
        return MatrixResults.Object(w =>
        {
            w.WriteStartArray("delayed_events"u8);
            foreach (var e in events)
            {
                w.WriteStartObject();
                Write(w, e);
                w.WriteEndObject();
            }
            w.WriteEndArray();
        });
    }

    private static async Task<IResult> Get(string delayId, Requester requester, DelayedEventStore store, CancellationToken ct)
    {
        var e = await store.FindAsync(delayId, requester.UserId.Value, ct) ?? throw DelayedEvents.NotFound();
        return MatrixResults.Object(w => Write(w, e));
    }

    private static async Task<IResult> Act(string delayId, string action, Requester requester, DelayedEvents delayed, CancellationToken ct)
    {
        await delayed.ActAsync(delayId, action, requester.UserId.Value, ct);
        return MatrixResults.Empty;
    }

    private static Task<IResult> ActByBody(string delayId, Requester requester, JsonBody body, DelayedEvents delayed, CancellationToken ct) =>
        Act(delayId, body.AsObject().RequiredString("action"), requester, delayed, ct);

    /// <remarks>delay and running_since are the names of the first form.</remarks>
    private static void Write(Utf8JsonWriter w, DelayedEvent e)
    {
        w.WriteString("delay_id"u8, e.DelayId);
        w.WriteString("room_id"u8, e.RoomId);
        w.WriteString("type"u8, e.Type);
        if (e.StateKey is not null) w.WriteString("state_key"u8, e.StateKey);
        w.WriteNumber("delay_ms"u8, e.DelayMs);
        w.WriteNumber("delay"u8, e.DelayMs);
        w.WriteNumber("scheduled_at"u8, e.ScheduledTsMs);
        w.WriteNumber("running_since"u8, e.ScheduledTsMs);
        w.WritePropertyName("content"u8);
        w.WriteRawValue(e.Content.Span, skipInputValidation: true);
        if (e.FinalisedTsMs is { } finalised) w.WriteNumber("finalised_ts"u8, finalised);
        if (e.EventId is not null) w.WriteString("event_id"u8, e.EventId);
        if (e.Error.IsEmpty) return;
        w.WritePropertyName("error"u8);
        w.WriteRawValue(e.Error.Span, skipInputValidation: true);
    }
}
