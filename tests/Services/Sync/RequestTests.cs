using Matrix.ServiceTests.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Matrix.ServiceTests.Sync;

/// <summary>Parameters, filters, waiting.</summary>
public sealed class RequestTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    [Theory]
    [InlineData("since=s72594_4483_1934")]
    [InlineData("since=s1_q")]
    [InlineData("timeout=soon")]
    [InlineData("timeout=-1")]
    [InlineData("full_state=yes")]
    [InlineData("set_presence=asleep")]
    [InlineData("filter=12345")]
    [InlineData("filter=nonsense")]
    [InlineData("filter=%7Bbroken")]
    [InlineData("filter=%7B%22room%22%3A5%7D")]
    public async Task A_parameter_that_makes_no_sense_is_refused(string query)
    {
        var answer = await fixture.NewUser().CallAsync(fixture.One, HttpMethod.Get, $"/_matrix/client/v3/sync?{query}", status: 400);
        Assert.Equal("M_INVALID_PARAM", answer.Text("errcode"));
    }

    [Fact]
    public async Task Without_a_token_there_is_no_answer()
    {
        var (status, body) = await fixture.One.JsonAsync(HttpMethod.Get, "/_matrix/client/v3/sync");
        Assert.Equal((401, "M_MISSING_TOKEN"), (status, body.Text("errcode")));
    }

    [Theory]
    [InlineData("/_matrix/client/v2/events")]
    [InlineData("/_matrix/client/v1/sync")]
    public async Task Versions_that_an_endpoint_never_had_are_not_recognized(string path) =>
        Assert.Equal("M_UNRECOGNIZED", (await fixture.NewUser().CallAsync(fixture.Two, HttpMethod.Get, path, status: 404)).Text("errcode"));

    [Fact]
    public async Task A_token_of_the_future_waits_and_then_gets_nothing_rather_than_the_past()
    {
        var alice = fixture.NewUser();
        await alice.CreateRoomAsync();
        var answer = await alice.SyncAsync("s1_e99999999r1a1t1d1p1y1");
        Assert.Null(answer.Json.At("rooms"));
        Assert.Contains("e99999999", answer.Next);
    }

    [Fact]
    public async Task Labels_choose_events()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync();
        Task Say(string body, params string[] labels) =>
            alice.SayAsync(room, body, new Dictionary<string, object> { ["msgtype"] = "m.text", ["body"] = body, ["org.matrix.labels"] = labels });
        await Say("fun", "#fun");
        await Say("work", "#work");
        await Say("both", "#fun", "#work");
        await alice.SayAsync(room, "none");
        Task<SyncAnswer> Only(object timeline) => alice.SyncAsync(filter: new { room = new { timeline } });
        Dictionary<string, object> Filter(string name, params string[] labels) => new() { [name] = labels, ["types"] = new[] { "m.room.message" } };
        Assert.Equal(["fun", "both"], (await Only(Filter("org.matrix.labels", "#fun"))).Joined(room)!.Bodies);
        Assert.Equal(["fun", "none"], (await Only(Filter("org.matrix.not_labels", "#work"))).Joined(room)!.Bodies);
        var mixed = Filter("org.matrix.labels", "#work");
        mixed["org.matrix.not_labels"] = new[] { "#fun" };
        Assert.Equal(["work"], (await Only(mixed)).Joined(room)!.Bodies);
    }

    [Fact]
    public async Task A_stored_filter_is_used_by_its_id()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync();
        await alice.SayAsync(room, "x");
        var id = await alice.NewFilterAsync(new { room = new { timeline = new { types = new[] { "m.room.message" } } } });
        foreach (var host in new[] { fixture.One, fixture.Two }) Assert.Equal(["x"], (await alice.SyncAsync(filter: id, at: host)).Joined(room)!.Bodies);
    }

    [Fact]
    public async Task Filters_choose_rooms_types_and_senders()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var (one, two) = (await alice.CreateRoomAsync(), await alice.CreateRoomAsync());
        await bob.JoinAsync(one);
        await bob.SayAsync(one, "of bob");
        await alice.SayAsync(one, "of alice");
        Assert.Equal([two], (await alice.SyncAsync(filter: new { room = new { not_rooms = new[] { one } } })).JoinedRooms);
        Assert.Equal([one], (await alice.SyncAsync(filter: new { room = new { rooms = new[] { one } } })).JoinedRooms);
        var of = (await alice.SyncAsync(filter: new { room = new { timeline = new { senders = new[] { bob.Id }, types = new[] { "m.room.*" }, not_types = new[] { "m.room.member" } } } }));
        Assert.Equal(["of bob"], of.Joined(one)!.Bodies);
        Assert.Empty((await alice.SyncAsync(filter: new { account_data = new { not_types = new[] { "*" } } })).AccountData);
        var noState = await alice.SyncAsync(filter: new { room = new { timeline = new { limit = 1 }, state = new { types = new[] { "m.room.create" } } } });
        Assert.Equal(["m.room.create|"], noState.Joined(one)!.StateKeys);
    }

    [Fact]
    public async Task State_that_the_timeline_filter_hides_is_told_as_state()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync();
        var filter = new { room = new { timeline = new { types = new[] { "m.room.message" } } } };
        var since = (await alice.SyncAsync(filter: filter)).Next;
        await alice.SetAsync(room, "m.room.topic", new { topic = "first" });
        await alice.SayAsync(room, "x");
        await alice.SetAsync(room, "m.room.topic", new { topic = "second" });
        var part = (await alice.SyncAsync(since, filter)).Joined(room)!;
        Assert.Equal(["x"], part.Bodies);
        Assert.Equal("second", Assert.Single(part.State).GetProperty("content").Text("topic"));
    }

    [Fact]
    public async Task A_filter_that_matches_seldom_finds_what_is_far_back()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync();
        var rare = await alice.SendAsync(room, "x.rare", new { n = 1 });
        for (var i = 0; i < 70; i++) await alice.SayAsync(room, "noise");
        await using var cold = await fixture.StartAsync("cold");
        var part = (await alice.SyncAsync(filter: new { room = new { timeline = new { types = new[] { "x.rare" } } } }, at: cold)).Joined(room)!;
        Assert.Equal([rare], part.Ids);
        Assert.False(part.Limited);
    }

    [Fact]
    public async Task Event_fields_leave_only_what_was_asked_for()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync();
        await alice.SayAsync(room, "x");
        var e = (await alice.SyncAsync(filter: new { event_fields = new[] { "content.body", "type" } })).Joined(room)!.Timeline[^1];
        Assert.Equal("""{"content":{"body":"x"},"type":"m.room.message"}""", e.GetRawText());
    }

    [Fact]
    public async Task The_federation_format_is_the_event_as_servers_exchange_it()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync();
        await alice.SayAsync(room, "x");
        var e = (await alice.SyncAsync(filter: new { event_format = "federation" })).Joined(room)!.Timeline[^1];
        foreach (var member in new[] { "hashes", "signatures", "auth_events", "prev_events", "depth", "room_id" }) Assert.True(e.TryGetProperty(member, out _), member);
    }

    [Fact]
    public async Task A_parked_request_is_answered_by_the_first_event_and_not_by_others_news()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var (shared, other) = (await alice.CreateRoomAsync(), await bob.CreateRoomAsync());
        await bob.JoinAsync(shared);
        var since = (await alice.SyncAsync(at: fixture.Two)).Next;
        var parked = alice.SyncAsync(since, at: fixture.Two, timeout: 30_000);
        await bob.SayAsync(other, "elsewhere");
        Assert.False(parked.IsCompleted);
        var id = await bob.SayAsync(shared, "here");
        Assert.Equal([id], (await parked).Joined(shared)!.Ids);
    }

    [Fact]
    public async Task When_the_time_is_over_an_empty_answer_comes()
    {
        var alice = fixture.NewUser();
        var since = (await alice.SyncAsync()).Next;
        Assert.True((await alice.SyncAsync(since, timeout: 50)).IsEmpty);
    }

    [Fact]
    public async Task A_client_that_hangs_up_leaves_nothing_behind()
    {
        var alice = fixture.NewUser();
        var since = (await alice.SyncAsync(at: fixture.Two)).Next;
        using var hangUp = new CancellationTokenSource();
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/_matrix/client/v3/sync?timeout=60000&set_presence=offline&since={since}");
        request.Headers.Authorization = new("Bearer", $"{alice.Id}|{alice.Device}");
        var parked = fixture.Two.Http.SendAsync(request, hangUp.Token);
        var waiting = new WaitingRequests(fixture.Two);
        await waiting.UntilAsync(alice.Id, true);
        await hangUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => parked);
        await waiting.UntilAsync(alice.Id, false);
    }

    [Fact]
    public async Task A_process_that_stops_answers_whoever_waits()
    {
        var alice = fixture.NewUser();
        var host = await fixture.StartAsync("stopping");
        var since = (await alice.SyncAsync(at: host)).Next;
        var parked = alice.SyncAsync(since, at: host, timeout: 60_000);
        await new WaitingRequests(host).UntilAsync(alice.Id, true);
        host.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();
        Assert.True((await parked).IsEmpty);
        await host.DisposeAsync();
    }
}
