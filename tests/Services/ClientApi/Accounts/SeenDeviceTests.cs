using System.Net.Http.Headers;
using Matrix.Web.Auth;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.ClientApi.Accounts;

public sealed class SeenDeviceTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private SeenDevices Seen => api.Services.GetRequiredService<SeenDevices>();

    private async Task RequestAsync(TestUser user, string agent)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/_matrix/client/v3/account/whoami");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", user.Token);
        request.Headers.TryAddWithoutValidation("User-Agent", agent);
        (await api.Http.SendAsync(request)).EnsureSuccessStatusCode();
    }

    [Fact]
    public async Task Requests_are_noted_in_memory_and_written_together()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        await RequestAsync(alice, "Telescope/1.0");
        await RequestAsync(bob, "Sextant");
        Assert.Equal(DBNull.Value, await api.ScalarAsync("select last_seen_ts_ms from devices where user_id = $1", alice.Id));
        await Seen.FlushAsync(CancellationToken.None);

        var connection = (await api.GetAsync(await api.RegisterAdminAsync(), $"/_matrix/client/v3/admin/whois/{alice.Id}")).RequireOk()
            .Body.GetProperty("devices").GetProperty(alice.DeviceId).GetProperty("sessions")[0].GetProperty("connections")[0];
        Assert.Equal(("127.0.0.1", "Telescope/1.0"), (connection.GetProperty("ip").GetString(), connection.GetProperty("user_agent").GetString()));
        var device = (await api.GetAsync(alice, $"/_matrix/client/v3/devices/{alice.DeviceId}")).RequireOk();
        Assert.Equal("127.0.0.1", device.Text("last_seen_ip"));
        Assert.True(device.Body.GetProperty("last_seen_ts").GetInt64() > 0);
        // Who asks is told of his own request, too, though nothing was written since.
        var own = await api.RegisterUserAsync();
        Assert.Equal("127.0.0.1", (await api.GetAsync(own, $"/_matrix/client/v3/admin/whois/{own.Id}")).RequireOk()
            .Body.GetProperty("devices").GetProperty(own.DeviceId).GetProperty("sessions")[0].GetProperty("connections")[0].GetProperty("ip").GetString());
        Assert.Equal("Sextant", await api.ScalarAsync("select last_seen_user_agent from devices where user_id = $1", bob.Id));
    }

    [Fact]
    public async Task Nothing_older_overwrites_what_another_instance_has_written()
    {
        var user = await api.RegisterUserAsync();
        await RequestAsync(user, "old");
        await api.ExecuteAsync("update devices set last_seen_ts_ms = 99999999999999, last_seen_user_agent = 'newer' where user_id = $1", user.Id);
        await Seen.FlushAsync(CancellationToken.None);
        Assert.Equal("newer", await api.ScalarAsync("select last_seen_user_agent from devices where user_id = $1", user.Id));
    }
}
