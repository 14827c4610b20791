using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceTests.Hosting;

namespace Matrix.ServiceTests.Sync.Model;

/// <summary>A client of sliding sync: its list grows and shrinks, it subscribes to this room and that, and begins anew now and then.</summary>
internal sealed class SlidingModel(SyncUser user, ModelWorld world, Random random, bool isLazy) : ModelClient(user, world, random)
{
    private const int Whole = 99;
    private readonly SlidingClient client = new(user, new { });
    private HashSet<string> followed = [];
    private string? seen;
    private bool isNew = true;

    public override bool IsLazy => isLazy;

    private object Required => isLazy ? new[] { new[] { "*", "*" }, ["m.room.member", "$LAZY"] } : new[] { new[] { "*", "*" } };

    public override async Task StepAsync(ServiceHost host)
    {
        if (Random.Next(25) == 0) BeginAnew();
        var room = Random.Next(3) == 0 ? World.Rooms[Random.Next(World.Rooms.Count)] : null;
        var (to, limit) = (Random.Next(4), Random.Next(1, 6));
        var answer = await AskAsync(host, to, limit, room, Random.Next(4) == 0 ? 40 : 0);
        if (Random.Next(6) != 0) Keep(answer, room);
    }

    public override async Task DrainAsync(ServiceHost host)
    {
        for (var i = 0; i < 20; i++)
        {
            var answer = await AskAsync(host, Whole, 3, null);
            Keep(answer, null);
            if (IsQuiet(answer)) return;
        }
        Assert.Fail($"{this}: there is always something more to be told");
    }

    /// <summary>Messages to devices have a token of their own, which outlives the connection.</summary>
    private void BeginAnew()
    {
        client.Pos = null;
        isNew = true;
        Rooms.Clear();
        Data.Clear();
        DeviceLists.Clear();
        followed = [];
    }

    private async Task<SlidingAnswerView> AskAsync(ServiceHost host, int to, int limit, string? subscribed, int timeout = 0)
    {
        var toDevice = new Dictionary<string, object> { ["enabled"] = true, ["limit"] = Random.Next(1, 9) };
        if (seen is not null) toDevice["since"] = seen;
        var on = new { enabled = true };
        var extensions = new { to_device = toDevice, e2ee = on, account_data = on, receipts = on, typing = on };
        var subscriptions = subscribed is null ? null : new Dictionary<string, object>
        {
            [subscribed] = new { timeline_limit = limit, required_state = Required },
        };
        client.Body = SlidingClient.Lists(SlidingClient.List(to, limit, Required), extensions, subscriptions);
        var answer = await client.StepAsync(timeout, host, keep: false);
        foreach (var id in answer.RoomIds) if (answer.Room(id)!.Json.TryGetProperty("timeline", out _)) Note(id, answer.Room(id)!.Timeline);
        return answer;
    }

    private static bool IsQuiet(SlidingAnswerView answer) =>
        answer.RoomIds.Count == 0 && answer.Extension("to_device", "events")!.Value.GetArrayLength() == 0 && answer.Extension("e2ee", "device_lists") is null
        && answer.Extension("account_data") is null && answer.Extension("receipts") is null && answer.Extension("typing") is null;

    private void Keep(SlidingAnswerView answer, string? subscribed)
    {
        client.Pos = answer.Pos;
        var token = StreamToken.Parse(answer.Pos, null);
        if (isNew) BeginDeviceLists(token.Events!.Value);
        isNew = false;
        foreach (var id in answer.RoomIds) Keep(id, answer.Room(id)!, token);
        Follow(answer, subscribed, token);

        if (answer.Extension("account_data", "global") is { } global) ApplyData("", global.EnumerateArray());
        foreach (var (id, data) in OfRooms(answer, "account_data")) ApplyData(id, data.EnumerateArray());
        foreach (var (id, receipts) in OfRooms(answer, "receipts")) ApplyReceipts(Enter(id, anew: false), receipts.GetProperty("content"));
        foreach (var (id, typing) in OfRooms(answer, "typing")) Enter(id, anew: false).Typing = UsersOf(typing.GetProperty("content"));
        ApplyToDevice(answer.Extension("to_device", "events")!.Value.EnumerateArray());
        seen = answer.Extension("to_device")!.Value.Text("next_batch");
        ApplyDeviceLists(answer.Extension("e2ee", "device_lists"));
        ApplyKeys(answer.Extension("e2ee")!.Value);
    }

    private static IEnumerable<(string Id, JsonElement Part)> OfRooms(SlidingAnswerView answer, string extension) =>
        answer.Extension(extension, "rooms") is { } rooms ? rooms.EnumerateObject().Select(r => (r.Name, r.Value)) : [];

    /// <summary>Rooms that come back into sight are told by the extensions as far as the client needs it.</summary>
    private void Follow(SlidingAnswerView answer, string? subscribed, StreamToken token)
    {
        var now = answer.Json.At("lists", "a", "ops")!.Value.EnumerateArray().SelectMany(op => op.GetProperty("room_ids").EnumerateArray()).Select(id => id.GetString()!).ToHashSet();
        if (subscribed is not null) now.Add(subscribed);
        foreach (var id in now.Except(followed)) if (Rooms.TryGetValue(id, out var room)) room.ReceiptsSince = token.Receipts!.Value;
        followed = now;
    }

    private void Keep(string id, SlidingRoomView part, StreamToken token)
    {
        var room = Enter(id, part.IsInitial);
        room.Membership = part.Json.Text("membership");
        if (part.Json.At("joined_count") is { } count) room.JoinedCount = count.GetInt32();
        if (!part.Json.TryGetProperty("timeline", out _)) return;
        if (part.Json.At("notification_count") is { } unread) room.Unread = (unread.GetInt32(), part.Json.GetProperty("highlight_count").GetInt32());
        if (part.IsInitial)
        {
            room.ReceiptsSince = token.Receipts!.Value;
            room.ShownUpTo = room.ReceiptsSince;
            room.Shown = [.. part.Timeline.Select(e => e.Text("event_id"))];
        }
        if (part.Limited || part.Json.TryGetProperty("unstable_expanded_timeline", out _))
        {
            room.Timeline.Clear();
            room.Senders.Clear();
        }
        Apply(room, part.Json.GetProperty("required_state").EnumerateArray(), part.Timeline, stateInTimeline: false);
    }
}
