using Matrix.ClientApi.AccountValidity;
using Matrix.ServiceDefaults;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.ClientApi.Accounts;

public sealed class RenewalFixture : ThreepidFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config)
    {
        var with = base.Configure(config);
        return with with { Accounts = with.Accounts with { AccountValidity = TimeSpan.FromDays(30), RenewAt = TimeSpan.FromDays(7), RenewSubject = "Keep your %(app)s account" } };
    }

    public async Task<(TestUser User, string Address)> WithAddressAsync()
    {
        var user = await RegisterUserAsync();
        var address = NewName() + "@good.example";
        await ExecuteAsync("insert into user_threepids (medium, address, user_id, validated_ts_ms, added_ts_ms) values ('email', $1, $2, 0, 0)", address, user.Id);
        return (user, address);
    }

    public Task EndInAsync(TestUser user, TimeSpan time) =>
        ExecuteAsync("update users set expires_ts_ms = $2 where user_id = $1", user.Id, (Clock.GetUtcNow() + time).ToUnixTimeMilliseconds());

    public async Task<TimeSpan> LeftAsync(TestUser user) =>
        DateTimeOffset.FromUnixTimeMilliseconds((long)(await ScalarAsync("select expires_ts_ms from users where user_id = $1", user.Id))!) - Clock.GetUtcNow();
}

public sealed class RenewalTests(RenewalFixture api) : IClassFixture<RenewalFixture>
{
    private const string SendMail = "/_matrix/client/unstable/account_validity/send_mail";
    private const string Renew = "/_matrix/client/unstable/account_validity/renew";

    private async Task SendDueAsync()
    {
        while (await api.Services.GetRequiredService<Renewals>().SendDueAsync(CancellationToken.None) > 0) { }
    }

    [Fact]
    public async Task Who_is_about_to_lose_his_account_is_asked_once_and_renews_it_with_the_link()
    {
        var ((user, address), (later, _)) = (await api.WithAddressAsync(), await api.WithAddressAsync());
        await api.EndInAsync(user, TimeSpan.FromDays(6));
        // Long enough that the other tests, on the same clock a day later, do not find it due.
        await api.EndInAsync(later, TimeSpan.FromDays(20));
        await Task.WhenAll(SendDueAsync(), SendDueAsync());
        var mail = await api.Mail.NextAsync();
        Assert.Equal(address, mail.To);
        Assert.Contains("Keep your Testers account", mail.Source);
        Assert.StartsWith("https://matrix.test.example" + Renew + "?token=", mail.Link.ToString());
        Assert.Contains(user.Id[1..user.Id.IndexOf(':')], mail.Part("text/plain"));
        await SendDueAsync();
        Assert.Equal(0, api.Mail.Waiting);

        var (status, html, _) = await api.OpenAsync(mail.Link);
        Assert.Equal(200, status);
        Assert.DoesNotContain("<script", html);
        Assert.InRange((await api.LeftAsync(user)).TotalDays, 29.9, 30);
        api.Clock.Advance(TimeSpan.FromDays(1));
        (status, html, _) = await api.OpenAsync(mail.Link);
        Assert.Equal(200, status);
        Assert.Contains("used before", html);
        Assert.InRange((await api.LeftAsync(user)).TotalDays, 28.9, 29);
    }

    [Fact]
    public async Task An_account_that_has_ended_can_ask_for_the_mail_itself_and_lives_again_at_once()
    {
        var (user, _) = await api.WithAddressAsync();
        await api.EndInAsync(user, TimeSpan.FromSeconds(-1));
        (await api.GetAsync(user, "/_matrix/client/v3/account/whoami")).Require(403, "ORG_MATRIX_EXPIRED_ACCOUNT");
        (await api.PostAsync(user, SendMail, new { })).RequireOk();
        Assert.Equal(200, (await api.OpenAsync((await api.Mail.NextAsync()).Link)).Status);
        (await api.GetAsync(user, "/_matrix/client/v3/account/whoami")).RequireOk();
        (await api.PostAsync(null, SendMail, new { })).Require(401, "M_MISSING_TOKEN");
    }

    [Fact]
    public async Task Accounts_from_before_there_were_ends_get_one()
    {
        var user = await api.RegisterUserAsync();
        await api.ExecuteAsync("update users set expires_ts_ms = null where user_id = $1", user.Id);
        await ActivatorUtilities.CreateInstance<Renewals>(api.Services).SendDueAsync(CancellationToken.None);
        Assert.InRange((await api.LeftAsync(user)).TotalDays, 29.9, 30);
    }

    [Theory]
    [InlineData("")]
    [InlineData("?token=")]
    [InlineData("?token=guessed")]
    public async Task Links_that_are_none_renew_nothing(string query)
    {
        using var response = await api.Http.GetAsync(Renew + query);
        Assert.Equal(404, (int)response.StatusCode);
        Assert.Contains("not valid", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Administrators_may_keep_mails_from_going_out()
    {
        var admin = await api.RegisterAdminAsync();
        var (user, _) = await api.WithAddressAsync();
        var soon = (api.Clock.GetUtcNow() + TimeSpan.FromDays(1)).ToUnixTimeMilliseconds();
        (await api.PostAsync(admin, "/_synapse/admin/v1/account_validity/validity", new { user_id = user.Id, expiration_ts = soon, enable_renewal_emails = false })).RequireOk();
        await SendDueAsync();
        Assert.Equal(0, api.Mail.Waiting);
    }
}
