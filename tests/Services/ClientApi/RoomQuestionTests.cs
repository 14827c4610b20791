using System.Text.Json;

namespace Matrix.ServiceTests.ClientApi;

public sealed class RoomQuestionTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private static string Room(string room, string rest) => $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/{rest}";
    private static string AtTime(string room, string query) => $"/_matrix/client/v1/rooms/{Uri.EscapeDataString(room)}/timestamp_to_event{query}";

    private async Task<long> TimeOfAsync(TestUser user, string room, string id) =>
        (await api.GetAsync(user, Room(room, $"event/{id}"))).RequireOk().Body.GetProperty("origin_server_ts").GetInt64();

    [Fact]
    public async Task The_event_nearest_to_a_time_is_found_in_both_directions()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice);
        await api.SetStateAsync(alice, room, "m.room.history_visibility", new { history_visibility = "joined" });
        var hidden = await api.SayAsync(alice, room, "hidden");
        await api.JoinAsync(bob, room);
        var last = await api.SayAsync(alice, room, "last");
        var time = await TimeOfAsync(alice, room, last);
        Assert.Equal(last, (await api.GetAsync(alice, AtTime(room, $"?ts={time + 10_000}&dir=b"))).RequireOk().Text("event_id"));
        Assert.Equal(last, (await api.GetAsync(alice, AtTime(room, $"?ts={time}&dir=f"))).RequireOk().Text("event_id"));
        var create = (await api.GetAsync(alice, AtTime(room, "?ts=0&dir=f"))).RequireOk();
        Assert.Equal("m.room.create", (await api.GetAsync(alice, Room(room, $"event/{create.Text("event_id")}"))).RequireOk().Text("type"));
        Assert.Equal(create.Body.GetProperty("origin_server_ts").GetInt64(), await TimeOfAsync(alice, room, create.Text("event_id")));
        (await api.GetAsync(alice, AtTime(room, $"?ts={time + 10_000}&dir=f"))).Require(404, "M_NOT_FOUND");
        (await api.GetAsync(alice, AtTime(room, "?ts=0&dir=b"))).Require(404, "M_NOT_FOUND");

        // What Bob may not see is passed over.
        var before = await TimeOfAsync(alice, room, hidden);
        Assert.NotEqual(hidden, (await api.GetAsync(bob, AtTime(room, $"?ts={before}&dir=f"))).RequireOk().Text("event_id"));
        (await api.GetAsync(await api.RegisterUserAsync(), AtTime(room, "?ts=0&dir=f"))).Require(403, "M_FORBIDDEN");
        (await api.GetAsync(alice, AtTime(room, "?dir=f"))).Require(400, "M_MISSING_PARAM");
        (await api.GetAsync(alice, AtTime(room, "?ts=x&dir=f"))).Require(400, "M_INVALID_PARAM");
        (await api.GetAsync(alice, AtTime(room, "?ts=0&dir=x"))).Require(400, "M_INVALID_PARAM");
    }

    [Fact]
    public async Task Mutual_rooms_are_those_that_both_are_in()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var rooms = new List<string>();
        for (var i = 0; i < 3; i++) rooms.Add(await api.CreateRoomAsync(alice));
        await api.JoinAsync(bob, rooms[0]);
        await api.JoinAsync(bob, rooms[1]);
        await api.LeaveAsync(bob, rooms[1]);
        const string path = "/_matrix/client/v1/mutual_rooms";
        var shared = (await api.GetAsync(alice, $"{path}?user_id={Uri.EscapeDataString(bob.Id)}")).RequireOk();
        Assert.Equal([rooms[0]], shared.Body.GetProperty("joined").EnumerateArray().Select(r => r.GetString()!));
        Assert.Equal(1, shared.Body.GetProperty("count").GetInt32());
        Assert.False(shared.Has("next_batch"));
        Assert.Empty((await api.GetAsync(alice, $"{path}?user_id=@nobody:else.example")).RequireOk().Body.GetProperty("joined").EnumerateArray());
        (await api.GetAsync(alice, path)).Require(400, "M_MISSING_PARAM");
        (await api.GetAsync(alice, $"{path}?user_id={Uri.EscapeDataString(alice.Id)}")).Require(400, "M_INVALID_PARAM");
        (await api.GetAsync(alice, $"{path}?user_id=nonsense")).Require(400, "M_INVALID_PARAM");
        (await api.GetAsync(alice, $"{path}?user_id={Uri.EscapeDataString(bob.Id)}&from=x")).Require(400, "M_INVALID_PARAM");
        (await api.GetAsync(null, path)).Require(401, "M_MISSING_TOKEN");
    }

    [Fact]
    public async Task Reports_are_kept_for_the_administrators()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice);
        var id = await api.SayAsync(alice, room, "bad words");
        (await api.PostAsync(bob, Room(room, $"report/{id}"), new { reason = "x" })).Require(404, "M_NOT_FOUND");
        await api.JoinAsync(bob, room);
        (await api.PostAsync(bob, Room(room, $"report/{id}"), new { reason = "rude", score = -100 })).RequireOk();
        (await api.PostAsync(bob, Room(room, $"report/{id}"), new { })).RequireOk();
        (await api.PostAsync(bob, Room(room, "report/$nothing"), new { })).Require(404, "M_NOT_FOUND");
        (await api.PostAsync(bob, Room(room, $"report/{id}"), new { reason = 7 })).Require(400, "M_BAD_JSON");
        (await api.PostAsync(bob, Room(room, $"report/{id}"), new { score = "x" })).Require(400, "M_BAD_JSON");
        (await api.PostAsync(bob, Room(room, $"report/{id}"), new { reason = new string('x', 10_001) })).Require(400, "M_BAD_JSON");
        (await api.PostAsync(bob, Room(room, "report"), new { reason = "spam" })).RequireOk();
        (await api.PostAsync(bob, Room(room, "report"), new { })).Require(400, "M_MISSING_PARAM");
        (await api.PostAsync(bob, Room("!nothing:test.example", "report"), new { reason = "spam" })).Require(404, "M_NOT_FOUND");
        (await api.PostAsync(bob, $"/_matrix/client/v3/users/{alice.Id}/report", new { reason = "troll" })).RequireOk();
        (await api.PostAsync(bob, "/_matrix/client/v3/users/@nobody:test.example/report", new { reason = "troll" })).RequireOk();
        (await api.PostAsync(bob, "/_matrix/client/v3/users/nonsense/report", new { reason = "troll" })).Require(400, "M_INVALID_PARAM");
        await using var command = api.Database.Source.CreateCommand(
            "select string_agg(kind || ':' || coalesce(reason, '-') || ':' || coalesce(score::text, '-'), ' ' order by report_id) from reports where reporter = $1");
        command.Parameters.AddWithValue(bob.Id);
        Assert.Equal("event:rude:-100 event:-:- room:spam:- user:troll:-", await command.ExecuteScalarAsync());
    }

    [Fact]
    public async Task A_room_is_told_whole_to_those_who_ask_as_of_old()
    {
        var (alice, bob, eve) = (await api.RegisterUserAsync(), await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice);
        await api.JoinAsync(bob, room);
        var said = await api.SayAsync(alice, room, "before");
        (await api.PostAsync(bob, Room(room, $"receipt/m.read/{said}"), "{}")).RequireOk();
        (await api.PutAsync(bob, $"/_matrix/client/v3/user/{bob.Id}/rooms/{Uri.EscapeDataString(room)}/account_data/x.y", new { z = 1 })).RequireOk();
        var all = (await api.GetAsync(bob, Room(room, "initialSync?limit=2"))).RequireOk();
        Assert.Equal("join", all.Text("membership"));
        var chunk = all.Body.GetProperty("messages").GetProperty("chunk");
        Assert.Equal(["m.room.member", "m.room.message"], chunk.EnumerateArray().Select(e => e.GetProperty("type").GetString()!).ToArray());
        Assert.Equal(alice.Id, chunk[1].GetProperty("user_id").GetString());
        Assert.Contains(all.Body.GetProperty("state").EnumerateArray(), e => e.GetProperty("type").GetString() == "m.room.create");
        Assert.Equal("x.y", all.Body.GetProperty("account_data")[0].GetProperty("type").GetString());
        // Every member, also those of whom nothing is known.
        Assert.Equal(new[] { alice.Id, bob.Id }.Order(), all.Body.GetProperty("presence").EnumerateArray().Select(p => p.GetProperty("content").GetProperty("user_id").GetString()!).Order());
        Assert.All(all.Body.GetProperty("presence").EnumerateArray(), p => Assert.Equal("offline", p.GetProperty("content").GetProperty("presence").GetString()));
        Assert.True(all.Body.GetProperty("receipts")[0].GetProperty("content").GetProperty(said).GetProperty("m.read").TryGetProperty(bob.Id, out _));
        var older = (await api.GetAsync(bob, Room(room, $"messages?dir=b&limit=1&from={all.Body.GetProperty("messages").GetProperty("start").GetString()}"))).RequireOk();
        Assert.NotEqual("m.room.message", older.Body.GetProperty("chunk")[0].GetProperty("type").GetString());

        await api.LeaveAsync(bob, room);
        await api.SayAsync(alice, room, "after");
        var left = (await api.GetAsync(bob, Room(room, "initialSync?limit=2"))).RequireOk();
        Assert.Equal("leave", left.Text("membership"));
        Assert.Equal(said, left.Body.GetProperty("messages").GetProperty("chunk")[0].GetProperty("event_id").GetString());
        Assert.Empty(left.Body.GetProperty("receipts").EnumerateArray());
        Assert.Empty((await api.GetAsync(alice, Room(room, "initialSync?limit=0"))).RequireOk().Body.GetProperty("messages").GetProperty("chunk").EnumerateArray());
        (await api.GetAsync(eve, Room(room, "initialSync"))).Require(403, "M_FORBIDDEN");
    }

    [Fact]
    public async Task Going_back_from_before_the_first_event_is_the_end()
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        await api.SayAsync(alice, room, "x");
        var first = (await api.GetAsync(alice, Room(room, "messages?dir=b&limit=50"))).RequireOk();
        var before = first.Text("end");
        var end = (await api.GetAsync(alice, Room(room, $"messages?dir=b&limit=50&from={before}"))).RequireOk();
        Assert.Empty(end.Body.GetProperty("chunk").EnumerateArray());
        Assert.Equal((before, false), (end.Text("start"), end.Has("end")));
        // The other way it is where the room begins.
        var again = (await api.GetAsync(alice, Room(room, $"messages?dir=f&limit=50&from={before}"))).RequireOk();
        Assert.Equal(first.Body.GetProperty("chunk").GetArrayLength(), again.Body.GetProperty("chunk").GetArrayLength());
    }

    [Fact]
    public async Task Messages_are_filtered_by_label_and_relation()
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        async Task<string> Send(object content) =>
            (await api.PutAsync(alice, Room(room, $"send/m.room.message/{Guid.NewGuid():N}"), JsonSerializer.Serialize(content))).RequireOk().Text("event_id");
        var fun = await Send(new Dictionary<string, object> { ["org.matrix.labels"] = new[] { "#fun", "#work" } });
        var work = await Send(new Dictionary<string, object> { ["org.matrix.labels"] = new[] { "#work" } });
        var reply = await Send(new Dictionary<string, object> { ["m.relates_to"] = new { rel_type = "m.thread", event_id = fun } });
        async Task<string[]> Messages(string filter) =>
            [.. (await api.GetAsync(alice, Room(room, $"messages?dir=b&limit=20&filter={Uri.EscapeDataString($"{{\"types\":[\"m.room.message\"],{filter}}}")}"))).RequireOk()
                .Body.GetProperty("chunk").EnumerateArray().Select(e => e.GetProperty("event_id").GetString()!)];
        Assert.Equal(["" + work, fun], await Messages("\"org.matrix.labels\":[\"#work\"]"));
        Assert.Equal(["" + work], await Messages("\"org.matrix.labels\":[\"#work\"],\"org.matrix.not_labels\":[\"#fun\"]"));
        Assert.Equal([reply, work], await Messages("\"org.matrix.not_labels\":[\"#fun\"]"));
        Assert.Equal(["" + reply], await Messages("\"org.matrix.msc3874.rel_types\":[\"m.thread\"]"));
        Assert.Equal([work, fun], await Messages("\"org.matrix.msc3874.not_rel_types\":[\"m.thread\"]"));
    }
}
