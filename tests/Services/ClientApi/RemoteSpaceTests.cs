using Matrix.FederationClient.Rooms;
using Matrix.Testing.Federation;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.ServiceTests.ClientApi;

public sealed class RemoteSpaceFixture : ClientApiFixture
{
    public DagRemoteRooms Remote { get; } = new();
    protected override void Replace(IServiceCollection services) => services.Replace(ServiceDescriptor.Singleton<IRemoteRooms>(Remote));
}

/// <summary>Rooms of other servers in spaces and summaries. Spec: client-server-api/#querying-spaces</summary>
public sealed class RemoteSpaceTests(RemoteSpaceFixture api) : IClassFixture<RemoteSpaceFixture>
{
    private static string E(string part) => Uri.EscapeDataString(part);
    private static string Hierarchy(string room) => $"/_matrix/client/v1/rooms/{E(room)}/hierarchy";
    private static string[] Ids(Answer answer) => [.. answer.RequireOk().Body.GetProperty("rooms").EnumerateArray().Select(r => r.GetProperty("room_id").GetString()!)];

    private static string Child(string room, string via = "one.example") =>
        $$"""{"type":"m.space.child","state_key":"{{room}}","sender":"@a:one.example","origin_server_ts":5,"content":{"via":["{{via}}"]} }""";

    private static string Described(string room, string more = "", string children = "") =>
        $$"""{"room_id":"{{room}}","num_joined_members":3,"join_rule":"public","world_readable":false,"guest_can_join":true,"room_version":"10"{{more}},"children_state":[{{children}}]}""";

    private static string Told(string room, string children = "", string inaccessible = "") => $$"""{"room":{{room}},"children":[{{children}}],"inaccessible_children":[{{inaccessible}}]}""";

    private async Task<string> SpaceWithAsync(TestUser alice, params (string Room, string Via)[] children)
    {
        var space = await api.CreateRoomAsync(alice, new { preset = "public_chat", creation_content = new { type = "m.space" } });
        foreach (var (room, via) in children) await api.SetStateAsync(alice, space, "m.space.child", new { via = new[] { via } }, room);
        return space;
    }

    [Fact]
    public async Task Rooms_of_other_servers_are_part_of_the_tree()
    {
        var alice = await api.RegisterUserAsync();
        var (far, leaf, hidden, sub, below) = ("!far1:one.example", "!leaf1:one.example", "!hidden1:one.example", "!sub1:one.example", "!below1:two.example");
        var space = await SpaceWithAsync(alice, (far, "one.example"));
        api.Remote.Hierarchies[("one.example", far)] = Told(
            Described(far, ",\"room_type\":\"m.space\",\"name\":\"Far\"", string.Join(',', Child(leaf), Child(hidden), Child(sub, "two.example"))),
            string.Join(',', Described(leaf, ",\"name\":\"Leaf\",\"evil\":\"<b>\""), Described(sub, ",\"room_type\":\"m.space\"")), $"\"{hidden}\"");
        api.Remote.Hierarchies[("two.example", sub)] = Told(Described(sub, ",\"room_type\":\"m.space\"", Child(below)), Described(below));
        var answer = await api.GetAsync(alice, Hierarchy(space));
        Assert.Equal([space, far, leaf, sub, below], Ids(answer));
        var rooms = answer.Body.GetProperty("rooms");
        Assert.Equal(("Far", "10", 3), (rooms[1].GetProperty("name").GetString(), rooms[1].GetProperty("room_version").GetString(), rooms[1].GetProperty("num_joined_members").GetInt32()));
        Assert.Equal(3, rooms[1].GetProperty("children_state").GetArrayLength());
        // Only what the specification knows of is passed on.
        Assert.False(rooms[2].TryGetProperty("evil", out _));
        // What was told is believed for a while, and what is closed is not asked for.
        Assert.Equal([space, far, leaf, sub, below], Ids(await api.GetAsync(alice, Hierarchy(space))));
        Assert.Single(api.Remote.Asked(far));
        Assert.Empty(api.Remote.Asked(hidden));
        Assert.Empty(api.Remote.Asked(leaf));
    }

