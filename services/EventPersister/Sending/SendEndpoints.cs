using Matrix.Web.RateLimits;
using System.Text.Json;
using Matrix.EventPersister.Actors;
using Matrix.EventPersister.Delayed;
using Matrix.EventPersister.Membership;
using Matrix.EventPersister.Profiles;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;
using Microsoft.AspNetCore.Mvc;

namespace Matrix.EventPersister.Sending;

/// <summary>Sending events. Spec: client-server-api/#sending-events-to-a-room</summary>
internal static class SendEndpoints
{
    public static void MapSending(this ClientRoutes routes)
    {
        const ClientVersions All = ClientVersions.ApiV1R0V3Unstable;
        routes.Put(All, "/rooms/{roomId}/send/{eventType}/{txnId}", Send).AllowGuests().Named("send_event").RateLimited(RateLimitRules.Message);
        // Synapse: without a transaction; older clients and bridges use it.
        routes.Post(All, "/rooms/{roomId}/send/{eventType}", Post).AllowGuests().Named("send_event_without_transaction").RateLimited(RateLimitRules.Message);
        routes.Put(All, "/rooms/{roomId}/state/{eventType}/{stateKey}", PutState).AllowGuests().Named("set_state").RateLimited(RateLimitRules.Message);
        routes.Put(All, "/rooms/{roomId}/state/{eventType}", PutStateWithoutKey).AllowGuests().Named("set_state_without_key").RateLimited(RateLimitRules.Message);
        routes.Put(All, "/rooms/{roomId}/redact/{eventId}/{txnId}", Redact).Named("redact").RateLimited(RateLimitRules.Redaction);
        routes.Post(All, "/rooms/{roomId}/redact/{eventId}", PostRedact).Named("redact_without_transaction").RateLimited(RateLimitRules.Redaction);
    }

    // Synapse: a delay makes it a delayed event, as MSC4140 first had it.
    private static Task<IResult> Send(
        string roomId, string eventType, string txnId, string? ts, [FromQuery(Name = "org.matrix.msc4140.delay")] long? delay, Requester requester, JsonBody body,
        Sender sender, DelayedEvents delayed, CancellationToken ct)
    {
        var request = new SendRequest(roomId, eventType, null, txnId, ts, requester);
        return delay is { } ms ? delayed.ScheduleAsync(request, ms, body, ct) : sender.SendAsync(request, body, ct);
    }

    private static Task<IResult> Post(string roomId, string eventType, string? ts, Requester requester, JsonBody body, Sender sender, CancellationToken ct) =>
        sender.SendAsync(new SendRequest(roomId, eventType, null, null, ts, requester), body, ct);

    private static Task<IResult> PutState(
        string roomId, string eventType, string stateKey, string? ts, [FromQuery(Name = "org.matrix.msc4140.delay")] long? delay, Requester requester, JsonBody body,
        Sender sender, DelayedEvents delayed, CancellationToken ct)
    {
        var request = new SendRequest(roomId, eventType, stateKey, null, ts, requester);
        return delay is { } ms ? delayed.ScheduleAsync(request, ms, body, ct) : sender.SendAsync(request, body, ct);
    }

    private static Task<IResult> PutStateWithoutKey(
        string roomId, string eventType, string? ts, [FromQuery(Name = "org.matrix.msc4140.delay")] long? delay, Requester requester, JsonBody body, Sender sender,
        DelayedEvents delayed, CancellationToken ct) => PutState(roomId, eventType, "", ts, delay, requester, body, sender, delayed, ct);

    private static Task<IResult> Redact(
        string roomId, string eventId, string txnId, string? ts, Requester requester, JsonBody body, Sender sender, CancellationToken ct) =>
        sender.RedactAsync(new SendRequest(roomId, EventTypes.Redaction, null, txnId, ts, requester), eventId, body, ct);

    private static Task<IResult> PostRedact(
        string roomId, string eventId, string? ts, Requester requester, JsonBody body, Sender sender, CancellationToken ct) =>
        sender.RedactAsync(new SendRequest(roomId, EventTypes.Redaction, null, null, ts, requester), eventId, body, ct);
}

internal sealed record SendRequest(string RoomId, string Type, string? StateKey, string? TxnId, string? Ts, Requester Requester);

