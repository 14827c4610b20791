using Matrix.ClientApi.AutoJoining;
using Matrix.Storage.Accounts;
using Matrix.Web.Auth;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.ClientApi.Accounts;

/// <summary>Synapse: auto_join_rooms</summary>
public sealed class AutoJoinTests(AutoJoinFixture api) : IClassFixture<AutoJoinFixture>
{
    private const string Welcome = "#welcome:test.example";
    private const string Talk = "#talk:test.example";

    private static string E(string part) => Uri.EscapeDataString(part);

    private async Task<TestUser> GuestAsync()
    {
        var answer = (await api.PostAsync(null, "/_matrix/client/v3/register?kind=guest", "{}")).RequireOk();
        return new TestUser(answer.Text("user_id"), answer.Text("access_token"), "", "");
    }

    /// <summary>An account whose maker ended before he came to its rooms.</summary>
    private async Task<TestUser> ForsakenAsync()
    {
        var user = new TestUser($"@{api.NewName("forsaken")}:test.example", "", "", "");
        Assert.NotNull(await api.Services.GetRequiredService<AccountStore>().RegisterAsync(
            new NewAccount { UserId = user.Id, AutoJoin = AutoJoinTime.AtOnce }, Now, CancellationToken.None));
        return user;
    }

    private long Now => api.Clock.GetUtcNow().ToUnixTimeMilliseconds();

    private async Task LaterAsync()
    {
        api.Clock.Advance(TimeSpan.FromHours(2));
        while (await api.Services.GetRequiredService<AutoJoins>().RunDueAsync(Now, CancellationToken.None)) { }
    }

    [Fact]
    public async Task The_first_user_makes_the_rooms_and_everybody_after_him_is_in_them()
    {
        // Guests are no first users.
        await GuestAsync();
        var first = await api.RegisterUserAsync();
        foreach (var user in (TestUser[])[first, await api.RegisterUserAsync(), await GuestAsync()])
        {
            Assert.Equal("join", await api.MembershipAsync(user, Welcome));
            Assert.Equal("join", await api.MembershipAsync(user, Talk));
            Assert.False(await api.IsWaitingAsync(user.Id));
        }
        var room = (await api.GetAsync(first, $"/_matrix/client/v3/directory/room/{E(Welcome)}")).RequireOk().Text("room_id");
        Assert.Equal("public", (await api.GetAsync(first, $"/_matrix/client/v3/rooms/{E(room)}/state/m.room.join_rules")).RequireOk().Text("join_rule"));
        await api.SayAsync(await api.RegisterUserAsync(), room, "hello");
    }

    [Fact]
    public async Task What_a_process_left_undone_another_does()
    {
        await api.RegisterUserAsync();
        var user = await ForsakenAsync();
        Assert.Null(await api.MembershipAsync(user, Talk));
        await LaterAsync();
        Assert.Equal("join", await api.MembershipAsync(user, Welcome));
        Assert.Equal("join", await api.MembershipAsync(user, Talk));
        Assert.False(await api.IsWaitingAsync(user.Id));
    }

    [Fact]
    public async Task Rooms_that_cannot_be_joined_now_fail_no_registration_and_are_joined_later()
    {
        await api.RegisterUserAsync();
        api.Writer.IsBroken = true;
        var user = await api.RegisterUserAsync();
        Assert.Null(await api.MembershipAsync(user, Talk));
        await LaterAsync();
        Assert.True(await api.IsWaitingAsync(user.Id));
        api.Writer.IsBroken = false;
        await LaterAsync();
        Assert.Equal("join", await api.MembershipAsync(user, Talk));
    }

    [Fact]
    public async Task Who_has_left_is_not_brought_back()
    {
        await api.RegisterUserAsync();
        var user = await api.RegisterUserAsync();
        await api.LeaveAsync(user, (await api.GetAsync(user, $"/_matrix/client/v3/directory/room/{E(Talk)}")).RequireOk().Text("room_id"));
        await api.ExecuteAsync("insert into auto_joins (user_id, is_first, next_try_ts_ms) values ($1, false, 0)", user.Id);
        await LaterAsync();
        Assert.Equal("leave", await api.MembershipAsync(user, Talk));
        Assert.False(await api.IsWaitingAsync(user.Id));
    }

    [Fact]
    public async Task An_account_that_is_closed_joins_nothing_any_more()
    {
        await api.RegisterUserAsync();
        api.Writer.IsBroken = true;
        var user = await api.RegisterUserAsync();
        api.Writer.IsBroken = false;
        await api.Services.GetRequiredService<AccountStore>().DeactivateAsync(user.Id, false, Now, CancellationToken.None);
        await LaterAsync();
        Assert.Null(await api.MembershipAsync(user, Talk));
    }

