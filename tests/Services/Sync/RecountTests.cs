namespace Matrix.ServiceTests.Sync;

/// <summary>Unread counts follow what decides about them, wherever and whenever they are asked for.</summary>
public sealed class RecountTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private static string RuleOf(string room) => $"/_matrix/client/v3/pushrules/global/room/{Uri.EscapeDataString(room)}";

    private Task MuteAsync(SyncUser user, string room) => user.CallAsync(fixture.One, HttpMethod.Put, RuleOf(room), new { actions = Array.Empty<string>() });

    private async Task<(SyncUser Alice, SyncUser Bob, string Busy, string Quiet)> RoomsAsync()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var (busy, quiet) = (await alice.CreateRoomAsync(), await alice.CreateRoomAsync());
        foreach (var room in new[] { busy, quiet }) await bob.JoinAsync(room);
        for (var i = 0; i < 2; i++) await bob.SayAsync(busy, "x");
        await alice.SayAsync(quiet, "read by its sender");
        await alice.ReceiptAsync(quiet, await bob.SayAsync(quiet, "last"));
        return (alice, bob, busy, quiet);
    }

    [Fact]
    public async Task Changed_rules_tell_the_counts_of_rooms_with_something_unread_again()
    {
        var (alice, _, busy, quiet) = await RoomsAsync();
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var first = await alice.SyncAsync(at: host);
            Assert.Equal(2, first.Joined(busy)!.Unread);
            await MuteAsync(alice, busy);
            var muted = await alice.SyncUntilAsync(first.Next, a => a.AccountData.Count > 0, host);
            Assert.Equal((0, 0), (muted.Joined(busy)!.Unread, muted.Joined(busy)!.Timeline.Count));
            Assert.Null(muted.Joined(quiet));
            await alice.CallAsync(fixture.One, HttpMethod.Delete, RuleOf(busy));
            var loud = await alice.SyncUntilAsync(muted.Next, a => a.AccountData.Count > 0, host);
            Assert.Equal(2, loud.Joined(busy)!.Unread);
            Assert.True((await alice.SyncAsync(loud.Next, at: host)).IsEmpty);
            Assert.Equal(2, (await alice.SyncAsync(first.Next, at: host)).Joined(busy)!.Unread);
        }
    }

    [Fact]
    public async Task Whom_somebody_ignores_counts_no_more_whoever_counted_before()
    {
        var (alice, bob, busy, _) = await RoomsAsync();
        var since = (await alice.SyncAsync(at: fixture.Two)).Next;
        await alice.SetAccountDataAsync("m.ignored_user_list", new { ignored_users = new Dictionary<string, object> { [bob.Id] = new { } } });
        foreach (var host in new[] { fixture.Two, fixture.One })
        {
            var answer = await alice.SyncUntilAsync(since, a => a.AccountData.Count > 0, host);
            Assert.Equal(0, answer.Joined(busy)!.Unread);
            Assert.Equal(0, (await alice.SyncAsync(at: host)).Joined(busy)!.Unread);
        }
    }

    [Fact]
    public async Task Sliding_sync_tells_them_again_in_its_first_form()
    {
        var (alice, _, busy, quiet) = await RoomsAsync();
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List()));
            await client.StepAsync(at: host);
            await MuteAsync(alice, busy);
            var muted = await client.UntilAsync(a => a.Room(busy) is not null, at: host);
            Assert.Equal((0, 0), (muted.Room(busy)!.Json.GetProperty("notification_count").GetInt32(), muted.Room(busy)!.Timeline.Count));
            Assert.Null(muted.Room(quiet));
            await alice.CallAsync(fixture.One, HttpMethod.Delete, RuleOf(busy));
            Assert.Equal(2, (await client.UntilAsync(a => a.Room(busy) is not null, at: host)).Room(busy)!.Json.GetProperty("notification_count").GetInt32());
        }
    }
}
