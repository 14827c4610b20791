using System.Buffers;
using Matrix.ClientApi.Presence;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.AccountData;
using Matrix.Storage.Receipts;
using Matrix.Storage.Rooms;
using Matrix.Storage.Streams;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Rooms;

/// <summary>Everything of one room, as clients asked for it before there was <c>/sync</c>. Spec: openapi/client-server/room_initial_sync.yaml</summary>
internal static class RoomInitialSyncEndpoints
{
    /// <summary>Members whose presence is told.</summary>
    private const int MaxPresence = 1_000;

    public static void MapRoomInitialSync(this ClientRoutes routes) =>
        routes.Get(ClientVersions.ApiV1R0V3Unstable, "/rooms/{roomId}/initialSync", Get).AllowGuests().Named("room_initial_sync");

    private static async Task<IResult> Get(
        string roomId, int? limit, Requester requester, RoomAccess access, RoomPager pager, RoomReader rooms, RoomSnapshotReader snapshot,
        [AsParameters] LiveParts live, CancellationToken ct)
    {
        var take = PageRequest.LimitOf(limit);
        var view = await access.RequireAsync(roomId, requester.UserId, ct);
        var member = await rooms.MembershipAsync(roomId, requester.UserId.Value, ct);
        var page = take == 0 ? null : await pager.ReadAsync(view, requester.UserId, new PageRequest(true, null, null, take, EventFilter.All), ct);
        var state = await snapshot.StateAsync(view, ct);
        page?.Events.Reverse();
        var record = await rooms.FindAsync(roomId, ct);
        var newest = page is { Events.Count: > 0 } ? page.Events[^1].Position!.Value : view.Departure?.Position ?? live.Follower.Position(Replication.Streams.Events);
        var now = live.Clock.GetUtcNow().ToUnixTimeMilliseconds();

        using var output = new PooledBuffer(16 * 1024);
        Raw(output, "{\"room_id\":"u8);
        CanonicalJson.WriteString(output, roomId);
        if (member is not null) { Raw(output, ",\"membership\":"u8); CanonicalJson.WriteString(output, member.Membership); }
        Raw(output, record?.IsPublic == true ? ",\"visibility\":\"public\""u8 : ",\"visibility\":\"private\""u8);
        Raw(output, ",\"messages\":{\"chunk\":"u8);
        OldEvents.WriteArray(output, page?.Events ?? [], requester, now);
        Raw(output, ",\"start\":"u8);
        CanonicalJson.WriteString(output, StreamToken.After(page is { Events.Count: > 0 } ? page.Edge : newest).ToString());
        Raw(output, ",\"end\":"u8);
        CanonicalJson.WriteString(output, StreamToken.After(newest).ToString());
        Raw(output, "},\"state\":"u8);
        OldEvents.WriteArray(output, state, requester, now);
        Raw(output, ",\"account_data\":["u8);
        var first = true;
        foreach (var (type, content) in await live.AccountData.OfRoomAsync(requester.UserId.Value, roomId, ct))
        {
            Raw(output, first ? "{\"type\":"u8 : ",{\"type\":"u8);
            CanonicalJson.WriteString(output, type);
            Raw(output, ",\"content\":"u8);
            Raw(output, content);
            Raw(output, "}"u8);
            first = false;
        }
        Raw(output, "],\"presence\":["u8);
        if (view.Departure is null) WritePresence(output, state, live, now);
        Raw(output, "],\"receipts\":["u8);
        if (view.Departure is null) WriteReceipts(output, roomId, await live.Receipts.OfRoomAsync(roomId, requester.UserId.Value, ct));
        Raw(output, "]}"u8);
        return MatrixResults.Raw(output.Written.ToArray());
    }

    private static readonly Storage.Ephemeral.PresenceRow Offline = new("offline", null, 0, false);

    private static void WritePresence(PooledBuffer output, List<Storage.Events.StoredEvent> state, LiveParts live, long now)
    {
        if (!live.Config.EnablePresence) return;
        var written = 0;
        foreach (var e in state)
        {
            if (e.Pdu.Membership != Memberships.Join || written >= MaxPresence) continue;
            // Synapse: every member, also those of whom nothing is known.
            var presence = live.Presence.Find(e.Pdu.StateKey!) ?? Offline;
            Raw(output, written++ == 0 ? "{\"type\":\"m.presence\",\"sender\":"u8 : ",{\"type\":\"m.presence\",\"sender\":"u8);
            CanonicalJson.WriteString(output, e.Pdu.StateKey);
            Raw(output, ",\"content\":{\"user_id\":"u8);
            CanonicalJson.WriteString(output, e.Pdu.StateKey);
            Raw(output, ",\"presence\":"u8);
            CanonicalJson.WriteString(output, presence.Presence);
            if (presence.StatusMsg is not null) { Raw(output, ",\"status_msg\":"u8); CanonicalJson.WriteString(output, presence.StatusMsg); }
            if (presence.LastActiveTsMs > 0) { Raw(output, ",\"last_active_ago\":"u8); CanonicalJson.WriteNumber(output, Math.Max(0, now - presence.LastActiveTsMs)); }
            Raw(output, presence.CurrentlyActive ? ",\"currently_active\":true}}"u8 : ",\"currently_active\":false}}"u8);
        }
    }

