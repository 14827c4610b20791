using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Rooms;
using Matrix.Storage.Accounts;
using Matrix.Storage.Events;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.EventPersister;

/// <summary>Who sees which events. Spec: client-server-api/#room-history-visibility</summary>
public sealed class VisibilityTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    private EventVisibility Visibility => new(fixture.States, fixture.Rooms, fixture.Events);

    private async Task<List<string>> SeenAsync(string room, string user, bool asRows = false)
    {
        IReadOnlyList<StoredEvent> events = await fixture.TimelineAsync(room);
        // As Sync has them: from the stream, without their snapshot.
        if (asRows) events = [.. events.Select(e => e with { SnapshotNid = null })];
        return [.. (await Visibility.FilterAsync(new UserId(user), events, CancellationToken.None)).Where(e => e.Pdu.Type == "m.room.message").Select(e => e.Pdu.ContentString("body"u8)!)];
    }

    /// <summary>before - invited - joined - left - joined again - after.</summary>
    private async Task<(string Room, User Bob)> StoryAsync(string visibility)
    {
        var alice = await fixture.NewUserAsync();
        var bob = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync(new { initial_state = new[] { new { type = "m.room.history_visibility", content = new { history_visibility = visibility } } } });
        (await alice.SendAsync(room, "before")).Ok();
        (await alice.InviteAsync(room, bob)).Ok();
        (await alice.SendAsync(room, "invited")).Ok();
        (await bob.JoinAsync(room)).Ok();
        (await alice.SendAsync(room, "joined")).Ok();
        (await bob.LeaveAsync(room)).Ok();
        (await alice.SendAsync(room, "left")).Ok();
        return (room, bob);
    }

    [Theory]
    [InlineData("joined", "joined", "joined")]
    [InlineData("invited", "invited,joined", "invited,joined")]
    [InlineData("shared", "before,invited,joined", "before,invited,joined,left")]
    [InlineData("world_readable", "before,invited,joined,left", "before,invited,joined,left")]
    [InlineData("nonsense", "before,invited,joined", "before,invited,joined,left")]
    public async Task By_visibility_and_membership_at_the_event(string visibility, string afterLeaving, string afterComingBack)
    {
        var (room, bob) = await StoryAsync(visibility);
        var alice = (await fixture.TimelineAsync(room))[0].Pdu.Sender;
        Assert.Equal(afterLeaving.Split(','), await SeenAsync(room, bob.Id));
        Assert.Equal(afterLeaving.Split(','), await SeenAsync(room, bob.Id, asRows: true));
        Assert.Equal(["before", "invited", "joined", "left"], await SeenAsync(room, alice));
        Assert.Equal(visibility == "world_readable" ? 4 : 0, (await SeenAsync(room, "@stranger:test.example")).Count);

        (await (await OwnerAsync(room)).InviteAsync(room, bob)).Ok();
        (await bob.JoinAsync(room)).Ok();
        Assert.Equal(afterComingBack.Split(','), await SeenAsync(room, bob.Id));
        Assert.Equal(afterComingBack.Split(','), await SeenAsync(room, bob.Id, asRows: true));
    }

    /// <summary>How he sees each message: Whole, Pruned or Hidden, by their first letters.</summary>
    private async Task<string> SightsAsync(string room, string user, bool asRows = false)
    {
        var messages = (await fixture.TimelineAsync(room)).FindAll(e => e.Pdu.Type == "m.room.message").ConvertAll(e => asRows ? e with { SnapshotNid = null } : e);
        var seen = (await Aware.FilterAsync(new UserId(user), messages, CancellationToken.None)).ToDictionary(e => e.EventNid);
        Assert.All(seen.Values, e => Assert.Equal(e.IsPruned, e.Pdu.Content.Span.SequenceEqual("{}"u8)));
        return string.Concat(messages.Select(m => !seen.TryGetValue(m.EventNid, out var e) ? 'H' : e.IsPruned ? 'P' : 'W'));
    }

    /// <summary>Of whoever is erased now.</summary>
    private EventVisibility Aware => new(fixture.States, fixture.Rooms, fixture.Events, erased: new ErasedUsers(
        new ErasedUserReader(fixture.Database), fixture.One.Services.GetRequiredService<IStreamFollower>()));

    [Theory]
    [InlineData("joined", "HHWH", "HHWH", "HHHH")]
    [InlineData("invited", "HPWH", "HPWH", "HHHH")]
    [InlineData("shared", "PPWH", "PPWP", "HHHH")]
    [InlineData("world_readable", "PPWP", "PPWP", "PPPP")]
    public async Task Of_an_erased_user_only_those_see_the_words_who_were_joined_then(string visibility, string afterLeaving, string afterComingBack, string stranger)
    {
        var (room, bob) = await StoryAsync(visibility);
        var alice = await OwnerAsync(room);
        Assert.DoesNotContain('P', await SightsAsync(room, bob.Id));
        await EraseAsync(alice.Id, true);
        foreach (var asRows in new[] { false, true }) Assert.Equal(afterLeaving, await SightsAsync(room, bob.Id, asRows));
        await EraseAsync(alice.Id, false);
        (await alice.InviteAsync(room, bob)).Ok();
        (await bob.JoinAsync(room)).Ok();
        await EraseAsync(alice.Id, true);
        foreach (var asRows in new[] { false, true })
        {
            Assert.Equal(afterComingBack, await SightsAsync(room, bob.Id, asRows));
            Assert.Equal(stranger, await SightsAsync(room, "@stranger:test.example", asRows));
            Assert.Equal("WWWW", await SightsAsync(room, alice.Id, asRows));
        }
    }

    [Fact]
    public async Task Of_an_erased_user_the_name_goes_and_what_he_made_of_the_room_stays()
    {
        var alice = await fixture.NewUserAsync(displayName: "Alice Liddell");
        var bob = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync(new { preset = "public_chat", name = "Wonderland" });
        (await bob.JoinAsync(room)).Ok();
        await EraseAsync(alice.Id, true);
        var seen = await Aware.FilterAsync(new UserId(bob.Id), await fixture.TimelineAsync(room), CancellationToken.None);
        Assert.Equal("Wonderland", seen.Single(e => e.Pdu.Type == "m.room.name").Pdu.ContentString("name"u8));
        var member = Assert.Single(seen, e => e.Pdu.StateKey == alice.Id).Pdu;
        Assert.Equal(("join", null), (member.Membership, member.ContentString("displayname"u8)));
        Assert.NotNull(seen.Single(e => e.Pdu.StateKey == bob.Id).Pdu.ContentString("displayname"u8));
    }

    private async Task EraseAsync(string user, bool erased)
    {
        await using var command = fixture.Source.CreateCommand("update users set erased = $2 where user_id = $1");
        command.Parameters.AddWithValue(user);
        command.Parameters.AddWithValue(erased);
        await command.ExecuteNonQueryAsync();
    }

    private readonly Dictionary<string, User> owners = [];

    private async Task<User> OwnerAsync(string room)
    {
        var id = (await fixture.TimelineAsync(room))[0].Pdu.Sender;
        if (owners.TryGetValue(id, out var known)) return known;
        var token = Matrix.Web.Auth.AccessTokens.New(new UserId(id));
        await fixture.Database.InTransactionAsync<object?>(async tx =>
        {
            await Matrix.Storage.Accounts.AccessTokenStore.InsertAsync(tx, Matrix.Storage.Accounts.AccessTokenStore.Hash(token), id, "D2", 0, null, CancellationToken.None);
            return null;
        }, CancellationToken.None);
        return owners[id] = new User(id, token, fixture.One);
    }

    [Fact]
    public async Task A_changed_visibility_holds_from_its_event_on()
    {
        var alice = await fixture.NewUserAsync();
        var bob = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync(new { preset = "public_chat" });
        (await alice.SendAsync(room, "shared")).Ok();
        (await alice.SetStateAsync(room, "m.room.history_visibility", "", new { history_visibility = "joined" })).Ok();
        (await alice.SendAsync(room, "joined")).Ok();
        (await alice.SetStateAsync(room, "m.room.history_visibility", "", new { history_visibility = "world_readable" })).Ok();
        (await alice.SendAsync(room, "world")).Ok();
        Assert.Equal(["world"], await SeenAsync(room, bob.Id));
        (await bob.JoinAsync(room)).Ok();
        Assert.Equal(["shared", "world"], await SeenAsync(room, bob.Id));
    }

    [Fact]
    public async Task Own_member_events_and_the_change_of_visibility_show()
    {
        var (room, bob) = await StoryAsync("joined");
        var timeline = await fixture.TimelineAsync(room);
        var seen = await Visibility.FilterAsync(new UserId(bob.Id), timeline, CancellationToken.None);
        Assert.Equal(["join", "leave"], seen.Where(e => e.Pdu.StateKey == bob.Id).Select(e => e.Pdu.Membership));
        Assert.DoesNotContain(seen, e => e.Pdu.ContentString("body"u8) == "before");
        Assert.Equal(Sight.Hidden, await Visibility.SightAsync(new UserId(bob.Id), timeline[^1], CancellationToken.None));
    }

    [Fact]
    public async Task Of_several_rooms_each_has_its_own_answer()
    {
        var (hidden, bob) = await StoryAsync("joined");
        var (open, _) = await StoryAsync("world_readable");
        List<StoredEvent> both = [.. await fixture.TimelineAsync(hidden), .. await fixture.TimelineAsync(open)];
        var seen = (await Visibility.FilterAsync(new UserId(bob.Id), both, CancellationToken.None)).Where(e => e.Pdu.Type == "m.room.message").ToList();
        Assert.Equal((1, 4), (seen.Count(e => e.Pdu.RoomId == hidden), seen.Count(e => e.Pdu.RoomId == open)));
    }

    public static TheoryData<string, string> Transitions()
    {
        var all = new TheoryData<string, string>();
        string[] visibilities = ["joined", "invited", "shared", "world_readable"];
        foreach (var before in visibilities) foreach (var after in visibilities) if (before != after) all.Add(before, after);
        return all;
    }

    /// <summary>Bob is in from the beginning and leaves at the end, Carol comes when all is said, Dave is invited then, Eve never was there.</summary>
    [Theory]
    [MemberData(nameof(Transitions))]
    public async Task Each_visibility_followed_by_each_other_one(string before, string after)
    {
        var (alice, bob, carol, dave) = (await fixture.NewUserAsync(), await fixture.NewUserAsync(), await fixture.NewUserAsync(), await fixture.NewUserAsync());
        var room = await alice.CreateRoomAsync(new
        {
            preset = "public_chat", initial_state = new[] { new { type = "m.room.history_visibility", content = new { history_visibility = before } } },
        });
        (await bob.JoinAsync(room)).Ok();
        (await alice.SendAsync(room, "one")).Ok();
        var change = (await alice.SetStateAsync(room, "m.room.history_visibility", "", new { history_visibility = after })).Ok().EventId;
        (await alice.SendAsync(room, "two")).Ok();
        (await bob.LeaveAsync(room)).Ok();
        (await alice.SendAsync(room, "three")).Ok();
        (await carol.JoinAsync(room)).Ok();
        (await alice.InviteAsync(room, dave)).Ok();

        static bool Later(string visibility) => visibility is "shared" or "world_readable";
        var open = new Dictionary<string, Func<string, bool>>
        {
            // Whoever comes later sees what is shared; who left or never came sees what is open to the world.
            [carol.Id] = Later, [dave.Id] = v => v == "world_readable", ["@stranger:test.example"] = v => v == "world_readable",
        };
        foreach (var (user, sees) in open)
        {
            var expected = new List<string>();
            if (sees(before)) expected.Add("one");
            if (sees(after)) expected.AddRange(["two", "three"]);
            Assert.Equal(expected, await SeenAsync(room, user));
            Assert.Equal(expected, await SeenAsync(room, user, asRows: true));
            // The change itself shows to those who see what is on either side of it.
            var e = (await fixture.Events.ByIdsAsync([change], CancellationToken.None))[0];
            Assert.Equal(sees(before) || sees(after) ? Sight.Whole : Sight.Hidden, await Visibility.SightAsync(new UserId(user), e, CancellationToken.None));
        }
        List<string> bobs = ["one", "two"];
        if (after == "world_readable") bobs.Add("three");
        Assert.Equal(bobs, await SeenAsync(room, bob.Id));
        Assert.Equal(["one", "two", "three"], await SeenAsync(room, alice.Id));
    }
}
