using System.Text.Json;
using Matrix.ServiceTests.Hosting;

namespace Matrix.ServiceTests.Sync;

/// <summary>/events and /initialSync, as clients of the first API use them.</summary>
public sealed class LegacyTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private sealed record Chunk(JsonElement Json)
    {
        public string Start => Json.Text("start");
        public string End => Json.Text("end");
        public List<JsonElement> All => [.. Json.GetProperty("chunk").EnumerateArray()];
        /// <summary>Without presence: who asks is online from then on.</summary>
        public List<JsonElement> Events => All.FindAll(e => e.Text("type") != "m.presence");
        public List<string> Bodies => [.. Events.Where(e => e.Text("type") == "m.room.message").Select(e => e.GetProperty("content").Text("body"))];
        public JsonElement? Of(string type) => All.Where(e => e.Text("type") == type).Select(e => (JsonElement?)e).FirstOrDefault();
    }

    private async Task<Chunk> EventsAsync(SyncUser user, string query = "", ServiceHost? at = null, int status = 200) =>
        new(await user.CallAsync(at ?? fixture.One, HttpMethod.Get, $"/_matrix/client/v3/events?{query}", status: status));

    private Task<Chunk> PeekUntilAsync(SyncUser user, string room, string from, Func<Chunk, bool> done, ServiceHost at) =>
        UntilAsync(user, from, done, at, $"&room_id={Uri.EscapeDataString(room)}");

    private async Task<Chunk> UntilAsync(SyncUser user, string from, Func<Chunk, bool> done, ServiceHost? at = null, string query = "")
    {
        for (var i = 0; i < 50; i++)
        {
            var chunk = await EventsAsync(user, $"from={from}&timeout=20000{query}", at);
            if (done(chunk)) return chunk;
            from = chunk.End;
        }
        throw new TimeoutException("never came");
    }

    private async Task<JsonElement> InitialAsync(SyncUser user, string query = "", ServiceHost? at = null) =>
        await user.CallAsync(at ?? fixture.One, HttpMethod.Get, $"/_matrix/client/api/v1/initialSync?{query}");

    private static JsonElement Room(JsonElement answer, string room) => answer.GetProperty("rooms").EnumerateArray().Single(r => r.Text("room_id") == room);

    [Fact]
    public async Task Events_since_the_token_come_in_order_with_their_rooms()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var (one, two) = (await alice.CreateRoomAsync(), await alice.CreateRoomAsync());
        await bob.JoinAsync(one);
        await alice.SayAsync(one, "before");
        var start = (await EventsAsync(alice)).End;
        await alice.SayAsync(one, "1");
        await alice.SayAsync(two, "2");
        await bob.SayAsync(one, "3");
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var chunk = await EventsAsync(alice, $"from={start}", host);
            Assert.Equal(start, chunk.Start);
            Assert.Equal(["1", "2", "3"], chunk.Bodies);
            Assert.Equal([one, two, one], chunk.Events.Where(e => e.Text("type") == "m.room.message").Select(e => e.Text("room_id")));
            Assert.Equal(bob.Id, chunk.Events[^1].Text("user_id"));
            Assert.Empty((await EventsAsync(alice, $"from={chunk.End}", host)).Events);
        }
    }

    [Fact]
    public async Task Many_events_come_in_several_answers_and_each_once()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync();
        var from = (await EventsAsync(alice)).End;
        for (var i = 0; i < 12; i++) await alice.SayAsync(room, $"{i}");
        var told = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            var chunk = await EventsAsync(alice, $"from={from}&limit=5");
            Assert.InRange(chunk.Bodies.Count, 1, 5);
            told.AddRange(chunk.Bodies);
            from = chunk.End;
        }
        Assert.Equal(Enumerable.Range(0, 12).Select(i => $"{i}"), told);
    }

    [Fact]
    public async Task Who_is_far_behind_is_told_everything_page_by_page()
    {
        var (alice, eve) = (fixture.NewUser(), fixture.NewUser());
        var (open, other) = (await alice.CreateRoomAsync(), await alice.CreateRoomAsync());
        await alice.SetAsync(open, "m.room.history_visibility", new { history_visibility = "world_readable" });
        var start = (await EventsAsync(alice)).End;
        var (said, peeked) = (new List<string>(), new List<string>());
        for (var i = 0; i < 150; i++)
        {
            said.Add($"{i}");
            if (i % 50 == 20) await alice.SayAsync(other, $"{i}");
            else
            {
                await alice.SayAsync(open, $"{i}");
                peeked.Add($"{i}");
            }
        }
        await using var cold = await fixture.StartAsync("behind");
        foreach (var host in new[] { fixture.One, cold })
        {
            Assert.Equal(said, await AllAsync(alice, "limit=40", host));
            Assert.Equal(peeked, await AllAsync(eve, $"limit=40&room_id={Uri.EscapeDataString(open)}", host));
        }

        async Task<List<string>> AllAsync(SyncUser user, string query, ServiceHost at)
        {
            var told = new List<string>();
            for (var (from, pages) = (start, 0); pages < 12; pages++)
            {
                var chunk = await EventsAsync(user, $"from={from}&{query}", at);
                Assert.InRange(chunk.Bodies.Count, 0, 40);
                told.AddRange(chunk.Bodies);
                from = chunk.End;
            }
            return told;
        }
    }

    [Fact]
    public async Task A_request_waits_for_what_comes()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var from = (await EventsAsync(alice)).End;
        var waiting = UntilAsync(alice, from, c => c.Bodies.Count > 0, fixture.Two);
        await bob.SayAsync(room, "now");
        Assert.Equal(["now"], (await waiting).Bodies);
    }

    [Fact]
    public async Task Receipts_typing_presence_and_account_data_are_events_too()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var id = await alice.SayAsync(room, "x");
        var from = (await EventsAsync(alice)).End;
        await bob.ReceiptAsync(room, id);
        await bob.TypingAsync(room, true);
        await alice.SetAccountDataAsync("x.global", new { n = 1 });
        await alice.SetRoomDataAsync(room, "x.room", new { n = 2 });
        var chunk = await EventsAsync(alice, $"from={from}");
        Assert.Equal(room, chunk.Of("m.receipt")!.Value.Text("room_id"));
        Assert.NotNull(chunk.Of("m.receipt")!.Value.At("content", id, "m.read", bob.Id));
        Assert.Equal(bob.Id, chunk.Of("m.typing")!.Value.GetProperty("content").GetProperty("user_ids")[0].GetString());
        Assert.False(chunk.Of("x.global")!.Value.TryGetProperty("room_id", out _));
        Assert.Equal(room, chunk.Of("x.room")!.Value.Text("room_id"));
        await bob.CallAsync(fixture.One, HttpMethod.Put, $"/_matrix/client/v3/presence/{bob.Id}/status", new { presence = "online", status_msg = "hi" });
        var presence = (await UntilAsync(alice, chunk.End, c => c.All.Exists(e => e.Text("type") == "m.presence" && e.Text("sender") == bob.Id)))
            .All.Last(e => e.Text("type") == "m.presence" && e.Text("sender") == bob.Id);
        Assert.Equal((bob.Id, "hi"), (presence.GetProperty("content").Text("user_id"), presence.GetProperty("content").Text("status_msg")));
    }

    [Fact]
    public async Task An_invitation_and_a_leave_are_told_as_member_events()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        var from = (await EventsAsync(bob)).End;
        await alice.InviteAsync(room, bob);
        var invited = await EventsAsync(bob, $"from={from}");
        Assert.Equal("invite", Assert.Single(invited.Events, e => e.Text("type") == "m.room.member").GetProperty("content").Text("membership"));
        await bob.JoinAsync(room);
        var joined = await EventsAsync(bob, $"from={invited.End}");
        Assert.Equal(["join"], joined.Events.Where(e => e.Text("type") == "m.room.member").Select(e => e.GetProperty("content").Text("membership")));
        await alice.SayAsync(room, "before");
        await bob.LeaveAsync(room);
        await alice.SayAsync(room, "after");
        var left = await EventsAsync(bob, $"from={joined.End}");
        Assert.Equal(["before"], left.Bodies);
        Assert.Equal("leave", left.Of("m.room.member")!.Value.GetProperty("content").Text("membership"));
    }

    [Fact]
    public async Task A_room_that_everybody_may_read_is_followed_from_outside()
    {
        var (alice, eve) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await EventsAsync(eve, $"room_id={Uri.EscapeDataString(room)}", status: 403);
        await EventsAsync(eve, "room_id=%21none%3Ax", status: 403);
        await alice.SetAsync(room, "m.room.history_visibility", new { history_visibility = "world_readable" });
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var from = (await EventsAsync(eve, $"room_id={Uri.EscapeDataString(room)}", host)).End;
            Assert.Empty((await EventsAsync(eve, $"from={from}&room_id={Uri.EscapeDataString(room)}", host)).Events);
            var waiting = PeekUntilAsync(eve, room, from, c => c.Bodies.Count > 0, host);
            var id = await alice.SayAsync(room, "news");
            var chunk = await waiting;
            Assert.Equal(["news"], chunk.Bodies);
            await alice.TypingAsync(room, true);
            var typing = await PeekUntilAsync(eve, room, chunk.End, c => c.Of("m.typing") is not null, host);
            Assert.Equal(alice.Id, typing.Of("m.typing")!.Value.GetProperty("content").GetProperty("user_ids")[0].GetString());
            await alice.TypingAsync(room, false);
            await alice.ReceiptAsync(room, id, "m.read.private");
            await alice.ReceiptAsync(room, id);
            await PeekUntilAsync(eve, room, typing.End, got =>
            {
                Assert.DoesNotContain("m.read.private", got.Json.GetRawText(), StringComparison.Ordinal);
                return got.Of("m.receipt") is not null;
            }, host);
        }
        var before = (await EventsAsync(eve, $"room_id={Uri.EscapeDataString(room)}")).End;
        await alice.SetAsync(room, "m.room.history_visibility", new { history_visibility = "joined" });
        await EventsAsync(eve, $"from={before}&room_id={Uri.EscapeDataString(room)}", status: 403);
    }

    [Theory]
    [InlineData("events?limit=hello")]
    [InlineData("events?limit=-2")]
    [InlineData("events?timeout=hello")]
    [InlineData("events?from=nonsense")]
    [InlineData("events?room_id=nonsense")]
    [InlineData("initialSync?limit=hello")]
    [InlineData("initialSync?archived=perhaps")]
    public async Task A_parameter_that_makes_no_sense_is_refused(string query) =>
        Assert.Equal("M_INVALID_PARAM", (await fixture.NewUser().CallAsync(fixture.One, HttpMethod.Get, "/_matrix/client/v3/" + query, status: 400)).Text("errcode"));

    [Fact]
    public async Task An_initial_sync_tells_rooms_presence_receipts_and_data()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync(new { preset = "public_chat", visibility = "public", name = "N" });
        var other = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var id = await bob.SayAsync(room, "1");
        await bob.SayAsync(room, "2");
        await bob.ReceiptAsync(room, id);
        await alice.SetAccountDataAsync("x.global", new { n = 1 });
        await alice.SetRoomDataAsync(room, "x.room", new { n = 2 });
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var answer = await InitialAsync(alice, "limit=2", host);
            Assert.Equal(2, answer.GetProperty("rooms").GetArrayLength());
            var part = Room(answer, room);
            Assert.Equal(("join", "public"), (part.Text("membership"), part.Text("visibility")));
            Assert.Equal("private", Room(answer, other).Text("visibility"));
            Assert.Equal(["1", "2"], part.At("messages", "chunk")!.Value.EnumerateArray().Select(e => e.GetProperty("content").Text("body")));
            Assert.Contains(part.GetProperty("state").EnumerateArray(), e => e.Text("type") == "m.room.name" && e.Text("room_id") == room);
            Assert.Contains(part.GetProperty("state").EnumerateArray(), e => RoomAnswer.Key(e) == $"m.room.member|{bob.Id}");
            Assert.Equal("x.room", Assert.Single(part.GetProperty("account_data").EnumerateArray()).Text("type"));
            Assert.Contains(answer.GetProperty("account_data").EnumerateArray(), d => d.Text("type") == "x.global");
            Assert.Contains(answer.GetProperty("receipts").EnumerateArray(), r => r.Text("room_id") == room && r.At("content", id, "m.read", bob.Id) is not null);
            Assert.Contains(answer.GetProperty("presence").EnumerateArray(), p => p.GetProperty("content").Text("user_id") == alice.Id);
            Assert.Empty((await EventsAsync(alice, $"from={answer.Text("end")}", host)).Events);
        }
        var earlier = (await InitialAsync(alice, "limit=1")).GetProperty("rooms").EnumerateArray().Single(r => r.Text("room_id") == room).At("messages")!.Value.Text("start");
        var page = await alice.GetAsync($"/rooms/{Uri.EscapeDataString(room)}/messages?dir=b&limit=1&from={earlier}");
        Assert.Equal("1", page.GetProperty("chunk")[0].GetProperty("content").Text("body"));
    }

    [Fact]
    public async Task An_initial_sync_has_invitations_and_on_request_rooms_that_were_left()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var (invited, left) = (await alice.CreateRoomAsync(), await alice.CreateRoomAsync());
        await bob.JoinAsync(left);
        await alice.SayAsync(left, "seen");
        await bob.LeaveAsync(left);
        await alice.SayAsync(left, "unseen");
        await alice.SetAsync(left, "m.room.topic", new { topic = "unseen" });
        await alice.InviteAsync(invited, bob);
        var answer = await InitialAsync(bob);
        var part = Assert.Single(answer.GetProperty("rooms").EnumerateArray());
        Assert.Equal(("invite", alice.Id), (part.Text("membership"), part.Text("inviter")));
        Assert.Equal(bob.Id, part.GetProperty("invite").Text("state_key"));
        var gone = Room(await InitialAsync(bob, "archived=true&limit=2"), left);
        Assert.Equal("leave", gone.Text("membership"));
        Assert.Equal("seen", gone.At("messages", "chunk")!.Value[0].GetProperty("content").Text("body"));
        Assert.DoesNotContain("unseen", gone.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_single_event_is_found_by_its_id_alone()
    {
        var (alice, eve) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync(new { preset = "private_chat" });
        var id = await alice.SayAsync(room, "x");
        Assert.Equal(room, (await alice.GetAsync($"/events/{Uri.EscapeDataString(id)}")).Text("room_id"));
        foreach (var (user, wanted) in new[] { (eve, id), (alice, "$none") })
            Assert.Equal("M_NOT_FOUND", (await user.CallAsync(fixture.One, HttpMethod.Get, $"/_matrix/client/v3/events/{Uri.EscapeDataString(wanted)}", status: 404)).Text("errcode"));
    }
}
