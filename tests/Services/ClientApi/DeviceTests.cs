namespace Matrix.ServiceTests.ClientApi;

public sealed class DeviceTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private const string Devices = "/_matrix/client/v3/devices";
    private const string WhoAmI = "/_matrix/client/v3/account/whoami";

    private static object Proof(TestUser user, string? session = null) => session is null
        ? new { type = "m.login.password", identifier = new { type = "m.id.user", user = user.Id }, password = user.Password }
        : new { type = "m.login.password", identifier = new { type = "m.id.user", user = user.Id }, password = user.Password, session };

    private async Task<TestUser> AnotherDeviceAsync(TestUser user)
    {
        var login = (await api.PostAsync(null, "/_matrix/client/v3/login",
            new { type = "m.login.password", identifier = new { type = "m.id.user", user = user.Id }, password = user.Password })).RequireOk();
        return user with { Token = login.Text("access_token"), DeviceId = login.Text("device_id") };
    }

    [Fact]
    public async Task A_device_is_listed_renamed_and_unknown_ones_are_not_found()
    {
        var user = await api.RegisterUserAsync();
        (await api.PutAsync(user, $"{Devices}/{user.DeviceId}", new { display_name = "kitchen" })).RequireOk();
        var list = (await api.GetAsync(user, Devices)).RequireOk().Body.GetProperty("devices");
        Assert.Equal("kitchen", Assert.Single(list.EnumerateArray()).GetProperty("display_name").GetString());
        (await api.PutAsync(user, $"{Devices}/NOTHING", new { display_name = "x" })).Require(404, "M_NOT_FOUND");
        (await api.GetAsync(user, $"{Devices}/NOTHING")).Require(404, "M_NOT_FOUND");
        (await api.PutAsync(user, $"{Devices}/{user.DeviceId}", new { display_name = new string('x', 101) })).Require(400, "M_INVALID_PARAM");
        (await api.PutAsync(user, $"{Devices}/{user.DeviceId}", new { display_name = 1 })).Require(400, "M_BAD_JSON");
        (await api.GetAsync(null, Devices)).Require(401, "M_MISSING_TOKEN");
    }

    [Fact]
    public async Task Anothers_device_is_not_found()
    {
        var (user, other) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        (await api.GetAsync(user, $"{Devices}/{other.DeviceId}")).Require(404, "M_NOT_FOUND");
        (await api.DeleteAsync(user, $"{Devices}/{other.DeviceId}", new { auth = Proof(user) })).RequireOk();
        (await api.GetAsync(other, WhoAmI)).RequireOk();
    }

    [Fact]
    public async Task Deleting_a_device_needs_the_password_and_ends_its_token()
    {
        var user = await api.RegisterUserAsync();
        var second = await AnotherDeviceAsync(user);
        (await api.GetAsync(second, WhoAmI)).RequireOk();
        var challenge = await api.DeleteAsync(user, $"{Devices}/{second.DeviceId}");
        Assert.Equal(401, challenge.Status);
        var session = challenge.Text("session");
        var wrong = await api.DeleteAsync(user, $"{Devices}/{second.DeviceId}", new { auth = Proof(user with { Password = "wrong" }, session) });
        Assert.Equal((401, "M_FORBIDDEN", session), (wrong.Status, wrong.Code, wrong.Text("session")));
        (await api.DeleteAsync(user, $"{Devices}/{user.DeviceId}", new { auth = Proof(user, session) })).Require(403, "M_FORBIDDEN");
        (await api.DeleteAsync(user, $"{Devices}/{second.DeviceId}", new { auth = Proof(user, session) })).RequireOk();
        (await api.GetAsync(second, WhoAmI)).Require(401, "M_UNKNOWN_TOKEN");
    }

    [Fact]
    public async Task A_name_is_measured_in_characters()
    {
        var user = await api.RegisterUserAsync();
        var name = string.Concat(Enumerable.Repeat("\U0001F600", 100));
        (await api.PutAsync(user, $"{Devices}/{user.DeviceId}", new { display_name = name })).RequireOk();
        Assert.Equal(name, (await api.GetAsync(user, $"{Devices}/{user.DeviceId}")).RequireOk().Text("display_name"));
        (await api.PutAsync(user, $"{Devices}/{user.DeviceId}", new { display_name = name + "x" })).Require(400, "M_INVALID_PARAM");
    }

    [Theory]
    [InlineData("{}", "M_MISSING_PARAM")]
    [InlineData("""{"devices":"A"}""", "M_BAD_JSON")]
    [InlineData("""{"devices":[1]}""", "M_BAD_JSON")]
    public async Task Nobody_proves_anything_for_a_request_that_is_wrong(string body, string code) =>
        (await api.PostAsync(await api.RegisterUserAsync(), "/_matrix/client/v3/delete_devices", body)).Require(400, code);

    [Fact]
    public async Task A_session_of_one_user_serves_no_other()
    {
        var (user, other) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var session = (await api.PostAsync(user, "/_matrix/client/v3/delete_devices", new { devices = new[] { "X" } })).Text("session");
        (await api.PostAsync(other, "/_matrix/client/v3/delete_devices", new { auth = Proof(other, session) })).Require(403, "M_FORBIDDEN");
        var anothersPassword = await api.PostAsync(user, "/_matrix/client/v3/delete_devices", new { auth = Proof(other, session) });
        anothersPassword.Require(403, "M_FORBIDDEN");
        var wrong = await api.PostAsync(user, "/_matrix/client/v3/delete_devices", new { auth = Proof(user with { Password = "wrong" }) });
        Assert.Equal((401, "M_FORBIDDEN", 0), (wrong.Status, wrong.Code, wrong.Body.GetProperty("completed").GetArrayLength()));
    }

    [Fact]
    public async Task Several_devices_go_at_once_as_the_first_request_named_them()
    {
        var user = await api.RegisterUserAsync();
        var (second, third) = (await AnotherDeviceAsync(user), await AnotherDeviceAsync(user));
        var session = (await api.PostAsync(user, "/_matrix/client/v3/delete_devices", new { devices = new[] { second.DeviceId, third.DeviceId } })).Text("session");
        (await api.PostAsync(user, "/_matrix/client/v3/delete_devices", new { auth = Proof(user, session) })).RequireOk();
        (await api.GetAsync(second, WhoAmI)).Require(401, "M_UNKNOWN_TOKEN");
        (await api.GetAsync(third, WhoAmI)).Require(401, "M_UNKNOWN_TOKEN");
        (await api.GetAsync(user, WhoAmI)).RequireOk();
        (await api.PostAsync(user, "/_matrix/client/v3/delete_devices", new { devices = new object[] { 1 }, auth = Proof(user) })).Require(400, "M_BAD_JSON");
    }

    [Fact]
    public async Task A_new_password_ends_the_other_sessions_unless_told_not_to()
    {
        var user = await api.RegisterUserAsync();
        var second = await AnotherDeviceAsync(user);
        (await api.PostAsync(user, "/_matrix/client/v3/account/password", new { new_password = "two", logout_devices = false, auth = Proof(user) })).RequireOk();
        (await api.GetAsync(second, WhoAmI)).RequireOk();
        var now = user with { Password = "two" };
        (await api.PostAsync(now, "/_matrix/client/v3/account/password", new { new_password = "three", auth = Proof(now) })).RequireOk();
        (await api.GetAsync(second, WhoAmI)).Require(401, "M_UNKNOWN_TOKEN");
        (await api.GetAsync(user, WhoAmI)).RequireOk();
        await AnotherDeviceAsync(user with { Password = "three" });
    }

    [Fact]
    public async Task A_deactivated_account_is_gone_for_good_and_has_left_its_rooms()
    {
        var (user, friend) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(friend);
        await api.JoinAsync(user, room);
        Assert.Equal(401, (await api.PostAsync(user, "/_matrix/client/v3/account/deactivate", null)).Status);
        (await api.PostAsync(user, "/_matrix/client/v3/account/deactivate", new { auth = Proof(user) })).RequireOk();
        (await api.GetAsync(user, WhoAmI)).Require(401, "M_UNKNOWN_TOKEN");
        var left = (await api.GetAsync(friend, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/members?membership=leave")).RequireOk();
        Assert.Equal(user.Id, Assert.Single(left.Body.GetProperty("chunk").EnumerateArray()).GetProperty("state_key").GetString());
        (await api.PostAsync(null, "/_matrix/client/v3/login",
            new { type = "m.login.password", identifier = new { type = "m.id.user", user = user.Id }, password = user.Password })).Require(403, "M_USER_DEACTIVATED");
        (await api.PostAsync(null, "/_matrix/client/v3/register", new { username = user.Id[1..user.Id.IndexOf(':')], password = "p" })).Require(400, "M_USER_IN_USE");
    }
}
