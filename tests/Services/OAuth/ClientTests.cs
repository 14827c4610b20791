using Matrix.ClientApi.OAuth;
using Matrix.ServiceDefaults;
using Matrix.ServiceTests.Sso;

namespace Matrix.ServiceTests.OAuth;

/// <summary>Registration of clients; the addresses are the examples of the specification.</summary>
public sealed class ClientTests(SsoFixture sso) : IClassFixture<SsoFixture>
{
    private static readonly Uri Client = new("https://example.com/");

    [Theory]
    [InlineData("https://example.com/callback", true)]
    [InlineData("https://app.example.com/callback", true)]
    [InlineData("https://example.com:5173/?query=value", true)]
    [InlineData("https://example.com/callback#fragment", false)]
    [InlineData("https://example.com/callback#", false)]
    [InlineData("http://example.com/callback", false)]
    [InlineData("http://localhost/", false)]
    [InlineData("https://user@example.com/callback", false)]
    [InlineData("https://evilexample.com/callback", false)]
    [InlineData("https://example.com.evil.org/", false)]
    [InlineData("javascript:alert(1)//example.com", false)]
    public void Web(string address, bool allowed) => Assert.Equal(allowed, RedirectUris.IsWeb(address, Client));

    [Theory]
    [InlineData("com.example.app:/callback", true)]
    [InlineData("com.example:/", true)]
    [InlineData("com.example:callback", true)]
    [InlineData("http://localhost/callback", true)]
    [InlineData("http://127.0.0.1/callback", true)]
    [InlineData("http://[::1]/callback", true)]
    [InlineData("https://example.com/callback", true)]
    [InlineData("example:/callback", false)]
    [InlineData("com.example.app://callback", false)]
    [InlineData("com.examplesomething:/callback", false)]
    [InlineData("https://localhost/callback", false)]
    [InlineData("http://localhost:1234/callback", false)]
    [InlineData("http://evil.org/callback", false)]
    [InlineData("http://localhost.evil.org/callback", false)]
    public void Native(string address, bool allowed) => Assert.Equal(allowed, RedirectUris.IsNative(address, Client));

    [Fact]
    public async Task Registrations_that_nobody_uses_are_forgotten_though_many_older_ones_are_in_use()
    {
        var user = await sso.RegisterAsync();
        await using var old = sso.Postgres.Source.CreateCommand(
            """
            with clients as (insert into oauth_clients (client_id, metadata, registered_ts_ms) select 'old' || n, '{}'::bytea, n from generate_series(1, 31) n),
            added as (insert into devices (user_id, device_id, created_ts_ms) select $1, 'old' || n, 0 from generate_series(1, 30) n)
            select 1
            """);
        old.Parameters.AddWithValue(user.Id);
        await old.ExecuteNonQueryAsync();
        await using var used = sso.Postgres.Source.CreateCommand(
            "insert into oauth_sessions (user_id, device_id, client_id, scope, created_ts_ms) select user_id, device_id, device_id, '', 0 from devices where user_id = $1 and device_id like 'old%'");
        used.Parameters.AddWithValue(user.Id);
        await used.ExecuteNonQueryAsync();
        await OAuthApp.RegisterAsync(sso);
        await using var left = sso.Postgres.Source.CreateCommand("select count(*), count(*) filter (where client_id = 'old31') from oauth_clients where registered_ts_ms <= 31");
        await using var r = await left.ExecuteReaderAsync(TestContext.Current.CancellationToken);
        await r.ReadAsync(TestContext.Current.CancellationToken);
        Assert.Equal((30, 0), (r.GetInt64(0), r.GetInt64(1)));
    }

    [Fact]
    public async Task The_same_metadata_have_the_same_id_and_what_is_not_served_is_left_out()
    {
        var answer = await sso.JsonAsync(HttpMethod.Post, OAuthApp.Root + "register", null, OAuthApp.Metadata());
        Assert.Equal(201, answer.Status);
        Assert.Equal(answer.Text("client_id"), (await OAuthApp.RegisterAsync(sso)).Id);
        Assert.NotEqual(answer.Text("client_id"), (await OAuthApp.RegisterAsync(sso, OAuthApp.Metadata("Another"))).Id);
        Assert.DoesNotContain("unknown", answer.Body.GetProperty("grant_types").GetRawText());
        Assert.Equal("none", answer.Text("token_endpoint_auth_method"));
    }

    [Theory]
    [InlineData("""{"redirect_uris":["https://example.com/"]}""", "invalid_client_metadata")]
    [InlineData("""{"client_uri":"http://example.com/","redirect_uris":["https://example.com/"]}""", "invalid_client_metadata")]
    [InlineData("""{"client_uri":"https://example.com/"}""", "invalid_redirect_uri")]
    [InlineData("""{"client_uri":"https://example.com/","redirect_uris":["https://evil.org/"]}""", "invalid_redirect_uri")]
    [InlineData("""{"client_uri":"https://example.com/","redirect_uris":[1]}""", "invalid_client_metadata")]
    [InlineData("""{"client_uri":"https://example.com/","redirect_uris":["https://example.com/"],"logo_uri":"https://evil.org/x.png"}""", "invalid_client_metadata")]
    [InlineData("""{"client_uri":"https://example.com/","redirect_uris":["https://example.com/"],"application_type":"toaster"}""", "invalid_client_metadata")]
    [InlineData("""{"client_uri":"https://example.com/","redirect_uris":["https://example.com/"],"grant_types":["password"]}""", "invalid_client_metadata")]
    [InlineData("""{"client_uri":"https://example.com/","redirect_uris":["https://example.com/"],"response_types":["token"]}""", "invalid_client_metadata")]
    [InlineData("""[]""", "invalid_client_metadata")]
    [InlineData("""{""", "invalid_client_metadata")]
    public async Task Metadata_that_break_the_rules_are_refused(string json, string error)
    {
        using var response = await sso.First.Http.PostAsync(OAuthApp.Root + "register", new StringContent(json, System.Text.Encoding.UTF8, "application/json"));
        Assert.Equal(400, (int)response.StatusCode);
        Assert.Contains($"\"error\":\"{error}\"", await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData(false, "https://matrix.example.org/")]
    [InlineData(true, null)]
    public void Without_an_address_or_when_switched_off_there_is_no_such_api(bool enabled, string? publicBase)
    {
        var config = new HomeserverConfig { ServerName = "x", Database = new() { ConnectionString = "" }, PublicBaseUrl = publicBase, OAuth = new() { Enabled = enabled } };
        var error = Assert.Throws<Matrix.Primitives.MatrixException>(new OAuthAddresses(config).RequireEnabled).Error;
        Assert.Equal((404, "M_UNRECOGNIZED"), (error.Status, error.Code));
    }
}