/// <summary>From a request to send to its answer.</summary>
internal sealed class Sender(RoomActors actors, ContentRules rules, RelationRules relations, MembershipChanges memberships, AvatarRules avatars, GuestRemoval guests)
{
    public async Task<IResult> SendAsync(SendRequest request, JsonBody body, CancellationToken ct)
    {
        var (type, stateKey, requester) = (request.Type, request.StateKey, request.Requester);
        var content = Content(body);
        if (type == EventTypes.Member && stateKey is not null)
        {
            await avatars.RequireAsync(body.AsObject(), ct);
            return EventId(await memberships.SetAsync(request.RoomId, requester, stateKey, body.AsObject(), ct));
        }
        if (type == EventTypes.Redaction && stateKey is null && body.AsObject().StringOrNull("redacts") is { } target)
            return await RedactAsync(request, target, body, ct);
        if (NeedsRules(type, stateKey)) await rules.CheckAsync(request.RoomId, type, stateKey, body.AsObject(), ct);
        var intent = Intent(request) with { Content = content };
        var id = await RunAsync(request.RoomId, new SendCommand(intent, ct, relations));
        if (type == EventTypes.GuestAccess && stateKey == "") await guests.AfterAsync(request.RoomId, body.AsObject());
        return EventId(id);
    }

    public async Task<IResult> RedactAsync(SendRequest request, string eventId, JsonBody body, CancellationToken ct)
    {
        var content = body.AsObjectOrEmpty();
        var intent = Intent(request) with
        {
            Redacts = eventId,
            Content = EventContent.Write(w => EventContent.CopyMembers(w, content, "redacts")),
        };
        var command = new RedactCommand(intent, request.Requester.IsSuspended, ct);
        var id = await RunAsync(request.RoomId, command);
        if (command.ClosesToGuests) await guests.AfterAsync(request.RoomId, JsonBody.EmptyObject);
        return EventId(id);
    }

    private async Task<string> RunAsync(string roomId, RoomCommand command)
    {
        var reply = await actors.RunAsync(roomId, command);
        return reply.Error is { } error ? throw error.AsException() : reply.EventId!;
    }

    private static EventIntent Intent(SendRequest r) => new(r.Type, r.StateKey, r.Requester.UserId.Value, default)
    {
        DeviceId = r.Requester.DeviceId, TxnId = r.TxnId, OriginServerTs = Timestamp(r), Reads = true,
    };

    /// <summary>Only application services say when something was sent. Spec: application-service-api/#timestamp-massaging</summary>
    internal static long? Timestamp(SendRequest r)
    {
        if (r.Ts is null || r.Requester.AppServiceId is null) return null;
        return long.TryParse(r.Ts, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var ts) && ts <= CanonicalJson.MaxInteger
            ? ts : throw MatrixError.InvalidParam("'ts' must be a timestamp in milliseconds").AsException();
    }

    private static bool NeedsRules(string type, string? stateKey) =>
        type is EventTypes.Create or EventTypes.Tombstone || (stateKey is not null && type is EventTypes.CanonicalAlias or EventTypes.PowerLevels or EventTypes.ServerAcl);

    /// <summary>The body in canonical form, found wanting in the client's own request rather than in the room's turn. Numbers are the room version's matter.</summary>
    internal static ReadOnlyMemory<byte> Content(JsonBody body)
    {
        if (body.Bytes.Length > 16 * Pdu.MaxBytes) throw MatrixError.TooLarge("event too large").AsException();
        var canonical = CanonicalJson.ToArray(body.Bytes.Span, out var fault, strict: false);
        if (fault == CanonicalJsonFault.NotJson) throw MatrixError.NotJson().AsException();
        if (canonical is null) throw MatrixError.BadJson($"Content is not canonical JSON: {CanonicalJson.Describe(fault)}.").AsException();
        return CanonicalValue.IsObject(canonical) ? canonical : throw MatrixError.BadJson("Content must be a JSON object.").AsException();
    }

    private static readonly JsonEncodedText Name = JsonEncodedText.Encode("event_id");

    private static IResult EventId(string id) => MatrixResults.Object(w => w.WriteString(Name, id));
}