    [Fact]
    public async Task What_the_user_may_not_enter_is_not_shown_to_him_whoever_tells_it()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var club = await api.CreateRoomAsync(alice);
        var (closed, members, other) = ("!closed2:one.example", "!members2:one.example", "!other2:one.example");
        var space = await SpaceWithAsync(alice, (closed, "one.example"), (members, "one.example"), (other, "one.example"));
        api.Remote.Hierarchies[("one.example", closed)] = Told(Described(closed).Replace("\"public\"", "\"invite\""));
        api.Remote.Hierarchies[("one.example", members)] = Told(Described(members, $",\"allowed_room_ids\":[\"{club}\"]").Replace("\"public\"", "\"restricted\""));
        // An answer about another room is none.
        api.Remote.Hierarchies[("one.example", other)] = Told(Described("!else2:one.example"));
        Assert.Equal([space, members], Ids(await api.GetAsync(alice, Hierarchy(space))));
        Assert.Equal([space], Ids(await api.GetAsync(bob, Hierarchy(space))));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"room":1,"children":2}""")]
    [InlineData("""{"room":{"room_id":"ROOM","num_joined_members":"many","children_state":[1,{}]},"children":[1,{"room_id":5}],"inaccessible_children":[{}]}""")]
    public async Task Nonsense_of_other_servers_breaks_nothing(string json)
    {
        var alice = await api.RegisterUserAsync();
        var far = $"!x{Guid.NewGuid():N}:one.example";
        var space = await SpaceWithAsync(alice, (far, "one.example"));
        api.Remote.Hierarchies[("one.example", far)] = json.Replace("ROOM", far, StringComparison.Ordinal);
        Assert.Equal(space, Ids(await api.GetAsync(alice, Hierarchy(space)))[0]);
    }

    [Fact]
    public async Task That_nobody_told_is_asked_again_for_the_next_may_name_other_servers()
    {
        var alice = await api.RegisterUserAsync();
        const string far = "!late:one.example";
        var unlucky = await SpaceWithAsync(alice, (far, "three.example"));
        var lucky = await SpaceWithAsync(alice, (far, "two.example"));
        api.Remote.Hierarchies[("two.example", far)] = Told(Described(far));
        Assert.Equal([unlucky], Ids(await api.GetAsync(alice, Hierarchy(unlucky))));
        Assert.Equal([lucky, far], Ids(await api.GetAsync(alice, Hierarchy(lucky))));
        // What was told is known from then on, whoever is named.
        Assert.Equal([unlucky, far], Ids(await api.GetAsync(alice, Hierarchy(unlucky))));
        Assert.Equal(2, api.Remote.Asked(far).Count);
    }

    [Fact]
    public async Task A_summary_is_asked_of_the_servers_that_are_named_and_of_the_one_in_the_id()
    {
        var alice = await api.RegisterUserAsync();
        string Summary(string room, string query = "") => $"/_matrix/client/v1/room_summary/{E(room)}{query}";
        api.Remote.Hierarchies[("two.example", "!s1:one.example")] = Told(Described("!s1:one.example", ",\"topic\":\"T\""));
        api.Remote.Hierarchies[("one.example", "!s2:one.example")] = Told(Described("!s2:one.example"));
        api.Remote.Hierarchies[("one.example", "!s3:one.example")] = Told(Described("!s3:one.example").Replace("\"public\"", "\"invite\""));
        var told = (await api.GetAsync(alice, Summary("!s1:one.example", "?via=three.example&via=two.example"))).RequireOk().Body;
        Assert.Equal(("T", "leave"), (told.GetProperty("topic").GetString(), told.GetProperty("membership").GetString()));
        (await api.GetAsync(alice, Summary("!s2:one.example"))).RequireOk();
        (await api.GetAsync(alice, Summary("!s3:one.example"))).Require(404, "M_NOT_FOUND");
        // Strangers make this server ask nobody.
        (await api.GetAsync(null, Summary("!s4:one.example"))).Require(404, "M_NOT_FOUND");
        Assert.Empty(api.Remote.Asked("!s4:one.example"));
    }
}
