using System.Text.Json;
using Matrix.ClientApi.ServerNotices;
using Matrix.ServiceDefaults;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.ClientApi.Accounts;

public sealed class UsageFixture : ClientApiFixture
{
    public const int Most = 2;

    protected override HomeserverConfig Configure(HomeserverConfig config) => base.Configure(config) with
    {
        ServerNotices = new("notices"),
        Usage = new() { AdminContact = "mailto:admin@example.org", MaxMonthlyUsers = Most, Reserved = [new("email", "boss@example.org")] },
    };

    /// <summary>Nobody is active, and nobody was told of anything.</summary>
    public Task EmptyAsync() => ExecuteAsync("delete from access_tokens; delete from devices; delete from server_notice_rooms");
}

/// <summary><c>limit_usage_by_mau</c>. Spec: client-server-api/#server-notices, M_RESOURCE_LIMIT_EXCEEDED</summary>
public sealed class UsageLimitTests(UsageFixture api) : IClassFixture<UsageFixture>
{
    private Task<Answer> TryRegisterAsync() => api.PostAsync(
        null, "/_matrix/client/v3/register", new { username = api.NewName(), password = "secret", auth = new { type = "m.login.dummy" } });

    private Task<Answer> TryLogInAsync(TestUser user) => api.PostAsync(
        null, "/_matrix/client/v3/login", new { type = "m.login.password", identifier = new { type = "m.id.user", user = user.Id }, password = user.Password });

    [Fact]
    public async Task A_full_server_lets_in_nobody_new_and_everybody_who_is_active()
    {
        await api.EmptyAsync();
        var idle = await api.RegisterUserAsync();
        await api.EmptyAsync();
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var refused = (await TryRegisterAsync()).Require(403, "M_RESOURCE_LIMIT_EXCEEDED");
        Assert.Equal(("monthly_active_user", "mailto:admin@example.org"), (refused.Text("limit_type"), refused.Text("admin_contact")));
        (await TryLogInAsync(idle)).Require(403, "M_RESOURCE_LIMIT_EXCEEDED");
        (await TryLogInAsync(alice)).RequireOk();
        (await api.PostAsync(null, "/_matrix/client/v3/register?kind=guest", "{}")).RequireOk();
        // Not seen for a month: his place is free.
        await api.ExecuteAsync("update devices set created_ts_ms = 0, last_seen_ts_ms = 0 where user_id = $1", bob.Id);
        (await TryLogInAsync(idle)).RequireOk();
    }

    [Fact]
    public async Task Who_was_reserved_a_place_has_it()
    {
        await api.EmptyAsync();
        var boss = await api.RegisterUserAsync();
        await api.EmptyAsync();
        await api.RegisterUserAsync();
        await api.RegisterUserAsync();
        (await TryLogInAsync(boss)).Require(403, "M_RESOURCE_LIMIT_EXCEEDED");
        await api.ExecuteAsync("insert into user_threepids (medium, address, user_id, validated_ts_ms, added_ts_ms) values ('email', 'boss@example.org', $1, 0, 0)", boss.Id);
        (await TryLogInAsync(boss)).RequireOk();
    }

    [Fact]
    public async Task Active_users_see_a_pinned_notice_as_long_as_the_server_is_full()
    {
        await api.EmptyAsync();
        var alice = await api.RegisterUserAsync();
        var bob = await api.RegisterUserAsync();
        var rounds = api.Services.GetRequiredService<NoticeRounds>();
        await rounds.RunAsync(default);
        await rounds.RunAsync(default);
        var room = (string)(await api.ScalarAsync("select room_id from server_notice_rooms where user_id = $1", alice.Id))!;
        await api.JoinAsync(alice, room);
        var pinned = Assert.Single(await PinnedAsync(alice, room));
        var content = (await api.GetAsync(alice, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/event/{Uri.EscapeDataString(pinned)}")).RequireOk().Body.GetProperty("content");
        Assert.Equal(("m.server_notice", "m.server_notice.usage_limit_reached", "monthly_active_user", "mailto:admin@example.org"),
            (Text("msgtype"), Text("server_notice_type"), Text("limit_type"), Text("admin_contact")));
        string? Text(string name) => content.GetProperty(name).GetString();

        await api.ExecuteAsync("update devices set created_ts_ms = 0, last_seen_ts_ms = 0 where user_id = $1", bob.Id);
        await rounds.RunAsync(default);
        Assert.Empty(await PinnedAsync(alice, room));
        await rounds.RunAsync(default);
        Assert.Equal(0L, await api.ScalarAsync("select count(*) from server_notice_rooms where usage_event_id is not null"));
    }

    private async Task<List<string>> PinnedAsync(TestUser user, string room) =>
        [.. (await api.GetAsync(user, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/state/m.room.pinned_events")).RequireOk().Body
            .GetProperty("pinned").EnumerateArray().Select(e => e.GetString()!)];
}

public sealed class DisabledFixture : ClientApiFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config) => base.Configure(config) with { Usage = new() { DisabledMessage = "Closed for repairs" } };
}

/// <summary><c>hs_disabled</c>.</summary>
public sealed class DisabledServerTests(DisabledFixture api) : IClassFixture<DisabledFixture>
{
    [Fact]
    public async Task A_server_that_is_disabled_serves_its_administrators_only()
    {
        (await api.PostAsync(null, "/_matrix/client/v3/register", new { username = "a", password = "secret", auth = new { type = "m.login.dummy" } }))
            .Require(403, "M_RESOURCE_LIMIT_EXCEEDED");
        var made = await MakeAsync();
        (await api.GetAsync(made, "/_matrix/client/v3/account/whoami")).RequireOk();
        await api.ExecuteAsync("update users set is_admin = false where user_id = $1", made.Id);
        (await api.PostAsync(null, "/_matrix/client/v3/login", new { type = "m.login.password", identifier = new { type = "m.id.user", user = made.Id }, password = made.Password }))
            .Require(403, "M_RESOURCE_LIMIT_EXCEEDED");
        var other = await MakeAsync(demote: true);
        var refused = (await api.GetAsync(other, "/_matrix/client/v3/account/whoami")).Require(403, "M_RESOURCE_LIMIT_EXCEEDED");
        Assert.Equal(("hs_disabled", "Closed for repairs"), (refused.Text("limit_type"), refused.Text("error")));
        (await api.PostAsync(other, "/_matrix/client/v3/logout", "{}")).RequireOk();
    }

    private async Task<TestUser> MakeAsync(bool demote = false)
    {
        var name = api.NewName();
        var nonce = (await api.GetAsync(null, "/_synapse/admin/v1/register")).RequireOk().Text("nonce");
        var mac = Convert.ToHexStringLower(System.Security.Cryptography.HMACSHA1.HashData(
            System.Text.Encoding.UTF8.GetBytes(ClientApiFixture.SharedSecret), System.Text.Encoding.UTF8.GetBytes($"{nonce}\0{name}\0secret\0admin")));
        var answer = (await api.PostAsync(null, "/_synapse/admin/v1/register", new { nonce, username = name, password = "secret", admin = true, mac })).RequireOk();
        var user = new TestUser(answer.Text("user_id"), answer.Text("access_token"), answer.Text("device_id"), "secret");
        if (demote) await api.ExecuteAsync("update users set is_admin = false where user_id = $1", user.Id);
        return user;
    }
}
