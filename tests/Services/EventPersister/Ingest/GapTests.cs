using Matrix.Events;
using Matrix.Rooms.Ingest;
using Matrix.Storage.Events;
using Matrix.Testing;

namespace Matrix.ServiceTests.EventPersister.Ingest;

/// <summary>Events whose parents are not here, and history that comes later than what followed it.</summary>
public sealed class GapTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    private static readonly TestUser Alice = TestUser.Of("@alice:remote.example"), Carol = TestUser.Of("@carol:third.example");

    private async Task<RemoteRoom> EnterAsync(string version = "11") =>
        await RemoteRoom.EnterAsync(fixture, version, await fixture.NewUserAsync(), Carol);

    [Fact]
    public async Task Events_between_are_fetched_and_come_before_the_one_that_needed_them()
    {
        var entered = await EnterAsync();
        var room = entered.Room;
        var first = room.Events.Count;
        room.Say(Alice, "1").Set(Alice, EventTypes.Topic, """{"topic":"x"}""").Say(Carol, "2").Leave(Carol).Say(Alice, "3");
        await entered.AcceptedAsync(room.Last);
        Assert.Equal(room.Events.Skip(first).Select(e => e.EventId), (await entered.TimelineAsync()).TakeLast(5));
        Assert.Equal([room.Last.EventId], await entered.ExtremitiesAsync());
        Assert.Equal(["get_missing_events"], fixture.Remote.Asked(room.RoomId));
        await entered.IsAtAsync(room);
        await entered.StatesAreRightAsync();
    }

    [Theory]
    [InlineData(14)]
    [InlineData(60)]
    public async Task Across_a_wide_gap_the_state_is_asked_for(int changes)
    {
        var entered = await EnterAsync();
        var room = entered.Room;
        for (var i = 0; i < changes; i++) room.Set(Alice, "org.example.state", "{}", $"key{i}");
        room.Set(Alice, EventTypes.Topic, """{"topic":"x"}""");
        for (var i = 0; i < 12; i++) room.Say(Alice, $"{i}");
        await entered.AcceptedAsync(room.Last);
        await entered.IsAtAsync(room);
        await entered.StatesAreRightAsync();
        Assert.Contains(fixture.Remote.Asked(room.RoomId), a => a.StartsWith("state_ids ", StringComparison.Ordinal));
        var before = await fixture.CountAsync("select count(*) from missing_parents m join rooms r using (room_nid) where r.room_id = $1", room.RoomId);
        // What fills the gap later is no end of the room and does not change what it is.
        Pdu[] between = [.. room.Events.Where(e => e.Depth < room.Last.Depth && e.Depth > room.Last.Depth - 40)];
        await entered.LiveAsync(between);
        await entered.IsAtAsync(room);
        await entered.StatesAreRightAsync();
        Assert.Contains(room.Last.EventId, await entered.ExtremitiesAsync());
        var after = await fixture.CountAsync("select count(*) from missing_parents m join rooms r using (room_nid) where r.room_id = $1", room.RoomId);
        Assert.True(after <= before, $"{before} parents were missing, and then {after}");
    }

    [Fact]
    public async Task A_parent_that_nobody_has_costs_its_child_and_nothing_else()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await RemoteRoom.EnterAsync(fixture, "11", bob, Carol);
        var room = entered.Room;
        var before = room.Fork();
        var stranger = Room.Version("11").Public().With(Alice);
        fixture.Remote.Know(stranger);
        room.Say(Alice, "kept back");
        fixture.Remote.Withheld.Add(room.Last.EventId);
        var kept = room.Last;
        room.Say(Alice, "orphan");
        var orphan = room.Last;
        // The state can be had all the same: the server that sent it says what it was.
        var verdict = await entered.VerdictAsync(orphan);
        Assert.Equal(IngestVerdict.Accepted, verdict.Verdict);
        Assert.Empty(await fixture.Events.ByIdsAsync([kept.EventId], default));
        var unknown = Room.Version("11").Public().With(Alice).Say(Alice, "a").Say(Alice, "b");
        Assert.Equal(IngestVerdict.Dropped, Assert.Single((await RemoteRoom.Ingestor(fixture.One).IngestAsync(
            new PduIngest(entered.Id, RemoteRoom.Origin, IngestMode.Live, [unknown.Last.Json]), default)).Pdus).Verdict);
        (await bob.SendAsync(entered.Id, "still here")).Ok();
        await entered.IsAtAsync(before);
    }

    [Fact]
    public async Task History_enters_before_everything_else_with_the_states_of_its_time()
    {
        var bob = await fixture.NewUserAsync();
        var room = Room.Version("11").Public().With(Alice, Carol);
        for (var i = 0; i < 30; i++)
        {
            if (i % 5 == 0) room.Set(Alice, EventTypes.Topic, $$"""{"topic":"{{i}}"}""");
            else room.Say(Carol, $"{i}");
        }
        fixture.Remote.Know(room);
        var entered = new RemoteRoom(fixture, room);
        await entered.EnterAsync(TestUser.Of(bob.Id));
        var join = room.Last;
        (await bob.SendAsync(entered.Id, "here")).Ok();
        var state = await entered.StateAsync();
        var from = join.PrevEvents;
        for (var page = 0; page < 4; page++)
        {
            var events = (await fixture.Remote.BackfillAsync("", room.RoomId, from, 12, default))!.Select(j => Pdu.TryReadUntrusted(j.Span, room.RoomVersion, out var e) is null ? e! : null!).ToList();
            var result = await entered.IngestAsync(page % 2 == 0 ? fixture.One : fixture.Two, IngestMode.Backfill, events);
            Assert.All(result.Pdus, p => Assert.True(p.Verdict is IngestVerdict.Accepted or IngestVerdict.Known, $"{p.EventId}: {p.Verdict} {p.Reason}"));
            Assert.Equal(0, result.Position);
            from = events[^1].PrevEvents;
            if (from.Length == 0) break;
        }
        // The room as it is now is untouched, and the timeline is the whole room in order.
        Assert.Equal(state.OrderBy(p => p.Value), (await entered.StateAsync()).OrderBy(p => p.Value));
        Assert.Equal(room.Events.Select(e => e.EventId), (await entered.TimelineAsync()).SkipLast(1));
        Assert.True((await entered.StoredAsync(room.Events[0].EventId)).Position < 0);
        await entered.StatesAreRightAsync();
        Assert.Equal(0, await fixture.CountAsync("select count(*) from missing_parents m join rooms r using (room_nid) where r.room_id = $1", room.RoomId));
        // Every event knows its parents now.
        Assert.Equal(0, await fixture.CountAsync(
            "select count(*) from events e join rooms r using (room_nid) where r.room_id = $1 and cardinality(e.prev_nids) = 0 and e.type <> 'm.room.create'", room.RoomId));
        (await bob.SendAsync(entered.Id, "still")).Ok();
    }
}
