using Matrix.Background;
using Matrix.Background.Delayed;
using Matrix.Rooms.Delayed;
using Matrix.Storage.DelayedEvents;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Matrix.ServiceTests.ClientApi;

/// <summary>ClientApi, a persister and the sender of delayed events.</summary>
public sealed class DelayedEventFixture : ClientApiFixture
{
    protected override void Add(IHostApplicationBuilder builder) => builder.AddBackground();
}

public sealed class DelayedEventTests(DelayedEventFixture api) : IClassFixture<DelayedEventFixture>
{
    private const string Path = "/_matrix/client/v1/delayed_events";
    private DelayedEventStore Store => api.Services.GetRequiredService<DelayedEventStore>();
    private static string Room(string room, string rest) => $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/{rest}";

    private Task<Answer> TryScheduleAsync(TestUser user, string room, object body, string txn = "", string type = "m.room.message") =>
        api.PutAsync(user, Room(room, $"delayed_event/{type}/{(txn.Length == 0 ? Guid.NewGuid().ToString("N") : txn)}"), body);

    private async Task<string> ScheduleAsync(TestUser user, string room, long delay, string text = "later", string txn = "") =>
        (await TryScheduleAsync(user, room, new { delay_ms = delay, content = new { msgtype = "m.text", body = text } }, txn)).RequireOk().Text("delay_id");

    private Task<Answer> ActAsync(TestUser user, string id, string action) => api.PostAsync(user, $"{Path}/{id}/{action}", "{}");

    private async Task<Answer> FinalisedAsync(TestUser user, string id)
    {
        var sender = api.Services.GetRequiredService<DelayedEventSender>();
        while (true)
        {
            await sender.SendDueAsync(CancellationToken.None);
            var answer = (await api.GetAsync(user, $"{Path}/{id}")).RequireOk();
            if (answer.Has("finalised_ts")) return answer;
        }
    }

    private async Task<string[]> SaidAsync(TestUser user, string room) =>
        [.. (await api.GetAsync(user, Room(room, "messages?dir=f&limit=100&filter=%7B%22types%22:%5B%22m.room.message%22%5D%7D"))).RequireOk().Body.GetProperty("chunk")
            .EnumerateArray().Select(e => e.GetProperty("content").TryGetProperty("body", out var body) ? body.GetString()! : "")];

