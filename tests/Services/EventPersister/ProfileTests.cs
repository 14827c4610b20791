using System.Text.Json;

namespace Matrix.ServiceTests.EventPersister;

public sealed class ProfileTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    private static string E(string part) => Uri.EscapeDataString(part);
    private static string PathOf(User user, string? field = null) => $"/profile/{E(user.Id)}" + (field is null ? "" : "/" + E(field));

    [Fact]
    public async Task A_changed_name_goes_into_all_rooms_that_the_user_is_in()
    {
        var alice = await fixture.NewUserAsync("alice", "Alice");
        var bob = await fixture.NewUserAsync();
        var rooms = await Task.WhenAll(Enumerable.Range(0, 5).Select(i => alice.At(i % 2 == 0 ? fixture.One : fixture.Two).CreateRoomAsync()));
        var left = await alice.CreateRoomAsync();
        (await alice.LeaveAsync(left)).Ok();
        var invited = await bob.CreateRoomAsync(new { invite = new[] { alice.Id } });
        (await alice.PutAsync(PathOf(alice, "displayname"), new { displayname = "Alicia" })).Ok();
        (await alice.PutAsync(PathOf(alice, "avatar_url"), new { avatar_url = "mxc://test.example/a" })).Ok();
        foreach (var room in rooms)
        {
            var member = (await fixture.StateAsync(room))[new("m.room.member", alice.Id)];
            Assert.Equal("""{"avatar_url":"mxc://test.example/a","displayname":"Alicia","membership":"join"}""", System.Text.Encoding.UTF8.GetString(member.Pdu.Content.Span));
            Assert.Equal("Alicia", JsonDocument.Parse(member.PrevContent).RootElement.GetProperty("displayname").GetString());
        }
        Assert.Equal("leave", (await fixture.StateAsync(left))[new("m.room.member", alice.Id)].Pdu.Membership);
        Assert.Equal("invite", (await fixture.StateAsync(invited))[new("m.room.member", alice.Id)].Pdu.Membership);
        // The new profile is what the next join carries, on both persisters.
        (await alice.At(fixture.Two).JoinAsync(invited)).Ok();
        Assert.Equal("Alicia", (await fixture.StateAsync(invited))[new("m.room.member", alice.Id)].Pdu.ContentString("displayname"u8));
        Assert.True(await fixture.CountAsync("select count(*) from stream_rows where stream = 'user_directory' and key = $1", alice.Id) > 0);
    }

    [Fact]
    public async Task Fields_are_set_read_and_removed()
    {
        var alice = await fixture.NewUserAsync("alice", "Alice");
        (await alice.PutAsync(PathOf(alice, "m.tz"), """{"m.tz":"Europe/London"}""")).Ok();
        (await alice.PutAsync(PathOf(alice, "org.example.pets"), """{"org.example.pets":{"b":[1,2],"a":null}}""")).Ok();
        var whole = (await alice.Host.SendAsync(HttpMethod.Get, null, "/_matrix/client/v3" + PathOf(alice), null)).Ok();
        Assert.Equal("""{"displayname":"Alice","m.tz":"Europe/London","org.example.pets":{"a":null,"b":[1,2]}}""", whole.Body.GetRawText());
        Assert.Equal("""{"m.tz":"Europe/London"}""", (await alice.GetAsync(PathOf(alice, "m.tz"))).Ok().Body.GetRawText());
        (await alice.DeleteAsync(PathOf(alice, "m.tz"))).Ok();
        (await alice.DeleteAsync(PathOf(alice, "m.tz"))).Ok();
        (await alice.GetAsync(PathOf(alice, "m.tz"))).Is(404, "M_NOT_FOUND");
        (await alice.DeleteAsync(PathOf(alice, "displayname"))).Ok();
        Assert.Equal("{}", (await alice.GetAsync(PathOf(alice, "displayname"))).Ok().Body.GetRawText());
        (await alice.GetAsync(PathOf(alice))).Ok();
    }

    [Fact]
    public async Task A_display_name_is_measured_in_characters()
    {
        var alice = await fixture.NewUserAsync();
        var name = string.Concat(Enumerable.Repeat("\U0001F600", 256));
        (await alice.PutAsync(PathOf(alice, "displayname"), new { displayname = name })).Ok();
        (await alice.PutAsync(PathOf(alice, "displayname"), new { displayname = name + "x" })).Is(400, "M_INVALID_PARAM");
    }

    [Fact]
    public async Task Wrong_requests_are_refused()
    {
        var alice = await fixture.NewUserAsync();
        var bob = await fixture.NewUserAsync();
        (await alice.PutAsync(PathOf(bob, "displayname"), new { displayname = "x" })).Is(403, "M_FORBIDDEN");
        (await alice.DeleteAsync(PathOf(bob, "displayname"))).Is(403, "M_FORBIDDEN");
        (await alice.PutAsync(PathOf(alice, "displayname"), new { name = "x" })).Is(400, "M_MISSING_PARAM");
        (await alice.PutAsync(PathOf(alice, "displayname"), new { displayname = 5 })).Is(400, "M_BAD_JSON");
        (await alice.PutAsync(PathOf(alice, "displayname"), new { displayname = new string('x', 257) })).Is(400, "M_INVALID_PARAM");
        (await alice.PutAsync(PathOf(alice, "Bad Key"), """{"Bad Key":1}""")).Is(400, "M_INVALID_PARAM");
        (await alice.PutAsync(PathOf(alice, "a" + new string('x', 255)), "{}")).Is(400, "M_KEY_TOO_LARGE");
        (await alice.PutAsync(PathOf(alice, "org.example.big"), $$"""{"org.example.big":"{{new string('x', 66_000)}}"}""")).Is(400, "M_PROFILE_TOO_LARGE");
        (await alice.PutAsync(PathOf(alice, "m.tz"), """{"m.tz":1}""")).Is(400, "M_BAD_JSON");
        (await alice.GetAsync("/profile/%40nobody%3Atest.example")).Is(404, "M_NOT_FOUND");
        (await alice.GetAsync("/profile/nonsense")).Is(400, "M_INVALID_PARAM");
    }
}
