using Matrix.Background.Duties;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Rooms.Ingest;
using Matrix.Rooms.Writing;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;
using Matrix.Storage.Streams;
using Matrix.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Matrix.ServiceTests.EventPersister.Ingest;

/// <summary>Events of other servers as they happen: forks, rejected and soft-failed events, duplicates, outliers that become events.</summary>
public sealed class LiveTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    private static readonly TestUser Alice = TestUser.Of("@alice:remote.example"), Carol = TestUser.Of("@carol:third.example");

    public static TheoryData<string> Versions => [.. RoomVersions.All.Select(v => v.Id)];

    [Theory, MemberData(nameof(Versions))]
    public async Task A_room_is_entered_with_the_state_that_another_server_gives(string version)
    {
        var bob = await fixture.NewUserAsync();
        var entered = await RemoteRoom.EnterAsync(fixture, version, bob, Carol);
        await entered.IsAtAsync(entered.Room);
        Assert.Equal([entered.Room.Last.EventId], await entered.ExtremitiesAsync());
        // Our user speaks, and what he says follows his join.
        var said = (await bob.SendAsync(entered.Id, "hello")).Ok().EventId;
        Assert.Equal([entered.Room.Last.EventId], (await entered.StoredAsync(said)).Pdu.PrevEvents);
    }

    [Fact]
    public async Task Events_that_follow_each_other_are_taken_as_they_are()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await RemoteRoom.EnterAsync(fixture, "11", bob, Carol);
        var first = entered.Room.Events.Count;
        entered.Room.Say(Alice, "one").Set(Alice, EventTypes.Topic, """{"topic":"x"}""").Say(Carol, "two").Leave(Carol);
        Pdu[] news = [.. entered.Room.Events.Skip(first)];
        // Whatever their order in the transaction.
        await entered.AcceptedAsync([.. news.Reverse()]);
        await entered.IsAtAsync(entered.Room);
        await entered.StatesAreRightAsync();
        Assert.Equal(news.Select(e => e.EventId), (await entered.TimelineAsync()).TakeLast(4));
        Assert.Equal([entered.Room.Last.EventId], await entered.ExtremitiesAsync());
        Assert.All((await entered.LiveAsync(news)).Pdus, p => Assert.Equal(IngestVerdict.Known, p.Verdict));
        Assert.Equal(4, (await entered.TimelineAsync()).Count(news.Select(e => e.EventId).Contains));
    }

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
    public async Task What_its_own_auth_events_do_not_allow_is_rejected_and_changes_nothing()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await RemoteRoom.EnterAsync(fixture, "11", bob, Carol);
        var room = entered.Room;
        var before = room.Fork();
        var forged = room.Forged(Carol, EventTypes.Topic, """{"topic":"mine"}""", "", append: true);
        var verdict = await entered.VerdictAsync(forged);
        Assert.Equal(IngestVerdict.Rejected, verdict.Verdict);
        await entered.IsAtAsync(before);
        Assert.Equal([before.Last.EventId], await entered.ExtremitiesAsync());
        Assert.DoesNotContain(forged.EventId, await entered.TimelineAsync());
        // What follows a rejected event is judged as if that were nothing, and replaces the end before it.
        room.Say(Alice, "goes on");
        await entered.AcceptedAsync(room.Last);
        Assert.Equal([room.Last.EventId], await entered.ExtremitiesAsync());
        await entered.IsAtAsync(before);
    }

    [Fact]
    public async Task What_the_present_state_forbids_is_soft_failed()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await RemoteRoom.EnterAsync(fixture, "11", bob, Carol);
        var room = entered.Room;
        var fork = room.Fork();
        room.Ban(Carol, Alice);
        await entered.AcceptedAsync(room.Last);
        fork.Say(Carol, "from before the ban");
        var verdict = await entered.VerdictAsync(fork.Last);
        Assert.Equal(IngestVerdict.SoftFailed, verdict.Verdict);
        Assert.Equal([room.Last.EventId], await entered.ExtremitiesAsync());
        Assert.DoesNotContain(fork.Last.EventId, await entered.TimelineAsync());
        Assert.Equal(EventFlags.SoftFailed, (await entered.StoredAsync(fork.Last.EventId)).Flags);
        // Somebody else who did not think so cites it: that is taken, with the state of both branches.
        room.Merge(fork).Say(Alice, "both");
        await entered.AcceptedAsync(room.Last);
        Assert.Equal([room.Last.EventId], await entered.ExtremitiesAsync());
        await entered.IsAtAsync(room);
        await entered.StatesAreRightAsync();
    }

    [Fact]
    public async Task Bytes_that_are_not_what_was_signed_are_redacted_or_dropped()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await RemoteRoom.EnterAsync(fixture, "11", bob, Carol);
        var room = entered.Room;
        room.Say(Alice, "the truth");
        var altered = System.Text.Encoding.UTF8.GetString(room.Last.Json.Span);
        var result = await RemoteRoom.Ingestor(fixture.One).IngestAsync(new PduIngest(room.RoomId, RemoteRoom.Origin, IngestMode.Live,
        [
            System.Text.Encoding.UTF8.GetBytes(altered.Replace("the truth", "a lie", StringComparison.Ordinal)),
            System.Text.Encoding.UTF8.GetBytes(altered.Replace("\"depth\":", "\"depth\":1", StringComparison.Ordinal)),
            System.Text.Encoding.UTF8.GetBytes(altered.Replace(Alice.Id, Carol.Id, StringComparison.Ordinal)),
            "{"u8.ToArray(), "[]"u8.ToArray(), default, "{\"a\":1,\"a\":2}"u8.ToArray(),
        ]), default);
        Assert.Equal(
            [IngestVerdict.Accepted, .. Enumerable.Repeat(IngestVerdict.Dropped, 6)], result.Pdus.Select(p => p.Verdict));
        Assert.Equal("{}", System.Text.Encoding.UTF8.GetString((await entered.StoredAsync(room.Last.EventId)).Pdu.Content.Span));
    }

    [Fact]
    public async Task A_room_that_is_not_here_takes_nothing_and_another_room_s_events_stay_out()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await RemoteRoom.EnterAsync(fixture, "11", bob, Carol);
        var other = await RemoteRoom.EnterAsync(fixture, "11", bob, Carol);
        var nowhere = Room.Version("11").Public().With(Alice).Say(Alice, "x");
        var result = await RemoteRoom.Ingestor(fixture.One).IngestAsync(new PduIngest(nowhere.RoomId, RemoteRoom.Origin, IngestMode.Live, [nowhere.Last.Json]), default);
        Assert.Equal(IngestVerdict.Dropped, Assert.Single(result.Pdus).Verdict);
        other.Room.Say(Alice, "over there");
        Assert.Equal(IngestVerdict.Dropped, (await entered.VerdictAsync(other.Room.Last)).Verdict);
        Assert.Empty(await fixture.Events.ByIdsAsync([other.Room.Last.EventId], default));
    }

    [Fact]
    public async Task An_outlier_becomes_an_event_when_it_comes_in_its_place()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await RemoteRoom.EnterAsync(fixture, "11", bob, Carol);
        var room = entered.Room;
        room.Set(Alice, EventTypes.Topic, """{"topic":"x"}""");
        var topic = room.Last;
        Assert.Equal(IngestVerdict.Accepted, Assert.Single((await entered.IngestAsync(fixture.One, IngestMode.Outliers, [topic])).Pdus).Verdict);
        Assert.Equal(EventFlags.Outlier, (await entered.StoredAsync(topic.EventId)).Flags);
        Assert.DoesNotContain(topic.EventId, await entered.TimelineAsync());
        await entered.AcceptedAsync(topic);
        Assert.Equal(EventFlags.None, (await entered.StoredAsync(topic.EventId)).Flags);
        await entered.IsAtAsync(room);
        Assert.Equal(IngestVerdict.Known, Assert.Single((await entered.IngestAsync(fixture.One, IngestMode.Outliers, [topic])).Pdus).Verdict);
    }

    [Fact]
    public async Task A_redaction_from_elsewhere_empties_its_target_whichever_comes_first()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await RemoteRoom.EnterAsync(fixture, "11", bob, Carol);
        var room = entered.Room;
        room.Say(Carol, "bad");
        var first = room.Last;
        room.Redact(Alice, first.EventId);
        await entered.AcceptedAsync(first, room.Last);
        Assert.Equal("{}", Content(await entered.StoredAsync(first.EventId)));
        // The redaction of what is not here yet, on another branch.
        var fork = room.Fork().Say(Carol, "worse");
        var second = fork.Last;
        room.Redact(Alice, second.EventId);
        await entered.AcceptedAsync(room.Last);
        await entered.AcceptedAsync(second);
        Assert.Equal("{}", Content(await entered.StoredAsync(second.EventId)));
        // Somebody who may not.
        room.Say(Alice, "good");
        var third = room.Last;
        room.Redact(Carol, third.EventId);
        await entered.AcceptedAsync(third, room.Last);
        Assert.NotEqual("{}", Content(await entered.StoredAsync(third.EventId)));
    }

    private static string Content(StoredEvent e) => System.Text.Encoding.UTF8.GetString(e.Pdu.Content.Span);

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

    [Fact]
    public async Task Two_persisters_that_fight_for_a_room_take_everything_in_and_order_it_the_same()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await RemoteRoom.EnterAsync(fixture, "11", bob, Carol);
        var room = entered.Room;
        var branches = new[] { room, room.Fork(), room.Fork() };
        var batches = new List<Pdu[]>();
        for (var i = 0; i < 60; i++)
        {
            var branch = branches[i % 3];
            if (i % 5 == 0) branch.Set(Alice, EventTypes.Topic, $$"""{"topic":"{{i}}"}""");
            else branch.Say(i % 2 == 0 ? Alice : Carol, $"{i}");
            batches.Add([branch.Last]);
        }
        // Each branch in its order, at either persister, while a client sends at both; the same event sometimes at both at once.
        var taking = Enumerable.Range(0, 3).Select(b => Task.Run(async () =>
        {
            for (var i = b; i < batches.Count; i += 3)
            {
                PersisterHost[] hosts = i % 4 == 0 ? [fixture.One, fixture.Two] : [i % 2 == 0 ? fixture.One : fixture.Two];
                var verdicts = await Task.WhenAll(hosts.Select(h => AtAsync(entered, h, batches[i])));
                Assert.Equal(1, verdicts.Count(v => v == IngestVerdict.Accepted));
                Assert.All(verdicts, v => Assert.True(v is IngestVerdict.Accepted or IngestVerdict.Known));
            }
        }));
        var sending = Task.Run(async () =>
        {
            for (var i = 0; i < 30; i++)
            {
                var txn = $"fight{i}";
                while ((await bob.At(i % 2 == 0 ? fixture.One : fixture.Two).SendAsync(entered.Id, $"ours {i}", txn)).Status == 503) { }
            }
        });
        await Task.WhenAll([.. taking, sending]);
        var timeline = await entered.TimelineAsync();
        Assert.All(batches, b => Assert.Single(timeline, b[0].EventId));
        Assert.Equal(30, (await fixture.TimelineAsync(entered.Id)).Count(e => e.Pdu.Sender == bob.Id && !e.Pdu.IsState));
        // Parents stand before children, and no end of the graph is cited by another event.
        var place = timeline.Select((id, i) => (id, i)).ToDictionary(p => p.id, p => p.i);
        foreach (var e in await fixture.TimelineAsync(entered.Id))
            foreach (var parent in e.Pdu.PrevEvents) if (place.TryGetValue(parent, out var at)) Assert.True(at < place[e.Pdu.EventId]);
        var cited = (await fixture.TimelineAsync(entered.Id)).SelectMany(e => e.Pdu.PrevEvents).ToHashSet();
        Assert.Equal(timeline.Where(id => !cited.Contains(id)).Order(), await entered.ExtremitiesAsync());
        await entered.StatesAreRightAsync();
    }

    private static async Task<IngestVerdict> AtAsync(RemoteRoom entered, PersisterHost host, Pdu[] pdus)
    {
        while (true)
        {
            try
            {
                return Assert.Single((await entered.IngestAsync(host, IngestMode.Live, pdus)).Pdus).Verdict;
            }
            catch (MatrixException e) when (e.Error.Status == 503)
            {
                // Busy beyond patience: nothing was written, the same events come again.
            }
        }
    }

    [Fact]
    public async Task What_one_persister_takes_in_another_goes_on_with()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await RemoteRoom.EnterAsync(fixture, "12", bob, Carol);
        var room = entered.Room;
        var fork = room.Fork();
        for (var i = 0; i < 6; i++)
        {
            var branch = i % 2 == 0 ? room : fork;
            branch.Set(Alice, EventTypes.Topic, $$"""{"topic":"{{i}}"}""");
            var host = i % 3 == 0 ? fixture.Two : fixture.One;
            Assert.Equal(IngestVerdict.Accepted, Assert.Single((await entered.IngestAsync(host, IngestMode.Live, [branch.Last])).Pdus).Verdict);
            await entered.IsAtAsync(room.Fork().Merge(fork));
        }
        await entered.StatesAreRightAsync();
        (await bob.At(fixture.Two).SendAsync(entered.Id, "and so on")).Ok();
        Assert.Single(await entered.ExtremitiesAsync());
    }

    [Fact]
    public async Task Guests_leave_a_room_that_another_server_closes_to_them()
    {
        var guest = await fixture.NewUserAsync(guest: true);
        var bob = await fixture.NewUserAsync();
        var room = Room.Version("11").Public().With(Alice, Carol);
        room.Set(Alice, EventTypes.GuestAccess, """{"guest_access":"can_join"}""");
        fixture.Remote.Know(room);
        var entered = new RemoteRoom(fixture, room);
        await entered.EnterAsync(TestUser.Of(guest.Id));
        (await bob.JoinAsync(entered.Id)).Ok();
        async Task<string?> MembershipAsync(User user) => (await fixture.StateAsync(entered.Id))[new(EventTypes.Member, user.Id)].Pdu.Membership;
        Assert.Equal("join", await MembershipAsync(guest));
        room.Set(Alice, EventTypes.GuestAccess, """{"guest_access":"forbidden"}""");
        await entered.AcceptedAsync(room.Last);
        Assert.Equal(("leave", "join"), (await MembershipAsync(guest), await MembershipAsync(bob)));
    }
}
