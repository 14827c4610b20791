using Matrix.FederationClient.Rooms;

namespace Matrix.ServiceTests.ClientApi;

/// <summary>Aliases of other servers. Spec: client-server-api/#room-aliases</summary>
public sealed class RemoteAliasTests(RemoteSpaceFixture api) : IClassFixture<RemoteSpaceFixture>
{
    private static string Alias(string alias) => $"/_matrix/client/v3/directory/room/{Uri.EscapeDataString(alias)}";
    private static string Canonical(string room) => $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/state/m.room.canonical_alias";

    [Fact]
    public async Task An_alias_of_another_server_is_asked_for_there()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice, new { preset = "public_chat" });
        api.Remote.Aliases["#here:one.example"] = new RemoteAlias(room, ["two.example"]);
        api.Remote.Aliases["#away:one.example"] = new RemoteAlias("!away:one.example", ["two.example", "one.example"]);

        var found = (await api.GetAsync(null, Alias("#away:one.example"))).RequireOk();
        Assert.Equal("!away:one.example", found.Text("room_id"));
        Assert.Equal(["two.example", "one.example"], found.Body.GetProperty("servers").EnumerateArray().Select(s => s.GetString()!));
        (await api.GetAsync(null, Alias("#none:one.example"))).Require(404, "M_NOT_FOUND");
        Assert.Equal(["directory one.example"], api.Remote.Asked("#none:one.example"));
        (await api.GetAsync(null, Alias("#none:test.example"))).Require(404, "M_NOT_FOUND");
        Assert.Empty(api.Remote.Asked("#none:test.example"));

        Assert.Equal(room, (await api.PostAsync(bob, $"/_matrix/client/v3/join/{Uri.EscapeDataString("#here:one.example")}", new { })).RequireOk().Text("room_id"));
        (await api.PostAsync(bob, $"/_matrix/client/v3/join/{Uri.EscapeDataString("#none:one.example")}", new { })).Require(404, "M_NOT_FOUND");
        Assert.Equal(room, (await api.GetAsync(bob, $"/_matrix/client/v1/room_summary/{Uri.EscapeDataString("#here:one.example")}")).RequireOk().Text("room_id"));
    }

    [Fact]
    public async Task A_room_claims_an_alias_of_another_server_when_that_one_agrees()
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        api.Remote.Aliases["#ours:one.example"] = new RemoteAlias(room, []);
        api.Remote.Aliases["#theirs:one.example"] = new RemoteAlias("!theirs:one.example", []);
        foreach (var alias in new[] { "#theirs:one.example", "#silent:one.example" })
        {
            (await api.PutAsync(alice, Canonical(room), new { alias })).Require(400, "M_BAD_ALIAS");
            (await api.PutAsync(alice, Canonical(room), new { alt_aliases = new[] { alias } })).Require(400, "M_BAD_ALIAS");
        }
        (await api.PutAsync(alice, Canonical(room), new { alias = "#ours:one.example" })).RequireOk();
        // What the room had is not asked for again.
        api.Remote.Aliases.TryRemove("#ours:one.example", out _);
        (await api.PutAsync(alice, Canonical(room), new { alt_aliases = new[] { "#ours:one.example" } })).RequireOk();
        Assert.Single(api.Remote.Asked("#ours:one.example"));
        (await api.PutAsync(alice, Canonical(room), new { alt_aliases = Enumerable.Range(0, 11).Select(i => $"#many{i}:one.example") })).Require(400, "M_INVALID_PARAM");
        Assert.Empty(api.Remote.Asked("#many0:one.example"));
    }

    [Fact]
    public async Task A_canonical_alias_that_is_empty_or_null_is_none()
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        (await api.PutAsync(alice, Canonical(room), """{"alias":""}""")).RequireOk();
        (await api.PutAsync(alice, Canonical(room), """{"alias":null}""")).RequireOk();
        (await api.PutAsync(alice, Canonical(room), """{"alt_aliases":[""]}""")).Require(400, "M_INVALID_PARAM");
    }
}
