using Matrix.ServiceDefaults;

namespace Matrix.ServiceTests.ClientApi.Accounts;

public sealed class RefreshFixture : ClientApiFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config) => base.Configure(config) with
    {
        Accounts = new() { Sessions = new() { RefreshToken = TimeSpan.FromDays(7), SessionLifetime = TimeSpan.FromDays(30) } },
    };
}

public sealed class RefreshTests(RefreshFixture api) : IClassFixture<RefreshFixture>
{
    private const string WhoAmI = "/_matrix/client/v3/account/whoami";

    private async Task<Answer> LogInAsync(bool refreshable = true, string? deviceId = null, TestUser? user = null)
    {
        user ??= await api.RegisterUserAsync();
        return (await api.PostAsync(null, "/_matrix/client/v3/login",
            new { type = "m.login.password", user = user.Id, password = user.Password, refresh_token = refreshable, device_id = deviceId })).RequireOk();
    }

    private Task<Answer> RefreshAsync(string token) => api.PostAsync(null, "/_matrix/client/v3/refresh", new { refresh_token = token });
    private static TestUser With(Answer answer) => new("", answer.Text("access_token"), "", "");
    private Task<Answer> UseAsync(Answer answer) => api.GetAsync(With(answer), WhoAmI);

    [Fact]
    public async Task Who_cannot_refresh_gets_no_refresh_token()
    {
        var login = await LogInAsync(refreshable: false);
        Assert.False(login.Has("refresh_token"));
        Assert.Equal(TimeSpan.FromDays(30).TotalMilliseconds, login.Body.GetProperty("expires_in_ms").GetDouble());
    }

    [Fact]
    public async Task An_expired_access_token_is_a_soft_logout_and_a_refresh_ends_it()
    {
        var login = await LogInAsync();
        Assert.Equal(300_000, login.Body.GetProperty("expires_in_ms").GetInt64());
        (await UseAsync(login)).RequireOk();
        api.Clock.Advance(TimeSpan.FromMinutes(6));
        var expired = (await UseAsync(login)).Require(401, "M_UNKNOWN_TOKEN");
        Assert.True(expired.Body.GetProperty("soft_logout").GetBoolean());
        var next = (await RefreshAsync(login.Text("refresh_token"))).RequireOk();
        var me = (await UseAsync(next)).RequireOk();
        Assert.Equal(login.Text("device_id"), me.Text("device_id"));
        Assert.NotEqual(login.Text("refresh_token"), next.Text("refresh_token"));
    }

    [Fact]
    public async Task A_registration_can_be_refreshed_too()
    {
        var answer = (await api.PostAsync(null, "/_matrix/client/v3/register",
            new { username = api.NewName(), password = "p", refresh_token = true, auth = new { type = "m.login.dummy" } })).RequireOk();
        (await UseAsync((await RefreshAsync(answer.Text("refresh_token"))).RequireOk())).RequireOk();
    }

    [Fact]
    public async Task A_lost_answer_is_asked_for_again_until_one_of_its_tokens_is_used()
    {
        var login = await LogInAsync();
        var first = login.Text("refresh_token");
        var lost = (await RefreshAsync(first)).RequireOk();
        var second = (await RefreshAsync(first)).RequireOk();
        // What was lost is void, and the old access token still works.
        (await RefreshAsync(lost.Text("refresh_token"))).Require(401, "M_UNKNOWN_TOKEN");
        (await UseAsync(lost)).Require(401, "M_UNKNOWN_TOKEN");
        (await UseAsync(login)).RequireOk();

        (await UseAsync(second)).RequireOk();
        (await RefreshAsync(first)).Require(401, "M_UNKNOWN_TOKEN");
        (await UseAsync(login)).Require(401, "M_UNKNOWN_TOKEN");
        (await UseAsync(second)).RequireOk();
    }

    [Fact]
    public async Task The_next_refresh_token_ends_the_one_before_as_well()
    {
        var login = await LogInAsync();
        var second = (await RefreshAsync(login.Text("refresh_token"))).RequireOk();
        var third = (await RefreshAsync(second.Text("refresh_token"))).RequireOk();
        (await RefreshAsync(login.Text("refresh_token"))).Require(401, "M_UNKNOWN_TOKEN");
        (await UseAsync(third)).RequireOk();
    }

    [Fact]
    public async Task Of_many_refreshes_at_once_one_answer_is_good()
    {
        var login = await LogInAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => RefreshAsync(login.Text("refresh_token"))));
        foreach (var answer in answers) answer.RequireOk();
        var used = await Task.WhenAll(answers.Select(UseAsync));
        Assert.Single(used, a => a.Status == 200);
    }

    [Fact]
    public async Task Logout_and_a_new_login_of_the_device_end_the_refresh_token()
    {
        var user = await api.RegisterUserAsync();
        var one = await LogInAsync(user: user, deviceId: "ONE");
        var again = await LogInAsync(user: user, deviceId: "ONE");
        (await RefreshAsync(one.Text("refresh_token"))).Require(401, "M_UNKNOWN_TOKEN");
        (await api.PostAsync(With(again), "/_matrix/client/v3/logout", "{}")).RequireOk();
        (await RefreshAsync(again.Text("refresh_token"))).Require(401, "M_UNKNOWN_TOKEN");
        var other = await LogInAsync(user: user);
        (await api.PostAsync(user, "/_matrix/client/v3/account/password",
            new { new_password = "other", auth = new { type = "m.login.password", user = user.Id, password = user.Password } })).RequireOk();
        (await RefreshAsync(other.Text("refresh_token"))).Require(401, "M_UNKNOWN_TOKEN");
    }

    [Fact]
    public async Task A_refresh_token_ends_when_it_lies_unused_and_with_the_session()
    {
        var (idle, busy) = (await LogInAsync(), await LogInAsync());
        for (var day = 0; day < 24; day += 6)
        {
            api.Clock.Advance(TimeSpan.FromDays(6));
            busy = (await RefreshAsync(busy.Text("refresh_token"))).RequireOk();
        }
        var expired = (await RefreshAsync(idle.Text("refresh_token"))).Require(401, "M_UNKNOWN_TOKEN");
        Assert.True(expired.Body.GetProperty("soft_logout").GetBoolean());
        api.Clock.Advance(TimeSpan.FromDays(6) + TimeSpan.FromMinutes(1));
        (await RefreshAsync(busy.Text("refresh_token"))).Require(401, "M_UNKNOWN_TOKEN");
    }
}
