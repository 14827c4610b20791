using System.Text.Json;

namespace Matrix.ServiceTests.ClientApi;

public sealed class RoomDirectoryTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private static string Alias(string alias) => $"/_matrix/client/v3/directory/room/{Uri.EscapeDataString(alias)}";
    private static string Listing(string room) => $"/_matrix/client/v3/directory/list/room/{Uri.EscapeDataString(room)}";
    private const string PublicRooms = "/_matrix/client/v3/publicRooms";
    private static string[] Ids(Answer page) => [.. page.Body.GetProperty("chunk").EnumerateArray().Select(r => r.GetProperty("room_id").GetString()!)];

    [Fact]
    public async Task An_alias_is_made_found_and_removed_by_those_who_may()
    {
        var (alice, bob, eve) = (await api.RegisterUserAsync(), await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice);
        await api.JoinAsync(bob, room);
        var alias = $"#{api.NewName("h\u00e4fen/")}:test.example";
        (await api.GetAsync(null, Alias(alias))).Require(404, "M_NOT_FOUND");
        (await api.PutAsync(eve, Alias(alias), new { room_id = room })).Require(403, "M_FORBIDDEN");
        (await api.PutAsync(bob, Alias(alias), new { room_id = room })).RequireOk();
        Assert.Equal(409, (await api.PutAsync(alice, Alias(alias), new { room_id = room })).Status);
        var found = (await api.GetAsync(null, Alias(alias))).RequireOk();
        Assert.Equal((room, "test.example"), (found.Text("room_id"), found.Body.GetProperty("servers")[0].GetString()));
        Assert.Equal([alias], (await api.GetAsync(alice, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/aliases")).RequireOk()
            .Body.GetProperty("aliases").EnumerateArray().Select(a => a.GetString()));
        (await api.DeleteAsync(eve, Alias(alias))).Require(403, "M_FORBIDDEN");
        await api.SetStateAsync(alice, room, "m.room.canonical_alias", new { });
        (await api.DeleteAsync(alice, Alias(alias))).RequireOk();
        (await api.DeleteAsync(alice, Alias(alias))).Require(404, "M_NOT_FOUND");
    }

    [Fact]
    public async Task An_alias_that_goes_leaves_the_canonical_alias_too()
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        var (one, two) = ($"#{api.NewName("one")}:test.example", $"#{api.NewName("two")}:test.example");
        foreach (var alias in new[] { one, two }) (await api.PutAsync(alice, Alias(alias), new { room_id = room })).RequireOk();
        await api.SetStateAsync(alice, room, "m.room.canonical_alias", new { alias = one, alt_aliases = new[] { two } });
        (await api.DeleteAsync(alice, Alias(one))).RequireOk();
        var state = $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/state/m.room.canonical_alias";
        Assert.Equal($$"""{"alt_aliases":["{{two}}"]}""", (await api.GetAsync(alice, state)).RequireOk().Body.GetRawText());
        (await api.DeleteAsync(alice, Alias(two))).RequireOk();
        Assert.Equal("""{"alt_aliases":[]}""", (await api.GetAsync(alice, state)).RequireOk().Body.GetRawText());
    }

    [Theory]
    [InlineData("#x:elsewhere.example", "M_INVALID_PARAM")]
    [InlineData("#a b:test.example", "M_INVALID_PARAM")]
    [InlineData("nothing", "M_INVALID_PARAM")]
    public async Task Wrong_aliases_are_refused(string alias, string code)
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        (await api.PutAsync(alice, Alias(alias), new { room_id = room })).Require(400, code);
    }

    [Fact]
    public async Task Wrong_bodies_of_an_alias_are_refused()
    {
        var alice = await api.RegisterUserAsync();
        (await api.PutAsync(alice, Alias("#x:test.example"), "{}")).Require(400, "M_MISSING_PARAM");
        (await api.PutAsync(alice, Alias("#x:test.example"), """{"room_id":"room"}""")).Require(400, "M_INVALID_PARAM");
        (await api.PutAsync(alice, Alias("#x:test.example"), """{"room_id":"!nothing:test.example"}""")).Require(404, "M_NOT_FOUND");
        (await api.PutAsync(null, Alias("#x:test.example"), "{}")).Require(401, "M_MISSING_TOKEN");
    }

    [Fact]
    public async Task A_room_is_published_by_its_moderators()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice, new { preset = "public_chat", visibility = "private" });
        await api.JoinAsync(bob, room);
        Assert.Equal("private", (await api.GetAsync(null, Listing(room))).RequireOk().Text("visibility"));
        (await api.PutAsync(bob, Listing(room), """{"visibility":"public"}""")).Require(403, "M_FORBIDDEN");
        (await api.PutAsync(alice, Listing(room), """{"visibility":"open"}""")).Require(400, "M_INVALID_PARAM");
        (await api.PutAsync(alice, Listing(room), """{"visibility":"public"}""")).RequireOk();
        Assert.Equal("public", (await api.GetAsync(null, Listing(room))).RequireOk().Text("visibility"));
        (await api.GetAsync(null, Listing("!nothing:test.example"))).Require(404, "M_NOT_FOUND");
    }

    [Fact]
    public async Task Published_rooms_are_listed_largest_first_searched_and_paged_both_ways()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var mark = api.NewName("fleet");
        var rooms = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            rooms.Add(await api.CreateRoomAsync(alice, new { preset = "public_chat", visibility = "public", name = $"{mark} {i}", topic = "boats" }));
            if (i == 3) await api.JoinAsync(bob, rooms[i]);
        }
        await api.CreateRoomAsync(alice, new { preset = "public_chat", visibility = "private", name = $"{mark} secret" });

        var all = (await api.PostAsync(bob, PublicRooms, new { filter = new { generic_search_term = mark.ToUpperInvariant() } })).RequireOk();
        Assert.Equal(rooms.Order(), Ids(all).Order());
        Assert.Equal(rooms[3], Ids(all)[0]);
        Assert.False(all.Has("next_batch"));
        var entry = all.Body.GetProperty("chunk")[0];
        Assert.Equal(($"{mark} 3", "boats", 2, "public"), (entry.GetProperty("name").GetString(), entry.GetProperty("topic").GetString(),
            entry.GetProperty("num_joined_members").GetInt32(), entry.GetProperty("join_rule").GetString()));
        Assert.False(entry.GetProperty("world_readable").GetBoolean());

        object Page(string? since) => new { limit = 2, since, filter = new { generic_search_term = mark } };
        var one = (await api.PostAsync(bob, PublicRooms, Page(null))).RequireOk();
        var two = (await api.PostAsync(bob, PublicRooms, Page(one.Text("next_batch")))).RequireOk();
        var three = (await api.PostAsync(bob, PublicRooms, Page(two.Text("next_batch")))).RequireOk();
        Assert.Equal(Ids(all), Ids(one).Concat(Ids(two)).Concat(Ids(three)));
        Assert.False(three.Has("next_batch"));
        Assert.False(one.Has("prev_batch"));
        Assert.Equal(Ids(two), Ids((await api.PostAsync(bob, PublicRooms, Page(three.Text("prev_batch")))).RequireOk()));
        Assert.True((await api.GetAsync(bob, PublicRooms + "?limit=1")).RequireOk().Body.GetProperty("total_room_count_estimate").GetInt32() >= 5);
        Assert.Single(Ids((await api.GetAsync(bob, PublicRooms + "?limit=1")).RequireOk()));
        Assert.Empty(Ids((await api.PostAsync(bob, PublicRooms, new { filter = new { generic_search_term = mark, room_types = new[] { "m.space" } } })).RequireOk()));
        Assert.Equal(5, Ids((await api.PostAsync(bob, PublicRooms, new { filter = new { generic_search_term = mark, room_types = new string?[] { null } } })).RequireOk()).Length);
    }

    [Fact]
    public async Task Without_a_token_the_list_is_closed_and_wrong_questions_are_refused()
    {
        var alice = await api.RegisterUserAsync();
        (await api.GetAsync(null, PublicRooms)).Require(401, "M_MISSING_TOKEN");
        (await api.GetAsync(alice, PublicRooms + "?since=nonsense")).Require(400, "M_INVALID_PARAM");
        (await api.GetAsync(alice, PublicRooms + "?limit=-1")).Require(400, "M_INVALID_PARAM");
        (await api.PostAsync(alice, PublicRooms, """{"filter":{"generic_search_term":1}}""")).Require(400, "M_BAD_JSON");
        (await api.PostAsync(alice, PublicRooms, """{"filter":{"room_types":[1]}}""")).Require(400, "M_BAD_JSON");
    }
}
