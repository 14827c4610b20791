using System.Text.Json;
using Matrix.Testing;

namespace Matrix.Unit.Sync;

public class EngineTests
{
    private static readonly TestUser Alice = TestServer.Named("one.example").User("alice");
    private static readonly TestUser Bob = TestServer.Named("one.example").User("bob");
    private const string Limit2 = """{"room":{"timeline":{"limit":2}}}""";

    private static JsonElement? Joined(JsonElement answer, string room) =>
        answer.TryGetProperty("rooms", out var rooms) && rooms.TryGetProperty("join", out var join) && join.TryGetProperty(room, out var part) ? part : null;

    private static List<string> Timeline(JsonElement part) =>
        [.. part.GetProperty("timeline").GetProperty("events").EnumerateArray().Select(e => e.GetProperty("event_id").GetString()!)];

    private static string Next(JsonElement answer) => answer.GetProperty("next_batch").GetString()!;

    private static async Task<(SyncHost Host, Room Room)> StartAsync(long cacheBudget = 256 << 20)
    {
        var host = await new SyncHost(cacheBudget: cacheBudget).StartAsync();
        var room = Room.Version("11").Public().With(Alice, Bob);
        await host.PublishAsync(host.Store.Commit(room));
        await host.SettleAsync();
        return (host, room);
    }

    private static bool HasReached(SyncHost host, long position)
    {
        using (host.State.Read()) return host.State.Position(Matrix.Replication.Streams.Events) >= position;
    }

    [Fact]
    public async Task Polling_and_new_events_ask_the_database_nothing()
    {
        var (host, room) = await StartAsync();
        await using var _ = host;
        var since = Next(await host.SyncAsync(Alice));
        host.Store.Forget();
        for (var i = 0; i < 5; i++)
        {
            await host.PublishAsync(host.Store.Commit(room.Say(Bob, $"{i}")));
            await host.SettleAsync();
            var answer = await host.SyncAsync(Alice, since);
            Assert.Equal([room.Last.EventId], Timeline(Joined(answer, room.RoomId)!.Value));
            since = Next(answer);
            Assert.Null(Joined(await host.SyncAsync(Alice, since), room.RoomId));
        }
        Assert.Equal(0, host.Store.Calls);
    }

    [Fact]
    public async Task Events_that_come_while_a_room_or_a_user_is_loaded_are_told_once()
    {
        var (host, room) = await StartAsync();
        await using var _ = host;
        var loads = 0;
        host.Store.AfterReading = async () =>
        {
            if (++loads > 2) return;
            var frames = host.Store.Commit(room.Say(Bob, $"during load {loads}").Set(Alice, "m.room.topic", $$"""{"topic":"{{loads}}"}"""));
            await host.PublishAsync(frames);
            // The rows have been applied before the load returns with what it read earlier.
            while (!HasReached(host, frames[^1].To)) await Task.Yield();
        };
        var answer = await host.SyncAsync(Alice, filter: """{"room":{"timeline":{"limit":100}}}""");
        await host.SettleAsync();
        Assert.Equal(2, loads);
        var told = Timeline(Joined(answer, room.RoomId)!.Value);
        var rest = await host.SyncAsync(Alice, Next(answer));
        if (Joined(rest, room.RoomId) is { } more) told.AddRange(Timeline(more));
        Assert.Equal(host.Store.TimelineOf(room.RoomId), told);
    }

