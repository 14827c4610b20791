namespace Matrix.ServiceTests.Sync;

/// <summary>What a client makes a room's name of.</summary>
public sealed class SummaryTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    [Fact]
    public async Task The_summary_counts_members_and_names_five_heroes()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync();
        var others = Enumerable.Range(0, 6).Select(_ => fixture.NewUser()).ToList();
        foreach (var other in others) await other.JoinAsync(room);
        var guest = fixture.NewUser();
        await alice.InviteAsync(room, guest);
        var first = await alice.SyncAsync();
        Assert.Equal(others.Take(5).Select(o => o.Id), first.Joined(room)!.Heroes);
        Assert.Equal((7, 1), (first.Joined(room)!.JoinedCount, first.Joined(room)!.InvitedCount));
        await others[0].LeaveAsync(room);
        var second = (await alice.SyncUntilAsync(first.Next, a => a.Joined(room) is not null)).Joined(room)!;
        Assert.Equal(others.Skip(1).Take(5).Select(o => o.Id), second.Heroes);
        Assert.Equal(6, second.JoinedCount);
    }

    [Fact]
    public async Task Heroes_of_an_empty_room_are_those_who_left()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        await bob.LeaveAsync(room);
        Assert.Equal([bob.Id], (await alice.SyncAsync()).Joined(room)!.Heroes);
    }

    [Fact]
    public async Task Heroes_come_when_the_room_loses_its_name()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync(new { preset = "public_chat", name = "N" });
        await bob.JoinAsync(room);
        var first = await alice.SyncAsync();
        Assert.Null(first.Joined(room)!.Heroes);
        await alice.SetAsync(room, "m.room.name", new { });
        foreach (var host in new[] { fixture.One, fixture.Two })
            Assert.Equal([bob.Id], (await alice.SyncUntilAsync(first.Next, a => a.Joined(room) is not null, host)).Joined(room)!.Heroes);
    }
}
