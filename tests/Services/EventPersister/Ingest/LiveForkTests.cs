using Matrix.Background.Duties;
using Matrix.Events;
using Matrix.Replication;
using Matrix.Rooms.Writing;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;
using Matrix.Storage.Streams;
using Matrix.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Matrix.ServiceTests.EventPersister.Ingest;

/// <summary>Forks that other servers make: what is resolved, what readers hear of it, and how their ends are joined.</summary>
public sealed class LiveForkTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    private static readonly TestUser Alice = TestUser.Of("@alice:remote.example"), Carol = TestUser.Of("@carol:third.example");

    [Fact]
    public async Task A_fork_is_resolved_and_readers_hear_what_moved()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await RemoteRoom.EnterAsync(fixture, "11", bob, Carol);
        var room = entered.Room;
        room.Levels(Alice, (Alice, 100), (Carol, 50));
        await entered.AcceptedAsync(room.Last);
        // Carol sets the topic here, while on the other branch alice has taken her power and set a name.
        var fork = room.Fork();
        room.Set(Carol, EventTypes.Topic, """{"topic":"of carol"}""");
        var topic = room.Last;
        await entered.AcceptedAsync(topic);
        await entered.IsAtAsync(room);
        fork.Levels(Alice, (Alice, 100));
        var levels = fork.Last;
        await entered.AcceptedAsync(levels);
        Assert.Equal(2, (await entered.ExtremitiesAsync()).Count);
        room.Merge(fork);
        await entered.IsAtAsync(room);
        // What the resolution took from the room is told with the event that brought it.
        Assert.DoesNotContain(new StateKey(EventTypes.Topic, ""), (await entered.StateAsync()).Keys);
        var stored = await entered.StoredAsync(levels.EventId);
        Assert.Equal(EventFlags.StateMoved, stored.Flags);
        var row = await RowAsync(stored.Position!.Value);
        var move = Assert.Single(row.Moves);
        Assert.Equal((EventTypes.Topic, "", 0L, (string?)null), (move.Type, move.StateKey, move.NowNid, move.EventId));
        Assert.True(row.IsCurrentState);
        // The next of our own events joins the branches.
        var said = (await bob.SendAsync(entered.Id, "joined")).Ok().EventId;
        Assert.Equal(2, (await entered.StoredAsync(said)).Pdu.PrevEvents.Length);
        await entered.IsAtAsync(room);
        await entered.StatesAreRightAsync();
    }

    private async Task<EventRow> RowAsync(long position)
    {
        var page = await new StreamStore(fixture.Database).ReadAsync(Streams.Events, position - 1, position, 1, default);
        return EventRow.Decode(Assert.Single(page.Rows));
    }

    [Fact]
    public async Task A_state_event_that_loses_against_another_fork_is_superseded()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await RemoteRoom.EnterAsync(fixture, "11", bob, Carol);
        var room = entered.Room;
        var fork = room.Fork();
        fork.Set(Alice, EventTypes.Topic, """{"topic":"first"}""");
        room.Set(Alice, EventTypes.Topic, """{"topic":"second"}""");
        await entered.AcceptedAsync(room.Last);
        await entered.AcceptedAsync(fork.Last);
        var winner = fork.Fork().Merge(room);
        await entered.IsAtAsync(winner);
        var won = winner.State[new StateKey(EventTypes.Topic, "")];
        Assert.Equal(room.Last.EventId, won);
        var lost = await entered.StoredAsync(fork.Last.EventId);
        Assert.Equal(EventFlags.Superseded, lost.Flags);
        Assert.False((await RowAsync(lost.Position!.Value)).IsCurrentState);
        // It is part of the timeline all the same.
        Assert.Contains(fork.Last.EventId, await entered.TimelineAsync());
    }

    [Fact]
    public async Task A_membership_that_moves_with_a_resolution_is_told_and_kept()
    {
        var bob = await fixture.NewUserAsync();
        var dave = TestUser.Of("@dave:third.example");
        var entered = await RemoteRoom.EnterAsync(fixture, "11", bob, Carol);
        var room = entered.Room;
        room.Levels(Alice, (Alice, 100), (Carol, 50));
        await entered.AcceptedAsync(room.Last);
        var fork = room.Fork();
        room.Invite(dave, Carol);
        await entered.AcceptedAsync(room.Last);
        fork.Kick(Carol, Alice);
        await entered.AcceptedAsync(fork.Last);
        room.Merge(fork);
        await entered.IsAtAsync(room);
        await entered.StatesAreRightAsync();
    }

    [Fact]
    public async Task Many_ends_are_joined_by_an_event_of_one_of_our_members()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await RemoteRoom.EnterAsync(fixture, "11", bob, Carol);
        var room = entered.Room;
        var branches = Enumerable.Range(0, 25).Select(_ => room.Fork()).ToList();
        for (var i = 0; i < branches.Count; i++) branches[i].Say(Alice, $"{i}");
        await entered.AcceptedAsync([.. branches.Select(b => b.Last)]);
        Assert.Equal(25, (await entered.ExtremitiesAsync()).Count);
        var duty = new JoinForksDuty(new ForkStore(fixture.Database), fixture.One.Services.GetRequiredService<IRoomWriter>(),
            new HomeserverName(PersisterFixture.ServerName), NullLogger<JoinForksDuty>.Instance);
        while (await duty.RunAsync(default) > 0) { }
        Assert.InRange((await entered.ExtremitiesAsync()).Count, 1, 10);
        var dummy = (await fixture.TimelineAsync(entered.Id))[^1];
        Assert.Equal((EventTypes.Dummy, bob.Id, 10), (dummy.Pdu.Type, dummy.Pdu.Sender, dummy.Pdu.PrevEvents.Length));
        // Where none of ours may send, nothing is tried for ever.
        room.Merge(branches[0]);
        room.Set(Alice, EventTypes.PowerLevels, $$"""{"users":{"{{Alice}}":100},"events_default":50}""");
        await entered.LiveAsync(room.Last);
        var more = Enumerable.Range(0, 12).Select(_ => room.Fork()).ToList();
        for (var i = 0; i < more.Count; i++) more[i].Say(Alice, $"more {i}");
        await entered.LiveAsync([.. more.Select(b => b.Last)]);
        var ends = (await entered.ExtremitiesAsync()).Count;
        while (await duty.RunAsync(default) > 0) { }
        Assert.Equal(ends, (await entered.ExtremitiesAsync()).Count);
    }
}
