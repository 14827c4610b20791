using System.Text.Json;
using Matrix.Testing;

namespace Matrix.Unit.Sync;

/// <summary>Forks were resolved: with an event the current state changes at other keys as well.</summary>
public class MovedStateTests
{
    private static readonly TestUser Alice = TestServer.Named("one.example").User("alice");
    private static readonly TestUser Bob = TestServer.Named("one.example").User("bob");

    private static JsonElement? Joined(JsonElement answer, string room) =>
        answer.TryGetProperty("rooms", out var rooms) && rooms.TryGetProperty("join", out var join) && join.TryGetProperty(room, out var part) ? part : null;

    private static List<string> Timeline(JsonElement part) =>
        [.. part.GetProperty("timeline").GetProperty("events").EnumerateArray().Select(e => e.GetProperty("event_id").GetString()!)];

    private static string Next(JsonElement answer) => answer.GetProperty("next_batch").GetString()!;

    private static async Task<(SyncHost Host, Room Room)> StartAsync()
    {
        var host = await new SyncHost().StartAsync();
        var room = Room.Version("11").Public().With(Alice, Bob);
        await host.PublishAsync(host.Store.Commit(room));
        await host.SettleAsync();
        return (host, room);
    }

    [Fact]
    public async Task State_that_a_resolution_moved_is_told_with_the_event_that_moved_it()
    {
        var (host, room) = await StartAsync();
        await using var _ = host;
        var topics = new List<string>();
        for (var i = 0; i < 2; i++)
        {
            await host.PublishAsync(host.Store.Commit(room.Set(Alice, "m.room.topic", $$"""{"topic":"{{i}}"}""")));
            topics.Add(room.Last.EventId);
        }
        await host.PublishAsync(host.Store.Commit(room.Set(Alice, "x.state", "{}")));
        await host.SettleAsync();
        var since = Next(await host.SyncAsync(Bob));
        room.Say(Alice, "resolved");
        await host.PublishAsync(host.Store.CommitMove(room, new("m.room.topic", ""), topics[0]));
        await host.PublishAsync(host.Store.Commit(room.Say(Alice, "after")));
        await host.SettleAsync();
        foreach (var filter in new[] { "{}", """{"room":{"timeline":{"limit":1}}}""" })
        {
            var part = Joined(await host.SyncAsync(Bob, since, filter), room.RoomId)!.Value;
            var told = Assert.Single(part.GetProperty("state").GetProperty("events").EnumerateArray());
            Assert.Equal(topics[0], told.GetProperty("event_id").GetString());
        }
        var whole = Joined(await host.SyncAsync(Bob), room.RoomId)!.Value;
        Assert.Contains(topics[1], Timeline(whole));
        Assert.Null(Joined(await host.SyncAsync(Bob, Next(await host.SyncAsync(Bob, since))), room.RoomId));
    }

    [Fact]
    public async Task State_after_the_timeline_has_what_a_resolution_moved()
    {
        var (host, room) = await StartAsync();
        await using var _ = host;
        await host.PublishAsync(host.Store.Commit(room.Set(Alice, "m.room.topic", """{"topic":"1"}""")));
        var first = room.Last.EventId;
        await host.PublishAsync(host.Store.Commit(room.Set(Alice, "m.room.topic", """{"topic":"2"}""")));
        await host.SettleAsync();
        var since = Next(await host.SyncAsync(Bob));
        room.Say(Alice, "resolved");
        await host.PublishAsync(host.Store.CommitMove(room, new("m.room.topic", ""), first));
        await host.PublishAsync(host.Store.Commit(room.Set(Alice, "x.state", "{}")));
        await host.SettleAsync();
        foreach (var filter in new[] { "{}", """{"room":{"timeline":{"limit":1}}}""" })
        {
            var part = Joined(await host.SyncAsync(Bob, since, filter, stateAfter: true), room.RoomId)!.Value;
            var told = part.GetProperty("state_after").GetProperty("events").EnumerateArray().Select(e => e.GetProperty("event_id").GetString()!);
            Assert.Equal(new[] { first, room.Last.EventId }.Order(), told.Order());
        }
    }

    [Fact]
    public async Task Members_that_a_resolution_moved_are_heard_of_for_encryption()
    {
        var (host, room) = await StartAsync();
        await using var _ = host;
        var since = Next(await host.SyncAsync(Alice));
        var joined = room.Events.First(e => e.StateKey == Bob && e.Membership == "join").EventId;
        room.Say(Alice, "resolved");
        await host.PublishAsync(host.Store.CommitMove(room, new("m.room.member", Bob), null));
        await host.SettleAsync();
        Assert.Equal([Bob.Id], Users(await host.SyncAsync(Alice, since), "left"));
        var gone = Next(await host.SyncAsync(Alice, since));
        room.Say(Alice, "resolved");
        await host.PublishAsync(host.Store.CommitMove(room, new("m.room.member", Bob), joined));
        await host.SettleAsync();
        var answer = await host.SyncAsync(Alice, gone);
        Assert.Equal([Bob.Id], Users(answer, "changed"));
        Assert.Equal(2, Joined(answer, room.RoomId)!.Value.GetProperty("summary").GetProperty("m.joined_member_count").GetInt32());

        static List<string> Users(JsonElement of, string list) =>
            of.TryGetProperty("device_lists", out var lists) ? [.. lists.GetProperty(list).EnumerateArray().Select(u => u.GetString()!)] : [];
    }

    [Theory]
    [InlineData(5)]
    [InlineData(1)]
    public async Task Sliding_sync_names_state_that_is_gone(int limit)
    {
        var (host, room) = await StartAsync();
        await using var _ = host;
        await host.PublishAsync(host.Store.Commit(room.Set(Alice, "x.state", "{}")));
        await host.SettleAsync();
        var request = "{\"lists\":{\"a\":{\"timeline_limit\":" + limit + ",\"required_state\":{\"include\":[{\"type\":\"x.state\"}]}}}}";
        var pos = (await host.SlideAsync(Bob, request)).GetProperty("pos").GetString();
        room.Say(Alice, "resolved");
        await host.PublishAsync(host.Store.CommitMove(room, new("x.state", ""), null));
        await host.PublishAsync(host.Store.Commit(room.Say(Alice, "after")));
        await host.SettleAsync();
        var told = (await host.SlideAsync(Bob, request, pos)).GetProperty("rooms").GetProperty(room.RoomId).GetProperty("required_state");
        Assert.Equal("""[{"type":"x.state","state_key":""}]""", told.GetRawText());
    }
}
