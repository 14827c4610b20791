namespace Matrix.ServiceTests.Sync;

/// <summary>Invites of users who want none. Spec: client-server-api/#invite-permission</summary>
public sealed class InviteBlockTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private const string Type = "m.invite_permission_config";

    [Fact]
    public async Task Invites_that_are_there_are_not_told_to_who_blocks_them()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        var since = (await bob.SyncAsync()).Next;
        await alice.InviteAsync(room, bob);
        await bob.SetAccountDataAsync(Type, new { default_action = "block" });
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            Assert.Null((await bob.SyncAsync(at: host)).Invited(room));
            Assert.Null((await bob.SyncUntilAsync(since, a => a.AccountData.Any(e => e.Text("type") == Type), host)).Invited(room));
        }
        Assert.Equal(0, (await new SlidingClient(bob, SlidingClient.Lists(SlidingClient.List())).StepAsync()).Count());
    }

    [Fact]
    public async Task They_are_told_once_blocking_has_ended()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await alice.InviteAsync(room, bob);
        await bob.SetAccountDataAsync(Type, new { default_action = "block" });
        var sliding = new SlidingClient(bob, SlidingClient.Lists(SlidingClient.List()));
        Assert.Equal(0, (await sliding.StepAsync()).Count());
        await bob.SetAccountDataAsync(Type, new { });
        Assert.NotNull((await bob.SyncAsync()).Invited(room));
        Assert.Equal(1, (await sliding.StepAsync()).Count());
    }
}
