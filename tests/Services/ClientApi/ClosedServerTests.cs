using Matrix.ClientApi.Account;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.ClientApi;

/// <summary>Nobody may register, no presence, the list of rooms is open.</summary>
public sealed class ClosedFixture : ClientApiFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config) => config with
    {
        PasswordHashIterations = 600, EnablePresence = false, AllowPublicRoomsWithoutAuth = true, PublicBaseUrl = "https://matrix.test.example/",
    };

    /// <summary>As an administrator's tool makes one.</summary>
    public async Task<TestUser> MakeUserAsync()
    {
        var id = UserId.Of(NewName(), ServerName);
        var hash = await Services.GetRequiredService<PasswordHasher>().HashAsync("secret", default);
        await Services.GetRequiredService<AccountStore>().RegisterAsync(new NewAccount { UserId = id.Value, PasswordHash = hash }, 1, default);
        var login = (await PostAsync(null, "/_matrix/client/v3/login", new { type = "m.login.password", user = id.Value, password = "secret" })).RequireOk();
        Assert.Equal("https://matrix.test.example/", login.Body.GetProperty("well_known").GetProperty("m.homeserver").GetProperty("base_url").GetString());
        return new TestUser(id.Value, login.Text("access_token"), login.Text("device_id"), "secret");
    }
}

public sealed class ClosedServerTests(ClosedFixture api) : IClassFixture<ClosedFixture>
{
    [Fact]
    public async Task Registration_of_every_kind_is_refused()
    {
        (await api.PostAsync(null, "/_matrix/client/v3/register", new { username = "x", password = "p", auth = new { type = "m.login.dummy" } })).Require(403, "M_FORBIDDEN");
        (await api.PostAsync(null, "/_matrix/client/v3/register?kind=guest", "{}")).Require(403, "M_FORBIDDEN");
        (await api.GetAsync(null, "/_matrix/client/v3/register/available?username=x")).Require(403, "M_FORBIDDEN");
        (await api.GetAsync(null, "/_synapse/admin/v1/register")).Require(400, "M_UNKNOWN");
        (await api.PostAsync(null, "/_synapse/admin/v1/register", "{}")).Require(400, "M_UNKNOWN");
    }

    [Fact]
    public async Task Everybody_is_offline_where_there_is_no_presence()
    {
        var user = await api.MakeUserAsync();
        (await api.PutAsync(user, $"/_matrix/client/v3/presence/{user.Id}/status", """{"presence":"online"}""")).RequireOk();
        Assert.Equal("""{"presence":"offline"}""", (await api.GetAsync(user, $"/_matrix/client/v3/presence/{user.Id}/status")).RequireOk().Body.GetRawText());
    }

    [Fact]
    public async Task The_list_of_rooms_needs_no_token_where_it_is_open()
    {
        (await api.GetAsync(null, "/_matrix/client/v3/publicRooms")).RequireOk();
        (await api.PostAsync(null, "/_matrix/client/v3/publicRooms", "{}")).Require(401, "M_MISSING_TOKEN");
    }

    [Fact]
    public async Task Hashes_tell_their_own_cost_and_prove_only_their_password()
    {
        var hasher = api.Services.GetRequiredService<PasswordHasher>();
        var hashes = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => hasher.HashAsync("p\u00e4ss", default).AsTask()));
        Assert.All(hashes, h => Assert.Matches(@"^\$pbkdf2-sha512\$i=600\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{86}$", h));
        Assert.Equal(8, hashes.Distinct().Count());
        Assert.True(await hasher.VerifyAsync("p\u00e4ss", hashes[0], default));
        Assert.False(await hasher.VerifyAsync("pass", hashes[0], default));
        foreach (var broken in new[] { null, "", "$", "$pbkdf2-sha512$i=0$a$b", hashes[0][..^2], hashes[0].Replace("i=600", "i=601"), "$2b$12$abcdefghijklmnopqrstuv" })
            Assert.False(await hasher.VerifyAsync("p\u00e4ss", broken, default));
        // Of another release with another cost.
        var cheap = new PasswordHasher(new HomeserverConfig { ServerName = "x", Database = new DatabaseConfig { ConnectionString = "" }, PasswordHashIterations = 3 });
        Assert.True(await hasher.VerifyAsync("x", await cheap.HashAsync("x", default), default));
    }
}
