using Matrix.Primitives;
using Matrix.ServiceTests.Hosting;

namespace Matrix.ServiceTests.Sync.Model;

/// <summary>A client of /sync. The thrifty one loads members lazily and wants the state after the timeline.</summary>
internal sealed class ClassicModel(SyncUser user, ModelWorld world, Random random, bool isThrifty) : ModelClient(user, world, random)
{
    private readonly object filter = new { room = new { timeline = new { limit = random.Next(1, 8) }, state = new { lazy_load_members = isThrifty } } };
    private string? since;

    public override bool IsLazy => isThrifty;

    public override async Task StepAsync(ServiceHost host)
    {
        var answer = await AskAsync(host, Random.Next(4) == 0 ? 40 : 0);
        if (Random.Next(6) != 0) Keep(answer);
    }

    public override async Task DrainAsync(ServiceHost host)
    {
        // Messages to devices come a hundred at a time.
        for (var i = 0; i < 5; i++)
        {
            var answer = await AskAsync(host);
            Keep(answer);
            if (answer.IsEmpty) return;
        }
        Assert.Fail($"{this}: there is always something more to be told");
    }

    private async Task<SyncAnswer> AskAsync(ServiceHost host, int timeout = 0)
    {
        var answer = await User.SyncAsync(since, filter, host, timeout, stateAfter: isThrifty);
        foreach (var id in answer.JoinedRooms) Note(id, answer.Joined(id)!.Timeline);
        foreach (var (id, part) in Left(answer)) Note(id, part.Timeline);
        return answer;
    }

    private static IEnumerable<(string Id, RoomAnswer Part)> Left(SyncAnswer answer) =>
        answer.Json.At("rooms", "leave") is { } left ? left.EnumerateObject().Select(r => (r.Name, new RoomAnswer(r.Value))) : [];

    private void Keep(SyncAnswer answer)
    {
        if (since is null) BeginDeviceLists(StreamToken.Parse(answer.Next, null).Events!.Value);
        since = answer.Next;
        foreach (var id in answer.JoinedRooms) Keep(id, answer.Joined(id)!);
        foreach (var (id, part) in Left(answer))
        {
            Apply(new Known(), [], part.Timeline, stateInTimeline: true);
            Rooms.Remove(id);
        }
        if (answer.Json.At("rooms", "invite") is { } invited)
            foreach (var room in invited.EnumerateObject()) Enter(room.Name, anew: true).Membership = "invite";
        if (answer.Json.At("rooms", "knock") is { } knocked)
            foreach (var room in knocked.EnumerateObject()) Enter(room.Name, anew: true).Membership = "knock";
        ApplyKeys(answer.Json);
        ApplyData("", answer.AccountData);
        ApplyToDevice(answer.ToDevice);
        ApplyDeviceLists(answer.Json.At("device_lists"));
        foreach (var presence in answer.Presence) Status[presence.Text("sender")] = presence.At("content", "status_msg")?.GetString();
    }

    private void Keep(string id, RoomAnswer part)
    {
        var room = Enter(id, anew: Rooms.TryGetValue(id, out var before) && before.Membership != "join");
        if (part.Limited)
        {
            room.Timeline.Clear();
            room.Senders.Clear();
        }
        Apply(room, part.State, part.Timeline, stateInTimeline: !isThrifty);
        ApplyData(id, part.Json.At("account_data", "events")!.Value.EnumerateArray());
        if (part.Ephemeral("m.typing") is { } typing) room.Typing = UsersOf(typing);
        foreach (var receipts in part.Receipts) ApplyReceipts(room, receipts);
        room.JoinedCount = part.JoinedCount ?? room.JoinedCount;
        room.Unread = (part.Unread, part.Highlights);
    }
}