    /// <summary>One m.receipt event, if there is any. Synapse: with the room's id beside it.</summary>
    private static void WriteReceipts(PooledBuffer output, string roomId, List<ReceiptRow> receipts)
    {
        if (receipts.Count == 0) return;
        using var writer = new System.Text.Json.Utf8JsonWriter(output, MatrixResults.WriterOptions);
        writer.WriteStartObject();
        writer.WriteString("type"u8, "m.receipt"u8);
        writer.WriteString("room_id"u8, roomId);
        writer.WriteStartObject("content"u8);
        foreach (var e in receipts.GroupBy(r => r.EventId, StringComparer.Ordinal))
        {
            writer.WriteStartObject(e.Key);
            foreach (var type in e.GroupBy(r => r.ReceiptType, StringComparer.Ordinal))
            {
                writer.WriteStartObject(type.Key);
                foreach (var user in type.GroupBy(r => r.UserId, StringComparer.Ordinal))
                {
                    var receipt = user.First();
                    writer.WriteStartObject(user.Key);
                    writer.WriteNumber("ts"u8, receipt.TsMs);
                    if (receipt.ThreadId.Length > 0) writer.WriteString("thread_id"u8, receipt.ThreadId);
                    writer.WriteEndObject();
                }
                writer.WriteEndObject();
            }
            writer.WriteEndObject();
        }
        writer.WriteEndObject();
        writer.WriteEndObject();
    }

    private static void Raw(PooledBuffer output, ReadOnlySpan<byte> text) => BuffersExtensions.Write(output, text);

    /// <summary>What is not of the room's history.</summary>
    internal sealed record LiveParts(
        AccountDataStore AccountData, ReceiptStore Receipts, PresenceTracker Presence, IStreamFollower Follower, HomeserverConfig Config, TimeProvider Clock);
}

/// <summary>State of a room for whoever looks at it: of the present, or of the day he left.</summary>
internal sealed class RoomSnapshotReader(RoomReader rooms, StateReader states)
{
    public async Task<List<Storage.Events.StoredEvent>> StateAsync(RoomView view, CancellationToken ct) =>
        view.Departure is null ? await rooms.CurrentStateAsync(view.RoomNid, ct)
        : view.Departure.SnapshotNid is { } snapshot ? await states.EventsAsync(snapshot, ct) : [];
}

/// <summary>Events as the first version of the API had them: what is in unsigned now stood at the top. Synapse: both, for the old endpoints.</summary>
internal static class OldEvents
{
    public static void WriteArray(PooledBuffer output, IReadOnlyList<Storage.Events.StoredEvent> events, Requester requester, long nowMs)
    {
        BuffersExtensions.Write(output, "["u8);
        for (var i = 0; i < events.Count; i++)
        {
            if (i > 0) BuffersExtensions.Write(output, ","u8);
            Write(output, events[i], requester, nowMs);
        }
        BuffersExtensions.Write(output, "]"u8);
    }

    private static void Write(PooledBuffer output, Storage.Events.StoredEvent e, Requester requester, long nowMs)
    {
        var age = Math.Max(0, nowMs - e.Pdu.OriginServerTs);
        ClientEvent.Write(output, e.Pdu, new ClientEventOptions
        {
            AgeMs = age, PrevContent = e.PrevContent, PrevSender = e.PrevSender, ReplacesState = e.ReplacesEventId,
            TransactionId = e.TxnDeviceId is not null && e.TxnDeviceId == requester.DeviceId && e.Pdu.Sender == requester.UserId.Value ? e.TxnId : null,
        });
        output.Rewind(1);
        BuffersExtensions.Write(output, ",\"user_id\":"u8);
        CanonicalJson.WriteString(output, e.Pdu.Sender);
        BuffersExtensions.Write(output, ",\"age\":"u8);
        CanonicalJson.WriteNumber(output, age);
        if (!e.PrevContent.IsEmpty) { BuffersExtensions.Write(output, ",\"prev_content\":"u8); BuffersExtensions.Write(output, e.PrevContent.Span); }
        if (e.ReplacesEventId is { } replaces) { BuffersExtensions.Write(output, ",\"replaces_state\":"u8); CanonicalJson.WriteString(output, replaces); }
        BuffersExtensions.Write(output, "}"u8);
    }
}