    [Fact]
    public async Task An_event_is_sent_when_its_time_has_come_and_its_sender_knows_which_it_was()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice);
        await api.JoinAsync(bob, room);
        var id = await ScheduleAsync(alice, room, 1);
        var done = await FinalisedAsync(alice, id);
        var e = (await api.GetAsync(alice, Room(room, $"event/{done.Text("event_id")}"))).RequireOk().Body;
        Assert.Equal("later", e.GetProperty("content").GetProperty("body").GetString());
        Assert.Equal(id, e.GetProperty("unsigned").GetProperty("org.matrix.msc4140.delay_id").GetString());
        Assert.False((await api.GetAsync(bob, Room(room, $"event/{done.Text("event_id")}"))).RequireOk().Body.GetProperty("unsigned").TryGetProperty("delay_id", out _));
        Assert.Equal(["later"], await SaidAsync(bob, room));
        (await ActAsync(alice, id, "send")).RequireOk();
        (await ActAsync(alice, id, "cancel")).Require(409, "M_UNKNOWN");
        (await ActAsync(alice, id, "restart")).Require(409, "M_UNKNOWN");
        Assert.Equal(["later"], await SaidAsync(bob, room));
    }

    [Fact]
    public async Task Whoever_sleeps_until_the_next_one_is_told_of_an_earlier_one_alone()
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        async Task<long> ToldAsync(long delay)
        {
            const string Sql = "select count(*) from stream_rows where stream = 'caches' and key = 'delayed_events:next'";
            var before = (long)(await api.ScalarAsync(Sql))!;
            await ScheduleAsync(alice, room, delay);
            return (long)(await api.ScalarAsync(Sql))! - before;
        }
        // Nothing of other tests is left that is due earlier.
        await api.ExecuteAsync("update delayed_events set finalised_ts_ms = 1 where finalised_ts_ms is null");
        Assert.Equal((1, 0, 1), (await ToldAsync(60_000), await ToldAsync(70_000), await ToldAsync(50_000)));
    }

    [Fact]
    public async Task What_is_scheduled_can_be_listed_restarted_sent_and_cancelled()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice);
        var (late, early) = (await ScheduleAsync(alice, room, 800_000, "late"), await ScheduleAsync(alice, room, 700_000, "early"));
        var list = (await api.GetAsync(alice, Path)).RequireOk().Body.GetProperty("delayed_events").EnumerateArray().ToArray();
        Assert.Equal([early, late], list.Select(e => e.GetProperty("delay_id").GetString()!));
        Assert.Equal((room, "m.room.message", 700_000), (list[0].GetProperty("room_id").GetString(), list[0].GetProperty("type").GetString(), list[0].GetProperty("delay_ms").GetInt64()));
        Assert.Empty((await api.GetAsync(bob, Path)).RequireOk().Body.GetProperty("delayed_events").EnumerateArray());
        foreach (var action in new[] { "send", "cancel", "restart" }) (await ActAsync(bob, early, action)).Require(404, "M_NOT_FOUND");
        (await api.GetAsync(bob, $"{Path}/{early}")).Require(404, "M_NOT_FOUND");
        (await ActAsync(alice, early, "explode")).Require(400, "M_INVALID_PARAM");

        var before = (await Store.FindAsync(early, alice.Id, CancellationToken.None))!.ScheduledTsMs;
        (await ActAsync(alice, early, "restart")).RequireOk();
        Assert.True((await Store.FindAsync(early, alice.Id, CancellationToken.None))!.ScheduledTsMs >= before);
        (await ActAsync(alice, late, "send")).RequireOk();
        (await ActAsync(alice, early, "cancel")).RequireOk();
        (await ActAsync(alice, early, "cancel")).RequireOk();
        (await ActAsync(alice, early, "send")).Require(409, "M_UNKNOWN");
        Assert.Equal(["late"], await SaidAsync(alice, room));
        Assert.Empty((await api.GetAsync(alice, Path)).RequireOk().Body.GetProperty("delayed_events").EnumerateArray());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Its_sender_has_read_what_came_before_when_he_sends_it_himself(bool byHand)
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice);
        await api.JoinAsync(bob, room);
        await api.SayAsync(alice, room, "hello");
        var id = await ScheduleAsync(bob, room, byHand ? 600_000 : 1);
        if (byHand) (await ActAsync(bob, id, "send")).RequireOk();
        await FinalisedAsync(bob, id);
        Assert.Equal(["hello", "later"], await SaidAsync(bob, room));
        var notified = Assert.Single((await api.GetAsync(bob, "/_matrix/client/v3/notifications")).RequireOk().Body.GetProperty("notifications").EnumerateArray());
        Assert.Equal(byHand, notified.GetProperty("read").GetBoolean());
    }

    [Fact]
    public async Task What_is_claimed_by_two_is_sent_once()
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        var id = await ScheduleAsync(alice, room, 600_000);
        var e = (await Store.FindAsync(id, alice.Id, CancellationToken.None))!;
        var delivery = api.Services.GetRequiredService<DelayedEventDelivery>();
        var both = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => delivery.DeliverAsync(e, false, CancellationToken.None)));
        Assert.All(both, Assert.Null);
        Assert.Equal(["later"], await SaidAsync(alice, room));
    }

    [Fact]
    public async Task A_claimed_event_can_neither_be_cancelled_nor_claimed_again_until_the_claim_is_over()
    {
        var alice = await api.RegisterUserAsync();
        var id = await ScheduleAsync(alice, await api.CreateRoomAsync(alice), 600_000);
        Assert.NotNull((await Store.ClaimAsync(id, alice.Id, 1_000, 2_000, CancellationToken.None)).Event);
        Assert.Null((await Store.ClaimAsync(id, alice.Id, 1_500, 2_500, CancellationToken.None)).Event);
        Assert.Equal(DelayedChange.Sent, await Store.CancelAsync(id, alice.Id, 1_500, CancellationToken.None));
        Assert.NotNull((await Store.ClaimAsync(id, alice.Id, 2_000, 3_000, CancellationToken.None)).Event);
        await Store.ReleaseAsync(id, false, 2_050, CancellationToken.None);
        Assert.Equal(DelayedChange.Done, await Store.CancelAsync(id, alice.Id, 2_100, CancellationToken.None));
    }

    [Fact]
    public async Task What_the_room_refuses_then_is_kept_with_the_reason()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice);
        await api.JoinAsync(bob, room);
        var (now, later) = (await ScheduleAsync(bob, room, 600_000), await ScheduleAsync(bob, room, 600_000));
        await api.LeaveAsync(bob, room);
        // By hand it stays scheduled: what is wrong may be mended.
        (await ActAsync(bob, now, "send")).Require(403, "M_FORBIDDEN");
        Assert.False((await api.GetAsync(bob, $"{Path}/{now}")).RequireOk().Has("finalised_ts"));
        var delivery = api.Services.GetRequiredService<DelayedEventDelivery>();
        Assert.NotNull(await delivery.DeliverAsync((await Store.FindAsync(later, bob.Id, CancellationToken.None))!, false, CancellationToken.None));
        var done = (await api.GetAsync(bob, $"{Path}/{later}")).RequireOk();
        Assert.Equal("M_FORBIDDEN", done.Body.GetProperty("error").GetProperty("errcode").GetString());
        (await ActAsync(bob, later, "cancel")).RequireOk();
    }

    [Fact]
    public async Task State_and_redactions_can_be_delayed_under_all_names()
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        var said = await api.SayAsync(alice, room, "self-destructing");
        var redaction = (await TryScheduleAsync(alice, room, new { delay_ms = 1, content = new { redacts = said, reason = "time" } }, type: "m.room.redaction")).RequireOk().Text("delay_id");
        await FinalisedAsync(alice, redaction);
        Assert.Equal("{}", (await api.GetAsync(alice, Room(room, $"event/{said}"))).RequireOk().Body.GetProperty("content").GetRawText());

        var state = (await api.PutAsync(alice, Room(room, "state/x.y/z?org.matrix.msc4140.delay=1"), new { a = 1 })).RequireOk().Text("delay_id");
        await FinalisedAsync(alice, state);
        Assert.Equal(1, (await api.GetAsync(alice, Room(room, "state/x.y/z"))).RequireOk().Body.GetProperty("a").GetInt32());
        var old = (await api.PutAsync(alice, Room(room, "send/m.room.message/t?org.matrix.msc4140.delay=60000"), new { msgtype = "m.text", body = "x" })).RequireOk().Text("delay_id");
        (await api.PostAsync(alice, "/_matrix/client/unstable/org.matrix.msc4140/delayed_events/" + old, new { action = "send" })).RequireOk();
        Assert.Equal(["", "x"], await SaidAsync(alice, room));
    }

    [Fact]
    public async Task The_same_request_schedules_once_and_wrong_ones_not_at_all()
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        var id = await ScheduleAsync(alice, room, 60_000, txn: "same");
        Assert.Equal(id, await ScheduleAsync(alice, room, 60_000, txn: "same"));
        (await TryScheduleAsync(alice, room, new { content = new { } })).Require(400, "M_MISSING_PARAM");
        (await TryScheduleAsync(alice, room, new { delay_ms = 5 })).Require(400, "M_MISSING_PARAM");
        (await TryScheduleAsync(alice, room, new { delay_ms = "x", content = new { } })).Require(400, "M_BAD_JSON");
        (await TryScheduleAsync(alice, room, new { delay_ms = 5, content = "x" })).Require(400, "M_BAD_JSON");
        foreach (var delay in new[] { 0, -1 }) (await TryScheduleAsync(alice, room, new { delay_ms = delay, content = new { } })).Require(400, "M_INVALID_PARAM");
        (await TryScheduleAsync(alice, room, new { delay_ms = 86_400_001, content = new { } })).Require(403, "M_FORBIDDEN");
        (await TryScheduleAsync(alice, room, new { delay_ms = 5, state_key = alice.Id, content = new { membership = "leave" } }, type: "m.room.member")).Require(403, "M_FORBIDDEN");
        (await api.GetAsync(null, Path)).Require(401, "M_MISSING_TOKEN");
        for (var i = 1; i < 100; i++) await ScheduleAsync(alice, room, 60_000);
        var full = await TryScheduleAsync(alice, room, new { delay_ms = 5, content = new { } });
        full.Require(429, "M_LIMIT_EXCEEDED");
    }
}
