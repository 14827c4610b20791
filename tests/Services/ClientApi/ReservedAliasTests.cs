using Matrix.ServiceDefaults;

namespace Matrix.ServiceTests.ClientApi;

public sealed class ReservedAliasFixture : ClientApiFixture
{
    private readonly string registration = Path.GetTempFileName();
    public TestUser Bridge { get; } = new("@_bridge:test.example", "token-of-the-service", "", "");

    protected override HomeserverConfig Configure(HomeserverConfig config)
    {
        File.WriteAllText(registration, """
            id: bridge
            url: null
            as_token: token-of-the-service
            hs_token: token-of-the-server
            sender_localpart: _bridge
            namespaces: { users: [{ regex: '@_bridge_.*', exclusive: true }], aliases: [{ regex: '#_bridge_.*', exclusive: true }, { regex: '#shared_.*', exclusive: false }], rooms: [] }
            """);
        return base.Configure(config) with { AppServiceConfigFiles = [registration] };
    }
}

/// <summary>Aliases that an application service has reserved, and what it sees of its users' rooms. Spec: application-service-api/#registration</summary>
public sealed class ReservedAliasTests(ReservedAliasFixture api) : IClassFixture<ReservedAliasFixture>
{
    private static string Alias(string localpart) => $"/_matrix/client/v3/directory/room/{Uri.EscapeDataString($"#{localpart}:test.example")}";

    [Fact]
    public async Task Nobody_else_makes_them_and_the_service_makes_no_others()
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        (await api.PutAsync(alice, Alias("_bridge_one"), new { room_id = room })).Require(400, "M_EXCLUSIVE");
        (await api.PostAsync(alice, "/_matrix/client/v3/createRoom", new { room_alias_name = "_bridge_two" })).Require(400, "M_EXCLUSIVE");
        (await api.PutAsync(alice, Alias("shared_one"), new { room_id = room })).RequireOk();
        var own = await api.CreateRoomAsync(api.Bridge, new { preset = "public_chat", room_alias_name = "_bridge_three" });
        (await api.PutAsync(api.Bridge, Alias("_bridge_four"), new { room_id = own })).RequireOk();
        (await api.PutAsync(api.Bridge, Alias("others"), new { room_id = own })).Require(400, "M_EXCLUSIVE");
        (await api.PostAsync(api.Bridge, "/_matrix/client/v3/createRoom", new { room_alias_name = "others" })).Require(400, "M_EXCLUSIVE");
    }

    [Fact]
    public async Task A_service_is_told_the_members_of_rooms_in_which_its_users_are()
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        var path = $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/joined_members";
        (await api.GetAsync(api.Bridge, path)).Require(403, "M_FORBIDDEN");
        var ghost = api.NewName("_bridge_");
        (await api.PostAsync(api.Bridge, "/_matrix/client/v3/register", new { type = "m.login.application_service", username = ghost, inhibit_login = true })).RequireOk();
        (await api.PostAsync(api.Bridge, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/join?user_id=@{ghost}:test.example", "{}")).RequireOk();
        var joined = (await api.GetAsync(api.Bridge, path)).RequireOk().Body.GetProperty("joined");
        Assert.Equal(new[] { alice.Id, $"@{ghost}:test.example" }.Order(StringComparer.Ordinal), joined.EnumerateObject().Select(m => m.Name).Order(StringComparer.Ordinal));
    }
}
