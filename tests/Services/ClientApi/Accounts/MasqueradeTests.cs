namespace Matrix.ServiceTests.ClientApi.Accounts;

/// <summary>Application services act as their users. Spec: application-service-api/#identity-assertion</summary>
public sealed class MasqueradeTests(LoginTypeFixture api) : IClassFixture<LoginTypeFixture>
{
    private const string WhoAmI = "/_matrix/client/v3/account/whoami";
    private static readonly TestUser Bridge = new("@_bridge:test.example", "token-of-the-service", "", "");

    private async Task<TestUser> PuppetAsync(string? device = null)
    {
        var name = api.NewName("_bridge_");
        var answer = (await api.PostAsync(Bridge, "/_matrix/client/v3/register", new { type = "m.login.application_service", username = name, device_id = device, inhibit_login = device is null })).RequireOk();
        return new TestUser(answer.Text("user_id"), Bridge.Token, device ?? "", "");
    }

    private Task<Answer> WhoAsync(string? user, string? device = null) =>
        api.GetAsync(Bridge, $"{WhoAmI}?{(user is null ? "" : "user_id=" + Uri.EscapeDataString(user))}{(device is null ? "" : "&device_id=" + device)}");

    [Fact]
    public async Task The_token_alone_is_the_user_of_the_service_itself()
    {
        var who = (await WhoAsync(null)).RequireOk();
        Assert.Equal(Bridge.Id, who.Text("user_id"));
        Assert.False(who.Has("device_id"));
    }

    [Fact]
    public async Task It_acts_as_users_of_its_namespace_with_their_devices_or_none()
    {
        var puppet = await PuppetAsync("PUPPET");
        var who = (await WhoAsync(puppet.Id)).RequireOk();
        Assert.Equal((puppet.Id, false), (who.Text("user_id"), who.Has("device_id")));
        Assert.Equal("PUPPET", (await WhoAsync(puppet.Id, "PUPPET")).RequireOk().Text("device_id"));
        Assert.Equal("PUPPET", (await api.GetAsync(Bridge, $"{WhoAmI}?user_id={puppet.Id}&org.matrix.msc3202.device_id=PUPPET")).RequireOk().Text("device_id"));
        (await WhoAsync(puppet.Id, "NOBODYS")).Require(400, "M_UNKNOWN_DEVICE");
        (await WhoAsync(null, "PUPPET")).Require(400, "M_UNKNOWN_DEVICE");
    }

    [Fact]
    public async Task Nobody_else_can_be_played()
    {
        var human = await api.RegisterUserAsync();
        (await WhoAsync(human.Id)).Require(403, "M_FORBIDDEN");
        (await WhoAsync("@_bridge_x:elsewhere.example")).Require(403, "M_FORBIDDEN");
        (await WhoAsync("@_bridge_not_registered:test.example")).Require(403, "M_FORBIDDEN");
        (await WhoAsync("nonsense")).Require(400, "M_INVALID_PARAM");
        // Users cannot masquerade: the parameter means nothing with their tokens.
        Assert.Equal(human.Id, (await api.GetAsync(human, $"{WhoAmI}?user_id={Bridge.Id}")).RequireOk().Text("user_id"));
    }

    [Fact]
    public async Task It_makes_and_removes_devices_of_its_users_without_logging_in()
    {
        var puppet = await PuppetAsync();
        string Device(string id) => $"/_matrix/client/v3/devices/{id}?user_id={Uri.EscapeDataString(puppet.Id)}";
        Assert.Equal(201, (await api.PutAsync(Bridge, Device("MADE"), new { display_name = "made" })).Status);
        Assert.Equal(200, (await api.PutAsync(Bridge, Device("MADE"), new { display_name = "renamed" })).Status);
        Assert.Equal("renamed", (await api.GetAsync(Bridge, Device("MADE"))).RequireOk().Text("display_name"));
        Assert.Equal("MADE", (await WhoAsync(puppet.Id, "MADE")).RequireOk().Text("device_id"));
        Assert.Equal(1L, await api.ScalarAsync("select count(*) from stream_rows where stream = 'device_lists' and key = $1 and convert_from(payload, 'UTF8') like '%MADE%' and pos = (select min(pos) from stream_rows where stream = 'device_lists' and key = $1)", puppet.Id));
        (await api.DeleteAsync(Bridge, Device("MADE"), new { })).RequireOk();
        (await api.GetAsync(Bridge, Device("MADE"))).Require(404, "M_NOT_FOUND");
        (await api.PutAsync(Bridge, Device(new string('D', 600)), new { })).Require(400, "M_INVALID_PARAM");
        // People make devices by logging in.
        (await api.PutAsync(await api.RegisterUserAsync(), "/_matrix/client/v3/devices/MADE", new { })).Require(404, "M_NOT_FOUND");
    }

    [Fact]
    public async Task Capitals_of_a_puppet_stay()
    {
        var name = api.NewName("_bridge_Capitals_");
        var puppet = (await api.PostAsync(Bridge, "/_matrix/client/v3/register", new { type = "m.login.application_service", username = name, inhibit_login = true })).RequireOk();
        Assert.Equal($"@{name}:test.example", puppet.Text("user_id"));
        Assert.Equal(puppet.Text("user_id"), (await WhoAsync($"@{name}:test.example")).RequireOk().Text("user_id"));
        (await api.PostAsync(Bridge, "/_matrix/client/v3/login", new { type = "m.login.application_service", identifier = new { type = "m.id.user", user = name } })).RequireOk();
    }

    [Fact]
    public async Task It_ends_the_accounts_of_its_users()
    {
        var puppet = await PuppetAsync();
        (await api.PostAsync(Bridge, $"/_matrix/client/v3/account/deactivate?user_id={Uri.EscapeDataString(puppet.Id)}", new { erase = true })).RequireOk();
        Assert.Equal(1L, await api.ScalarAsync("select count(*) from users where user_id = $1 and deactivated", puppet.Id));
        Assert.NotEqual(200, (await WhoAsync(puppet.Id)).Status);
    }

    [Fact]
    public async Task A_puppet_makes_rooms_and_talks_and_what_happens_to_its_account_is_known_at_once()
    {
        var puppet = await PuppetAsync();
        var at = "user_id=" + Uri.EscapeDataString(puppet.Id);
        var room = (await api.PostAsync(Bridge, $"/_matrix/client/v3/createRoom?{at}", new { preset = "public_chat" })).RequireOk().Text("room_id");
        var said = (await api.PutAsync(Bridge, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/send/m.room.message/t?{at}", new { msgtype = "m.text", body = "bridged" })).RequireOk().Text("event_id");
        var e = (await api.GetAsync(Bridge, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/event/{said}?{at}")).RequireOk();
        Assert.Equal(puppet.Id, e.Text("sender"));

        var admin = await api.RegisterAdminAsync();
        (await api.PutAsync(admin, $"/_matrix/client/v1/admin/lock/{puppet.Id}", new { locked = true })).RequireOk();
        (await WhoAsync(puppet.Id)).Require(401, "M_USER_LOCKED");
    }
}
