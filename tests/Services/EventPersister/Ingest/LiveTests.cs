using Matrix.Events;
using Matrix.Rooms.Ingest;
using Matrix.Storage.Events;
using Matrix.Testing;

namespace Matrix.ServiceTests.EventPersister.Ingest;

/// <summary>Events of other servers as they happen: rejected and soft-failed events, duplicates, outliers that become events.</summary>
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
