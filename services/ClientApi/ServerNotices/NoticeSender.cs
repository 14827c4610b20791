using System.Buffers;
using System.Text.Json;
using Matrix.ClientApi.AccountData;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Rooms.Writing;
using Matrix.ServiceDefaults;
using Matrix.Storage.AccountData;
using Matrix.Storage.Accounts;
using Matrix.Storage.Streams;
using Matrix.Web.Json;

namespace Matrix.ClientApi.ServerNotices;

/// <summary>A message of the server to one of its users.</summary>
/// <param name="StateKey">Null: no state event.</param>
/// <param name="Content">A JSON object.</param>
internal sealed record Notice(string UserId, string Type, string? StateKey, ReadOnlyMemory<byte> Content)
{
    /// <summary>With <see cref="TxnOwner"/> the identity of the notice: sent before, it is answered with its event. Null: none.</summary>
    public string? TxnId { get; init; }
    public string? TxnOwner { get; init; }
}

/// <summary>
/// Sends server notices: each user has one room for them, made when it is needed, and a new one once he has left it. Users read there and write nothing.
/// Spec: client-server-api/#server-notices
/// </summary>
internal sealed class NoticeSender(
    HomeserverConfig config, ServerNoticeStore store, IRoomWriter writer, AccountDataWriter accountData, InvitePermissions permissions, IStreamPublisher publisher) : IDisposable
{
    private static readonly byte[] Tag = """{"tags":{"m.server_notice":{}}}"""u8.ToArray();

    private readonly ServerNoticesConfig settings = config.ServerNotices ?? new("");
    private readonly string sender = UserId.Of(config.ServerNotices?.Localpart ?? "", config.ServerName).Value;
    /// <summary>All that is seen of a room, as one text: another one means that it has to be changed.</summary>
    private readonly string looks = config.ServerNotices is { } s ? string.Join('\n', s.RoomName, s.RoomTopic, s.RoomAvatarUrl, s.DisplayName, s.AvatarUrl) : "";

    public bool IsEnabled => config.ServerNotices is not null;

    /// <summary>Making a room holds a connection while others are needed: one at a time in a process.</summary>
    private readonly SemaphoreSlim making = new(1, 1);

    public void Dispose() => making.Dispose();

    /// <summary>The room and the event. What the room refuses is a <c>MatrixException</c>.</summary>
    public async Task<(string RoomId, string EventId)> SendAsync(Notice notice, CancellationToken ct)
    {
        var room = await RoomOfAsync(notice.UserId, ct);
        return (room, await SendAsync(room, notice, ct));
    }

    /// <summary>In a room that <see cref="SendAsync(Notice, CancellationToken)"/> returned.</summary>
    public async Task<string> SendAsync(string roomId, Notice notice, CancellationToken ct) =>
        (await writer.SendAsync(
            new RoomWrite(roomId, sender, [new EventToSend(notice.Type, notice.StateKey, notice.Content)]) { TxnId = notice.TxnId, DeviceId = notice.TxnOwner }, ct)).EventIds[^1];

    private async Task<string> RoomOfAsync(string userId, CancellationToken ct)
    {
        if (await store.FindAsync(userId, ct) is { } known && IsIn(known) && known.Looks == looks) return known.RoomId;
        await making.WaitAsync(ct);
        try
        {
            return await store.ChangeAsync(userId, async room =>
            {
                if (room is not null && IsIn(room))
                {
                    if (room.Looks != looks) await RepaintAsync(room.RoomId, ct);
                    return (room.RoomId, looks);
                }
                return (await MakeAsync(userId, ct), looks);
            }, ct);
        }
        finally
        {
            making.Release();
        }
    }

    private static bool IsIn(NoticeRoom room) => room.Membership is Memberships.Join or Memberships.Invite;

    private async Task SetSenderAsync(CancellationToken ct) =>
        await publisher.PublishAllAsync(await store.SetSenderAsync(sender, settings.DisplayName, settings.AvatarUrl, ct));

    private async Task<string> MakeAsync(string userId, CancellationToken ct)
    {
        await SetSenderAsync(ct);
        using var options = JsonDocument.Parse(Write(w =>
        {
            w.WriteString("preset", "private_chat");
            w.WriteString("name", settings.RoomName);
            if (settings.RoomTopic is { } topic) w.WriteString("topic", topic);
            w.WriteStartObject("creation_content");
            w.WriteBoolean("m.federate", false);
            w.WriteEndObject();
            // Synapse: whoever reads there may do nothing.
            w.WriteStartObject("power_level_content_override");
            w.WriteNumber("users_default", -10);
            w.WriteEndObject();
            if (settings.RoomAvatarUrl is not { } avatar) return;
            w.WriteStartArray("initial_state");
            w.WriteStartObject();
            w.WriteString("type", EventTypes.Avatar);
            w.WriteStartObject("content");
            w.WriteString("url", avatar);
            w.WriteEndObject();
            w.WriteEndObject();
            w.WriteEndArray();
        }));
        var room = (await writer.CreateRoomAsync(new RoomCreationWrite(sender, config.DefaultRoomVersion, options.RootElement), ct)).RoomId;
        await accountData.SetAsync(userId, room, "m.tag", Tag, ct);
        await writer.ChangeMembershipAsync(new MembershipWrite(room, sender, userId, "invite"), ct);
        // Who wants no invites is told none: he would not see the room.
        if (settings.AutoJoin || await permissions.FirstBlockingAsync([userId], ct) is not null)
            await writer.ChangeMembershipAsync(new MembershipWrite(room, userId, userId, "join"), ct);
        return room;
    }

    private async Task RepaintAsync(string room, CancellationToken ct)
    {
        await SetSenderAsync(ct);
        await writer.SendAsync(new RoomWrite(room, sender,
        [
            new EventToSend(EventTypes.Name, "", Write(w => w.WriteString("name", settings.RoomName))),
            new EventToSend(EventTypes.Topic, "", Write(w => w.WriteString("topic", settings.RoomTopic ?? ""))),
            new EventToSend(EventTypes.Avatar, "", Write(w => { if (settings.RoomAvatarUrl is { } url) w.WriteString("url", url); })),
            new EventToSend(EventTypes.Member, sender, Write(w =>
            {
                w.WriteString("membership", Memberships.Join);
                if (settings.DisplayName is { } name) w.WriteString("displayname", name);
                if (settings.AvatarUrl is { } avatar) w.WriteString("avatar_url", avatar);
            })),
        ]), ct);
    }

    internal static byte[] Write(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var w = new Utf8JsonWriter(buffer, MatrixResults.WriterOptions))
        {
            w.WriteStartObject();
            members(w);
            w.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }
}
