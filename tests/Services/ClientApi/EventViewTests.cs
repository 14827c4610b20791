using System.Text.Json;

namespace Matrix.ServiceTests.ClientApi;

/// <summary>What single events tell of the reader, and events of a time when everybody could see the room.</summary>
public sealed class EventViewTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private static string Room(string room, string rest, string version = "v3") => $"/_matrix/client/{version}/rooms/{Uri.EscapeDataString(room)}/{rest}";
    private static string? Membership(JsonElement e) =>
        e.TryGetProperty("unsigned", out var unsigned) && unsigned.TryGetProperty("membership", out var m) ? m.GetString() : null;
    private static string[] Ids(JsonElement events) => [.. events.EnumerateArray().Select(e => e.GetProperty("event_id").GetString()!)];

    private async Task<JsonElement> GetAsync(TestUser user, string path) => (await api.GetAsync(user, path)).RequireOk().Body;
    private Task SeenAsync(TestUser alice, string room, string visibility) =>
        api.SetStateAsync(alice, room, "m.room.history_visibility", new { history_visibility = visibility });

    private async Task<string> ReplyAsync(TestUser user, string room, string root) =>
        (await api.PutAsync(user, Room(room, $"send/m.room.message/{Guid.NewGuid():N}"), new Dictionary<string, object>
        {
            ["msgtype"] = "m.text", ["body"] = "in the thread", ["m.relates_to"] = new { rel_type = "m.thread", event_id = root },
        })).RequireOk().Text("event_id");

    [Fact]
    public async Task The_membership_of_the_reader_stands_at_every_event()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice, new { preset = "public_chat" });
        var early = await api.SayAsync(alice, room, "early");
        (await api.PostAsync(alice, Room(room, "invite"), new { user_id = bob.Id })).RequireOk();
        var invited = await ReplyAsync(alice, room, early);
        await api.JoinAsync(bob, room);
        await api.SayAsync(alice, room, "in");
        await api.SetStateAsync(bob, room, "m.room.member", new { membership = "join", displayname = "Robert" }, bob.Id);
        var last = await api.SayAsync(alice, room, "renamed");

        var page = await GetAsync(bob, Room(room, "messages?dir=b&limit=7"));
        Assert.Equal(["join", "join", "join", "join", "invite", "invite", "leave"], page.GetProperty("chunk").EnumerateArray().Select(Membership));
        Assert.Equal("leave", Membership(await GetAsync(bob, Room(room, $"event/{early}"))));
        Assert.Equal("join", Membership(await GetAsync(alice, Room(room, $"event/{early}"))));
        var context = await GetAsync(bob, Room(room, $"context/{invited}?limit=4"));
        Assert.Equal("invite", Membership(context.GetProperty("event")));
        Assert.Equal(["invite", "leave"], context.GetProperty("events_before").EnumerateArray().Select(Membership));
        Assert.Equal(["join", "join"], context.GetProperty("events_after").EnumerateArray().Select(Membership));
        Assert.Null(Membership(context.GetProperty("state").EnumerateArray().Single(e => e.GetProperty("type").GetString() == "m.room.create")));
        Assert.Equal(["invite"], (await GetAsync(bob, Room(room, $"relations/{early}", "v1"))).GetProperty("chunk").EnumerateArray().Select(Membership));
        Assert.Equal(["leave"], (await GetAsync(bob, Room(room, "threads", "v1"))).GetProperty("chunk").EnumerateArray().Select(Membership));

        await api.LeaveAsync(bob, room);
        Assert.Equal("join", Membership(await GetAsync(bob, Room(room, $"event/{last}"))));
        Assert.Equal("leave", Membership((await GetAsync(bob, Room(room, "messages?dir=b&limit=1"))).GetProperty("chunk")[0]));
    }

    [Fact]
    public async Task What_happened_while_a_room_was_open_may_be_seen_after_it_was_closed()
    {
        var (alice, eve, invited) = (await api.RegisterUserAsync(), await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var (gone, forgetful) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice, new { preset = "public_chat" });
        await api.JoinAsync(gone, room);
        var before = await api.SayAsync(alice, room, "before");
        await api.LeaveAsync(gone, room);
        await api.JoinAsync(forgetful, room);
        await api.LeaveAsync(forgetful, room);
        (await api.PostAsync(forgetful, Room(room, "forget"), "{}")).RequireOk();
        await SeenAsync(alice, room, "world_readable");
        var open = await api.SayAsync(alice, room, "open");
        var reply = await ReplyAsync(alice, room, open);
        await SeenAsync(alice, room, "shared");
        var closed = await api.SayAsync(alice, room, "closed");
        var hidden = await ReplyAsync(alice, room, open);
        await SeenAsync(alice, room, "world_readable");
        var again = await api.SayAsync(alice, room, "open again");
        await SeenAsync(alice, room, "invited");
        await SeenAsync(alice, room, "joined");
        await api.SetStateAsync(alice, room, "m.room.topic", new { topic = "secret" });

        (await api.PostAsync(alice, Room(room, "invite"), new { user_id = invited.Id })).RequireOk();

        Assert.Equal(again, (await GetAsync(gone, Room(room, $"event/{again}"))).GetProperty("event_id").GetString());
        (await api.GetAsync(gone, Room(room, $"event/{closed}"))).Require(404, "M_NOT_FOUND");
        (await api.GetAsync(forgetful, Room(room, $"event/{open}"))).Require(404, "M_NOT_FOUND");
        foreach (var user in new[] { eve, invited })
        {
            Assert.Equal("leave", Membership(await GetAsync(user, Room(room, $"event/{again}"))));
            foreach (var id in new[] { before, closed, hidden })
            {
                (await api.GetAsync(user, Room(room, $"event/{id}"))).Require(404, "M_NOT_FOUND");
                (await api.GetAsync(user, Room(room, $"context/{id}"))).Require(403, "M_FORBIDDEN");
            }
            var context = await GetAsync(user, Room(room, $"context/{open}?limit=20"));
            Assert.DoesNotContain("secret", context.GetRawText(), StringComparison.Ordinal);
            string[] around = [.. Ids(context.GetProperty("events_before")), .. Ids(context.GetProperty("events_after"))];
            Assert.Contains(reply, around);
            Assert.Empty(around.Intersect([before, closed, hidden, again]));
            // Nor what was said of it behind closed doors.
            var thread = context.GetProperty("event").GetProperty("unsigned").GetProperty("m.relations").GetProperty("m.thread");
            Assert.Equal((1, reply), (thread.GetProperty("count").GetInt32(), thread.GetProperty("latest_event").GetProperty("event_id").GetString()));
            Assert.Equal([reply], Ids((await GetAsync(user, Room(room, $"relations/{open}", "v1"))).GetProperty("chunk")));
            (await api.GetAsync(user, Room(room, "messages?dir=b"))).Require(403, "M_FORBIDDEN");
            (await api.GetAsync(user, Room(room, "state"))).Require(403, "M_FORBIDDEN");
        }
    }
}
