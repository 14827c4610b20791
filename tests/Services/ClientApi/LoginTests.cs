using Matrix.ClientApi.Account;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.ClientApi;

public sealed class LoginTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private const string Path = "/_matrix/client/v3/login";
    private const string WhoAmI = "/_matrix/client/v3/account/whoami";

    private Task<Answer> LogInAsync(string user, string password, string? deviceId = null) => api.PostAsync(null, Path,
        new { type = "m.login.password", identifier = new { type = "m.id.user", user }, password, device_id = deviceId, initial_device_display_name = "phone" });

    private static TestUser As(Answer login) => new(login.Text("user_id"), login.Text("access_token"), login.Text("device_id"), "");

    [Fact]
    public async Task Localpart_user_id_capitals_and_the_old_form_all_log_in()
    {
        var user = await api.RegisterUserAsync();
        var localpart = user.Id[1..user.Id.IndexOf(':')];
        foreach (var name in new[] { localpart, user.Id, localpart.ToUpperInvariant() })
            Assert.Equal(user.Id, (await LogInAsync(name, user.Password)).RequireOk().Text("user_id"));
        (await api.PostAsync(null, Path, new { type = "m.login.password", user = user.Id, password = user.Password })).RequireOk();
    }

    [Fact]
    public async Task A_wrong_password_and_an_unknown_user_are_not_told_apart()
    {
        var user = await api.RegisterUserAsync();
        var wrong = (await LogInAsync(user.Id, "wrong")).Require(403, "M_FORBIDDEN");
        foreach (var nobody in new[] { "@nobody:test.example", "nobody", "@nobody:elsewhere.example", "@" + new string('x', 300) })
            Assert.Equal(wrong.Text("error"), (await LogInAsync(nobody, "wrong")).Require(403, "M_FORBIDDEN").Text("error"));
        (await api.PostAsync(null, Path, new { type = "m.login.password", identifier = new { type = "m.id.thirdparty", medium = "email", address = "a@b.c" }, password = "x" }))
            .Require(403, "M_FORBIDDEN");
    }

    [Fact]
    public async Task A_wrong_password_costs_the_same_work_and_has_the_same_answer_whoever_is_meant()
    {
        var hasher = api.Services.GetRequiredService<PasswordHasher>();
        var users = new Dictionary<string, string> { ["usual"] = (await api.RegisterUserAsync()).Id, ["unknown"] = "@nobody:test.example", ["elsewhere"] = "@nobody:elsewhere.example" };
        foreach (var (state, change) in new[] { ("locked", "locked = true"), ("suspended", "suspended = true"), ("expired", "expires_ts_ms = 1"), ("without a password", "password_hash = null") })
        {
            users[state] = (await api.RegisterUserAsync()).Id;
            await api.ExecuteAsync($"update users set {change} where user_id = $1", users[state]);
        }
        foreach (var (state, user) in users)
        {
            var before = hasher.WorkDone;
            var answer = (await LogInAsync(user, "wrong")).Require(403, "M_FORBIDDEN");
            Assert.Equal((state, "Invalid username or password", 1), (state, answer.Text("error"), hasher.WorkDone - before));
        }
        // Only who knows the password hears of the lock.
        (await LogInAsync(users["locked"], "secret")).Require(401, "M_USER_LOCKED");
    }

    [Theory]
    [InlineData("""{"type":"m.login.nothing"}""", "M_UNKNOWN")]
    [InlineData("""{"identifier":{}}""", "M_MISSING_PARAM")]
    [InlineData("""{"type":"m.login.password","password":"x"}""", "M_MISSING_PARAM")]
    [InlineData("""{"type":"m.login.password","identifier":{"type":"m.id.user"},"password":"x"}""", "M_INVALID_PARAM")]
    [InlineData("""{"type":"m.login.password","identifier":{"type":"m.id.nothing"},"password":"x"}""", "M_UNKNOWN")]
    [InlineData("""{"type":"m.login.password","identifier":{"type":"m.id.user","user":"x"},"password":1}""", "M_BAD_JSON")]
    [InlineData("""{"type":"m.login.password","identifier":"x","password":"x"}""", "M_BAD_JSON")]
    public async Task Wrong_bodies_are_refused(string body, string code) => (await api.PostAsync(null, Path, body)).Require(400, code);

    [Fact]
    public async Task A_device_that_logs_in_again_keeps_its_name_and_loses_its_old_token()
    {
        var user = await api.RegisterUserAsync();
        var first = As((await LogInAsync(user.Id, user.Password, "TABLET")).RequireOk());
        (await api.GetAsync(first, WhoAmI)).RequireOk();
        (await api.PutAsync(first, "/_matrix/client/v3/devices/TABLET", new { display_name = "mine" })).RequireOk();
        var second = As((await LogInAsync(user.Id, user.Password, "TABLET")).RequireOk());
        (await api.GetAsync(first, WhoAmI)).Require(401, "M_UNKNOWN_TOKEN");
        Assert.Equal("mine", (await api.GetAsync(second, "/_matrix/client/v3/devices/TABLET")).RequireOk().Text("display_name"));
        (await api.GetAsync(user, WhoAmI)).RequireOk();
    }

    [Fact]
    public async Task Logout_ends_one_session_and_logout_all_every_one()
    {
        var user = await api.RegisterUserAsync();
        var second = As((await LogInAsync(user.Id, user.Password)).RequireOk());
        var third = As((await LogInAsync(user.Id, user.Password)).RequireOk());
        foreach (var u in new[] { user, second, third }) (await api.GetAsync(u, WhoAmI)).RequireOk();
        (await api.PostAsync(second, "/_matrix/client/v3/logout", null)).RequireOk();
        (await api.GetAsync(second, WhoAmI)).Require(401, "M_UNKNOWN_TOKEN");
        (await api.GetAsync(user, WhoAmI)).RequireOk();
        (await api.PostAsync(user, "/_matrix/client/v3/logout/all", "{}")).RequireOk();
        (await api.GetAsync(user, WhoAmI)).Require(401, "M_UNKNOWN_TOKEN");
        (await api.GetAsync(third, WhoAmI)).Require(401, "M_UNKNOWN_TOKEN");
    }

    [Fact]
    public async Task No_token_and_an_unknown_token_are_told_apart()
    {
        (await api.GetAsync(null, WhoAmI)).Require(401, "M_MISSING_TOKEN");
        (await api.GetAsync(new TestUser("", "syt_unknown", "", ""), WhoAmI)).Require(401, "M_UNKNOWN_TOKEN");
    }
}
