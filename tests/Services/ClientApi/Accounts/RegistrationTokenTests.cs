using Matrix.ServiceDefaults;

namespace Matrix.ServiceTests.ClientApi.Accounts;

public sealed class TokenRegistrationFixture : ClientApiFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config) => base.Configure(config) with { Accounts = new() { RegistrationRequiresToken = true } };

    /// <summary>An administrator from before.</summary>
    public async Task<TestUser> AdminAsync()
    {
        var token = NewName("first");
        await ExecuteAsync("insert into registration_tokens (token) values ($1)", token);
        var name = NewName("admin");
        await RegisterAsync(name, token);
        await ExecuteAsync("update users set is_admin = true where user_id = $1", $"@{name}:test.example");
        return await LogInAsync(name, "p");
    }

    public async Task<Answer> RegisterAsync(string name, string token)
    {
        var session = (await PostAsync(null, "/_matrix/client/v3/register", new { username = name, password = "p" })).Text("session");
        return await PostAsync(null, "/_matrix/client/v3/register", new { auth = new { type = "m.login.registration_token", token, session } });
    }
}

public sealed class RegistrationTokenTests(TokenRegistrationFixture api) : IClassFixture<TokenRegistrationFixture>
{
    private const string Admin = "/_synapse/admin/v1/registration_tokens";

    private async Task<bool> IsValidAsync(string token) =>
        (await api.GetAsync(null, $"/_matrix/client/v1/register/m.login.registration_token/validity?token={token}")).RequireOk().Body.GetProperty("valid").GetBoolean();

    [Fact]
    public async Task A_token_lets_register_as_often_as_it_may_whoever_comes_at_once()
    {
        var admin = await api.AdminAsync();
        (await api.PostAsync(admin, Admin + "/new", new { token = "thrice", uses_allowed = 3 })).RequireOk();
        Assert.True(await IsValidAsync("thrice"));
        var names = Enumerable.Range(0, 8).Select(_ => api.NewName()).ToList();
        var answers = await Task.WhenAll(names.Select(n => api.RegisterAsync(n, "thrice")));
        Assert.Equal(3, answers.Count(a => a.Status == 200));
        foreach (var refused in answers.Where(a => a.Status != 200)) refused.Require(401, "M_UNAUTHORIZED");
        var token = (await api.GetAsync(admin, Admin + "/thrice")).RequireOk();
        Assert.Equal((0, 3), (token.Body.GetProperty("pending").GetInt32(), token.Body.GetProperty("completed").GetInt32()));
        Assert.False(await IsValidAsync("thrice"));
    }

    [Fact]
    public async Task Without_a_token_nobody_registers()
    {
        var challenge = await api.PostAsync(null, "/_matrix/client/v3/register", new { username = api.NewName(), password = "p", auth = new { type = "m.login.dummy" } });
        Assert.Equal(401, challenge.Status);
        Assert.Equal("""[{"stages":["m.login.registration_token"]}]""", challenge.Body.GetProperty("flows").GetRawText());
        (await api.RegisterAsync(api.NewName(), "unknown")).Require(401, "M_UNAUTHORIZED");
        Assert.False(await IsValidAsync("unknown"));
        (await api.GetAsync(null, "/_matrix/client/v1/register/m.login.registration_token/validity")).Require(400, "M_MISSING_PARAM");
    }

    [Fact]
    public async Task Administrators_make_change_list_and_delete_tokens()
    {
        var admin = await api.AdminAsync();
        var random = (await api.PostAsync(admin, Admin + "/new", new { length = 24 })).RequireOk();
        Assert.Equal(24, random.Text("token").Length);
        var future = api.Clock.GetUtcNow().AddHours(1).ToUnixTimeMilliseconds();
        Assert.Equal("""{"token":"named","uses_allowed":null,"pending":0,"completed":0,"expiry_time":null}""",
            (await api.PostAsync(admin, Admin + "/new", new { token = "named" })).RequireOk().Body.GetRawText());
        (await api.PostAsync(admin, Admin + "/new", new { token = "named" })).Require(400, "M_INVALID_PARAM");
        Assert.Equal(future, (await api.PutAsync(admin, Admin + "/named", new { expiry_time = future })).RequireOk().Body.GetProperty("expiry_time").GetInt64());
        Assert.Equal(0, (await api.PutAsync(admin, Admin + "/named", new { uses_allowed = 0 })).RequireOk().Body.GetProperty("uses_allowed").GetInt32());
        Assert.Equal(future, (await api.GetAsync(admin, Admin + "/named")).RequireOk().Body.GetProperty("expiry_time").GetInt64());
        string[] Names(Answer list) => [.. list.RequireOk().Body.GetProperty("registration_tokens").EnumerateArray().Select(t => t.GetProperty("token").GetString()!)];
        Assert.Contains("named", Names(await api.GetAsync(admin, Admin + "?valid=false")));
        Assert.DoesNotContain("named", Names(await api.GetAsync(admin, Admin + "?valid=true")));
        (await api.DeleteAsync(admin, Admin + "/named")).RequireOk();
        (await api.DeleteAsync(admin, Admin + "/named")).Require(404, "M_NOT_FOUND");
        (await api.GetAsync(admin, Admin + "/named")).Require(404, "M_NOT_FOUND");
        (await api.PutAsync(admin, Admin + "/named", "{}")).Require(404, "M_NOT_FOUND");
    }

    [Theory]
    [InlineData("""{"token":"no spaces"}""")]
    [InlineData("""{"token":""}""")]
    [InlineData("""{"uses_allowed":-1}""")]
    [InlineData("""{"expiry_time":1}""")]
    [InlineData("""{"length":65}""")]
    public async Task What_is_no_token_is_refused(string body) => (await api.PostAsync(await api.AdminAsync(), Admin + "/new", body)).Require(400, "M_INVALID_PARAM");

    [Fact]
    public async Task Nobody_else_sees_them()
    {
        await api.AdminAsync();
        await api.ExecuteAsync("insert into registration_tokens (token) values ('open') on conflict do nothing");
        var user = (await api.RegisterAsync(api.NewName(), "open")).RequireOk();
        (await api.GetAsync(new TestUser("", user.Text("access_token"), "", ""), Admin)).Require(403, "M_FORBIDDEN");
        (await api.GetAsync(null, Admin)).Require(401, "M_MISSING_TOKEN");
    }
}