    [Fact]
    public async Task What_becomes_of_a_user_while_he_is_loaded_is_told()
    {
        var (host, _) = await StartAsync();
        await using var h = host;
        var other = Room.Version("11").With(Alice);
        await host.PublishAsync(host.Store.Commit(other));
        await host.SettleAsync();
        var isFirst = true;
        host.Store.AfterReading = async () =>
        {
            if (!isFirst) return;
            isFirst = false;
            var frames = host.Store.Commit(other.Invite(Bob));
            await host.PublishAsync(host.Store.SetAccountData(Bob, "", "x", """{"n":1}"""), host.Store.SendToDevice(Bob, "D", "x.y"));
            await host.PublishAsync(frames);
            while (!HasReached(host, frames[^1].To)) await Task.Yield();
        };
        var answer = await host.SyncAsync(Bob);
        Assert.False(isFirst);
        Assert.True(answer.GetProperty("rooms").GetProperty("invite").TryGetProperty(other.RoomId, out var __));
        await host.SettleAsync();
        var rest = await host.SyncAsync(Bob, Next(answer));
        Assert.Contains(new[] { answer, rest }, a => a.TryGetProperty("to_device", out var ___));
        Assert.Contains(new[] { answer, rest }, a => a.TryGetProperty("account_data", out var data) && data.GetRawText().Contains("\"x\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Memberships_that_change_while_older_ones_are_read_are_told()
    {
        var (host, room) = await StartAsync();
        await using var _ = host;
        var since = Next(await host.SyncAsync(Bob));
        var second = Room.Version("11").Public().With(Alice, Bob);
        await host.PublishAsync(host.Store.Commit(second));
        await host.SettleAsync();
        await using var later = await new SyncHost(beside: host).StartAsync();
        await later.SettleAsync();
        host.Store.AfterHistory = async () =>
        {
            host.Store.AfterHistory = null;
            var frames = host.Store.Commit(room.Leave(Bob));
            await later.PublishAsync(frames);
            while (!HasReached(later, frames[^1].To)) await Task.Yield();
        };
        var answer = await later.SyncAsync(Bob, since);
        Assert.Null(host.Store.AfterHistory);
        Assert.NotNull(Joined(answer, second.RoomId));
        Assert.True(answer.GetProperty("rooms").GetProperty("leave").TryGetProperty(room.RoomId, out var __));
    }

    [Fact]
    public async Task A_room_longer_than_memory_is_told_with_a_gap_and_the_state_across_it()
    {
        var (host, room) = await StartAsync();
        await using var _ = host;
        var since = Next(await host.SyncAsync(Alice));
        room.Set(Alice, "m.room.topic", """{"topic":"long ago"}""");
        for (var i = 0; i < 500; i++) room.Say(Bob, $"{i}");
        await host.PublishAsync(host.Store.Commit(room));
        await host.SettleAsync();
        using (host.State.Read()) Assert.InRange(host.State.Rooms[room.RoomId].Cache!.Window.Count, 32, 320);
        var part = Joined(await host.SyncAsync(Alice, since, Limit2), room.RoomId)!.Value;
        Assert.True(part.GetProperty("timeline").GetProperty("limited").GetBoolean());
        Assert.Equal("m.room.topic", Assert.Single(part.GetProperty("state").GetProperty("events").EnumerateArray()).GetProperty("type").GetString());
    }

    [Fact]
    public async Task A_full_memory_evicts_and_answers_stay_right()
    {
        var (host, room) = await StartAsync(cacheBudget: 20_000);
        await using var _ = host;
        var others = Enumerable.Range(0, 20).Select(_ => Room.Version("11").With(Alice)).ToList();
        foreach (var other in others) await host.PublishAsync(host.Store.Commit(other));
        await host.SettleAsync();
        var since = Next(await host.SyncAsync(Alice));
        host.Keeper.Sweep();
        using (host.State.Read())
        {
            Assert.True(host.State.Rooms.Values.Count(r => r.Cache is not null) < 20);
            Assert.True(host.State.Rooms.Values.Sum(r => r.Cache?.Bytes ?? 0) <= 20_000);
        }
        await host.PublishAsync(host.Store.Commit(room.Say(Bob, "still there?")));
        await host.SettleAsync();
        Assert.Equal([room.Last.EventId], Timeline(Joined(await host.SyncAsync(Alice, since), room.RoomId)!.Value));
        Assert.Equal(21, (await host.SyncAsync(Alice)).GetProperty("rooms").GetProperty("join").EnumerateObject().Count());
    }

    [Fact]
    public async Task A_waiter_is_woken_by_its_room_and_many_events_are_one_answer()
    {
        var (host, room) = await StartAsync();
        await using var _ = host;
        var since = Next(await host.SyncAsync(Alice));
        var parked = host.SyncAsync(Alice, since, timeoutMs: 60_000);
        Assert.False(parked.IsCompleted);
        for (var i = 0; i < 10; i++) room.Say(Bob, $"{i}");
        var frames = host.Store.Commit(room);
        await host.PublishAsync(frames);
        await host.UntilAsync(() => parked.IsCompleted, "woken");
        // One answer for what had come when it was made; the next one has the rest.
        var told = Timeline(Joined(await parked, room.RoomId)!.Value);
        await host.SettleAsync();
        if (Joined(await host.SyncAsync(Alice, Next(await parked)), room.RoomId) is { } more) told.AddRange(Timeline(more));
        Assert.Equal(frames.Count, told.Count);
    }

    [Fact]
    public async Task A_hundred_who_wait_for_a_room_cost_the_database_nothing_when_it_speaks()
    {
        var host = await new SyncHost().StartAsync();
        await using var _ = host;
        var members = Enumerable.Range(0, 100).Select(i => TestServer.Named("one.example").User($"m{i}")).ToArray();
        var room = Room.Version("11").Public().With(members);
        await host.PublishAsync(host.Store.Commit(room));
        await host.SettleAsync();
        var tokens = new List<string>();
        foreach (var member in members) tokens.Add(Next(await host.SyncAsync(member)));
        host.Store.Forget();
        var parked = members.Select((m, i) => host.SyncAsync(m, tokens[i], timeoutMs: 60_000)).ToList();
        await host.PublishAsync(host.Store.Commit(room.Say(members[0], "all of you")));
        await host.UntilAsync(() => parked.TrueForAll(p => p.IsCompleted), "all woken");
        foreach (var answer in await Task.WhenAll(parked)) Assert.Equal([room.Last.EventId], Timeline(Joined(answer, room.RoomId)!.Value));
        Assert.Equal(0, host.Store.Calls);
    }

    [Fact]
    public async Task A_database_that_fails_during_a_load_fails_the_request_and_nothing_else()
    {
        var (host, room) = await StartAsync();
        await using var _ = host;
        host.Store.IsAway = true;
        await Assert.ThrowsAsync<IOException>(() => host.SyncAsync(Alice));
        host.Store.IsAway = false;
        Assert.NotNull(Joined(await host.SyncAsync(Alice), room.RoomId));
    }

    [Fact]
    public async Task Device_lists_of_people_in_the_same_rooms_are_told_and_of_strangers_are_not()
    {
        var (host, _) = await StartAsync();
        await using var h = host;
        var since = Next(await host.SyncAsync(Alice));
        var strangers = Room.Version("11").With(TestServer.Named("one.example").User("stranger"));
        await host.PublishAsync(host.Store.Commit(strangers));
        await host.PublishAsync(host.Store.ChangeDevices(Bob), host.Store.ChangeDevices("@stranger:one.example"), host.Store.ChangeDevices(Alice));
        await host.SettleAsync();
        var changed = (await host.SyncAsync(Alice, since)).GetProperty("device_lists").GetProperty("changed").EnumerateArray().Select(u => u.GetString()).ToHashSet();
        Assert.Equal([Alice.Id, Bob.Id], changed.Order());
        // An instance that was not there then asks the database.
        await using var later = await new SyncHost(beside: host).StartAsync();
        await later.SettleAsync();
        var cold = (await later.SyncAsync(Alice, since)).GetProperty("device_lists").GetProperty("changed").EnumerateArray().Select(u => u.GetString()).ToHashSet();
        Assert.Equal(changed, cold);
    }
}
