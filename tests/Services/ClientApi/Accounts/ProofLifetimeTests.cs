using Matrix.ServiceDefaults;

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
        var user = await ProvedAsync();
        var other = await api.LogInAsync(user);
        Assert.Equal(401, (await api.DeleteAsync(other, Devices + user.DeviceId)).Status);
        (await api.GetAsync(user, "/_matrix/client/v3/account/whoami")).RequireOk();
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
