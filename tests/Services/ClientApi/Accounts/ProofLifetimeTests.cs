using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.ClientApi.Accounts;

public sealed class ProofLifetimeFixture : ClientApiFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config) => base.Configure(config) with { Accounts = new() { ProofLifetime = TimeSpan.FromMinutes(1) } };
}

/// <summary>Synapse: ui_auth.session_timeout</summary>
public sealed class ProofLifetimeTests(ProofLifetimeFixture api) : IClassFixture<ProofLifetimeFixture>
{
    private const string Devices = "/_matrix/client/v3/devices/";

    private static object Proof(TestUser user) => new { type = "m.login.password", identifier = new { type = "m.id.user", user = user.Id }, password = user.Password };

    private async Task<TestUser> ProvedAsync()
    {
        var user = await api.RegisterUserAsync();
        api.Clock.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(401, (await api.DeleteAsync(user, Devices + "ONE")).Status);
        (await api.DeleteAsync(user, Devices + "ONE", new { auth = Proof(user) })).RequireOk();
        return user;
    }

    [Fact]
    public async Task A_proof_counts_for_further_operations_until_its_time_is_over()
    {
        var user = await ProvedAsync();
        (await api.DeleteAsync(user, Devices + "TWO")).RequireOk();
        var other = await api.LogInAsync(user);
        (await api.PostAsync(user, "/_matrix/client/v3/delete_devices", new { devices = new[] { other.DeviceId } })).RequireOk();
        (await api.GetAsync(other, "/_matrix/client/v3/account/whoami")).Require(401, "M_UNKNOWN_TOKEN");
        api.Clock.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(401, (await api.DeleteAsync(user, Devices + "TWO")).Status);
    }

    [Fact]
    public async Task It_counts_with_the_device_that_it_was_made_with_only()
    {
        var user = await api.RegisterUserAsync();
        var other = await api.LogInAsync(user);
        api.Clock.Advance(TimeSpan.FromMinutes(2));
        (await api.DeleteAsync(user, Devices + "ONE", new { auth = Proof(user) })).RequireOk();
        (await api.DeleteAsync(user, Devices + "TWO")).RequireOk();
        Assert.Equal(401, (await api.DeleteAsync(other, Devices + user.DeviceId)).Status);
        (await api.GetAsync(user, "/_matrix/client/v3/account/whoami")).RequireOk();
    }

    [Fact]
    public async Task A_login_is_a_proof_and_so_is_a_registration()
    {
        var user = await api.RegisterUserAsync();
        (await api.DeleteAsync(user, Devices + "ONE")).RequireOk();
        var phone = await api.LogInAsync(user);
        (await api.DeleteAsync(phone, Devices + "ONE")).RequireOk();
        api.Clock.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(401, (await api.DeleteAsync(user, Devices + "ONE")).Status);
        Assert.Equal(401, (await api.DeleteAsync(phone, Devices + "ONE")).Status);
        // Once more with the same device.
        var again = await LogInAsync(new { device_id = phone.DeviceId, type = "m.login.password", identifier = new { type = "m.id.user", user = user.Id }, password = user.Password });
        (await api.DeleteAsync(again, Devices + "ONE")).RequireOk();
        Assert.Equal(401, (await api.DeleteAsync(user, Devices + "ONE")).Status);
    }

    private async Task<TestUser> LogInAsync(string device, LoginToken proof) => await LogInAsync(new
    {
        type = "m.login.token", device_id = device, token = await api.Services.GetRequiredService<LoginTokenStore>().CreateAsync(proof, TimeSpan.FromMinutes(1), default),
    });

    [Fact]
    public async Task A_login_that_another_session_vouches_for_is_none()
    {
        var user = await ProvedAsync();
        var vouched = await LogInAsync("NEW", new LoginToken(user.Id, null, null));
        Assert.Equal(401, (await api.DeleteAsync(vouched, Devices + "ONE")).Status);
        // It takes the device over, and not what was proved with it.
        var taken = await LogInAsync(user.DeviceId, new LoginToken(user.Id, null, null));
        Assert.Equal(401, (await api.DeleteAsync(taken, Devices + "ONE")).Status);
        // A provider of single sign-on has asked him himself.
        var single = await LogInAsync("SSO", new LoginToken(user.Id, "oidc", null));
        (await api.DeleteAsync(single, Devices + "ONE")).RequireOk();
    }

    private async Task<TestUser> LogInAsync(object body)
    {
        var answer = (await api.PostAsync(null, "/_matrix/client/v3/login", body)).RequireOk();
        return new TestUser(answer.Text("user_id"), answer.Text("access_token"), answer.Text("device_id"), "");
    }

    [Theory]
    [InlineData("account/password", """{"new_password":"another secret"}""")]
    [InlineData("account/deactivate", "{}")]
    [InlineData("account/3pid/add", """{"sid":"1","client_secret":"secret"}""")]
    [InlineData("keys/device_signing/upload", null)]
    public async Task It_never_counts_for_what_could_take_the_account_away(string path, string? body)
    {
        var user = await ProvedAsync();
        if (body is null)
        {
            string Keys(char c) =>
                $$"""{"master_key":{"user_id":"{{user.Id}}","usage":["master"],"keys":{"ed25519:KEY":"KEY"} } }""".Replace("KEY", new string(c, 43), StringComparison.Ordinal);
            (await api.PostAsync(user, "/_matrix/client/v3/" + path, Keys('A'))).RequireOk();
            body = Keys('E');
        }
        Assert.Equal(401, (await api.PostAsync(user, "/_matrix/client/v3/" + path, body)).Status);
    }
}