    [Fact]
    public void Users_of_application_services_are_left_alone()
    {
        var joins = api.Services.GetRequiredService<AutoJoins>();
        Assert.Equal(AutoJoinTime.Never, joins.TimeFor(false, "bridge", null, null));
        Assert.Equal(AutoJoinTime.AtOnce, joins.TimeFor(false, null, "bot", null));
    }
}

public sealed class PrivateAutoJoinTests(PrivateAutoJoinFixture api) : IClassFixture<PrivateAutoJoinFixture>
{
    private const string Welcome = "#welcome:test.example";

    [Fact]
    public async Task The_server_s_own_user_makes_rooms_and_invites_to_them_and_guests_stay_outside()
    {
        var guest = (await api.PostAsync(null, "/_matrix/client/v3/register?kind=guest", "{}")).RequireOk();
        var (first, second) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        Assert.Equal(("join", "join"), (await api.MembershipAsync(first, Welcome), await api.MembershipAsync(second, Welcome)));
        Assert.Equal("join", await api.MembershipAsync(new TestUser("@system:test.example", "", "", ""), Welcome));
        Assert.Null(await api.MembershipAsync(new TestUser(guest.Text("user_id"), "", "", ""), Welcome));
        var room = (await api.GetAsync(first, $"/_matrix/client/v3/directory/room/{Uri.EscapeDataString(Welcome)}")).RequireOk().Text("room_id");
        var state = $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/state/";
        Assert.Equal("invite", (await api.GetAsync(second, state + "m.room.join_rules")).RequireOk().Text("join_rule"));
        Assert.False((await api.GetAsync(second, state + "m.room.create")).RequireOk().Body.GetProperty("m.federate").GetBoolean());
        // A guest who becomes a user is a new user.
        var body = new { username = guest.Text("user_id")[1..].Split(':')[0], password = "secret", guest_access_token = guest.Text("access_token"), auth = new { type = "m.login.dummy" } };
        var upgraded = (await api.PostAsync(null, "/_matrix/client/v3/register", body)).RequireOk();
        Assert.Equal("join", await api.MembershipAsync(new TestUser(upgraded.Text("user_id"), "", "", ""), Welcome));
    }
}

public sealed class FoundAutoJoinTests(FoundAutoJoinFixture api) : IClassFixture<FoundAutoJoinFixture>
{
    [Fact]
    public async Task Rooms_that_are_missing_or_closed_fail_no_registration_and_are_not_tried_for_ever()
    {
        var first = await api.RegisterUserAsync();
        Assert.Null(await api.MembershipAsync(first, "#welcome:test.example"));
        await api.CreateRoomAsync(first, new { preset = "public_chat", room_alias_name = "welcome" });
        await api.CreateRoomAsync(first, new { preset = "private_chat", room_alias_name = "talk" });
        var second = await api.RegisterUserAsync();
        Assert.Equal("join", await api.MembershipAsync(second, "#welcome:test.example"));
        Assert.Null(await api.MembershipAsync(second, "#talk:test.example"));
        Assert.False(await api.IsWaitingAsync(first.Id) || await api.IsWaitingAsync(second.Id));
    }
}

public sealed class ConsentAutoJoinTests(ConsentAutoJoinFixture api) : IClassFixture<ConsentAutoJoinFixture>
{
    private async Task<string?> MembershipAsync(string user) => (string?)await api.ScalarAsync("select membership from room_memberships where user_id = $1", user);

    [Fact]
    public async Task Who_has_not_agreed_to_the_policy_is_joined_when_he_has()
    {
        var agreed = await api.RegisterSilentAsync();
        Assert.Equal("join", await MembershipAsync(agreed.Id));
        var joins = api.Services.GetRequiredService<AutoJoins>();
        Assert.Equal(AutoJoinTime.AfterConsent, joins.TimeFor(false, null, null, null));
        var name = api.NewName();
        var user = $"@{name}:test.example";
        var now = api.Clock.GetUtcNow().ToUnixTimeMilliseconds();
        Assert.NotNull(await api.Services.GetRequiredService<AccountStore>().RegisterAsync(
            new NewAccount { UserId = user, AutoJoin = AutoJoinTime.AfterConsent }, now, CancellationToken.None));
        Assert.False(await joins.RunDueAsync(now + 1_000_000_000, CancellationToken.None));
        Assert.Null(await MembershipAsync(user));
        Assert.Equal(200, (await api.OpenAsync("", ("u", name), ("h", ConsentRules.Mac(name, ConsentFixture.FormSecret)), ("v", "2.0"))).Status);
        Assert.Equal("join", await MembershipAsync(user));
    }
}
