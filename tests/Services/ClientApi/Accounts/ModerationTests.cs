using System.Text.RegularExpressions;
using Matrix.ServiceDefaults;

namespace Matrix.ServiceTests.ClientApi.Accounts;

public sealed class ModerationTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private const string V1 = "/_matrix/client/v1/admin";
    private const string Synapse = "/_synapse/admin/v1";
    private static readonly string[] WhileLocked = ["logout", "logout_all"];
    private static readonly string[] NotWhileSuspended =
    [
        "join_room", "join_room_by_id", "join_room_with_transaction", "join_room_by_id_with_transaction", "knock_room", "invite", "invite_with_transaction", "kick",
        "kick_with_transaction", "ban", "ban_with_transaction", "unban", "unban_with_transaction", "send_event", "send_event_without_transaction", "send_delayed_event", "set_state",
        "set_state_without_key", "create_room", "upgrade_room", "set_room_alias", "delete_room_alias", "set_room_visibility", "set_profile_field", "delete_profile_field",
        "delete_3pid", "unbind_3pid",
    ];

    private async Task<TestUser> InStateAsync(string column, object value)
    {
        var user = await api.RegisterUserAsync();
        await api.ExecuteAsync($"update users set {column} = $2 where user_id = $1", user.Id, value);
        return user;
    }

    /// <summary>Every route of the golden list that this host serves and that asks for a token.</summary>
    private static IEnumerable<(string Method, string Path, string Operation)> Routes()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "docs", "routes.golden"))) folder = folder.Parent;
        foreach (var line in File.ReadLines(Path.Combine(folder!.FullName, "docs", "routes.golden")))
        {
            var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words is [var method, var path, "clientapi" or "eventpersister", var operation, "required" or "optional"])
                yield return (method, Regex.Replace(path, @"\{[^}]*\}", "x"), operation);
        }
    }

    [Fact]
    public async Task Every_endpoint_treats_each_state_as_the_table_says()
    {
        var future = api.Clock.GetUtcNow().ToUnixTimeMilliseconds() - 1;
        var (locked, suspended, expired) = (await InStateAsync("locked", true), await InStateAsync("suspended", true), await InStateAsync("expires_ts_ms", future));
        var wrong = new SortedSet<string>(StringComparer.Ordinal);
        var seen = 0;
        foreach (var (method, path, operation) in Routes())
        {
            if (operation is "logout" or "logout_all") continue;       // told apart below: they end the session
            seen++;
            await CheckAsync(locked, "M_USER_LOCKED", true);
            // The one way back.
            await CheckAsync(expired, "ORG_MATRIX_EXPIRED_ACCOUNT", operation != "send_account_validity_mail");
            await CheckAsync(suspended, "M_USER_SUSPENDED", NotWhileSuspended.Contains(operation));

            async Task CheckAsync(TestUser user, string code, bool refused)
            {
                var answer = await api.SendAsync(new HttpMethod(method), user, path, method == "GET" ? null : "{}");
                // A route that this release does not know any more says nothing about accounts.
                if (answer.Code == "M_UNRECOGNIZED" && answer.Status is 404 or 405) return;
                if ((answer.Code == code) != refused) wrong.Add($"{method} {path} ({operation}): {answer.Status} {answer.Code}, expected {(refused ? code : "something else")}");
            }
        }
        Assert.Empty(wrong);
        Assert.True(seen > 100, $"only {seen} routes were tried");
    }

    [Fact]
    public async Task Locked_and_expired_users_may_log_out_and_nothing_else()
    {
        foreach (var (column, value) in ((string, object)[])[("locked", true), ("expires_ts_ms", 1L)])
            foreach (var path in WhileLocked.Select(o => o == "logout" ? "/logout" : "/logout/all"))
                (await api.PostAsync(await InStateAsync(column, value), "/_matrix/client/v3" + path, "{}")).RequireOk();
    }

    [Fact]
    public async Task A_lock_is_a_soft_logout_that_ends_with_it_and_refuses_logins()
    {
        var (admin, user) = (await api.RegisterAdminAsync(), await api.RegisterUserAsync());
        (await api.GetAsync(user, "/_matrix/client/v3/account/whoami")).RequireOk();
        Assert.False((await api.GetAsync(admin, $"{V1}/lock/{user.Id}")).RequireOk().Body.GetProperty("locked").GetBoolean());
        Assert.True((await api.PutAsync(admin, $"{V1}/lock/{user.Id}", """{"locked":true}""")).RequireOk().Body.GetProperty("locked").GetBoolean());
        Assert.True((await api.GetAsync(user, "/_matrix/client/v3/account/whoami")).Require(401, "M_USER_LOCKED").Body.GetProperty("soft_logout").GetBoolean());
        var login = new { type = "m.login.password", user = user.Id, password = user.Password };
        (await api.PostAsync(null, "/_matrix/client/v3/login", login)).Require(401, "M_USER_LOCKED");
        // Who does not know the password learns nothing of the lock.
        (await api.PostAsync(null, "/_matrix/client/v3/login", login with { password = "wrong" })).Require(403, "M_FORBIDDEN");
        (await api.PutAsync(admin, $"{V1}/lock/{user.Id}", """{"locked":false}""")).RequireOk();
        (await api.GetAsync(user, "/_matrix/client/v3/account/whoami")).RequireOk();
    }

    [Fact]
    public async Task A_suspended_user_reads_leaves_and_takes_back_what_he_said()
    {
        var (admin, user, other) = (await api.RegisterAdminAsync(), await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(user);
        await api.JoinAsync(other, room);
        var (mine, theirs) = (await api.SayAsync(user, room, "mine"), await api.SayAsync(other, room, "theirs"));
        (await api.PutAsync(admin, $"{V1}/suspend/{user.Id}", """{"suspended":true}""")).RequireOk();
        var path = $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}";
        (await api.PutAsync(user, $"{path}/send/m.room.message/t", new { body = "x" })).Require(403, "M_USER_SUSPENDED");
        (await api.GetAsync(user, $"{path}/messages?dir=b")).RequireOk();
        (await api.PutAsync(user, $"{path}/redact/{Uri.EscapeDataString(mine)}/a", "{}")).RequireOk();
        (await api.PutAsync(user, $"{path}/redact/{Uri.EscapeDataString(theirs)}/b", "{}")).Require(403, "M_FORBIDDEN");
        (await api.PostAsync(user, $"{path}/leave", "{}")).RequireOk();
        await api.LogInAsync(user);
        Assert.True((await api.GetAsync(admin, $"{V1}/suspend/{user.Id}")).RequireOk().Body.GetProperty("suspended").GetBoolean());
        (await api.PutAsync(admin, $"{Synapse}/suspend/{user.Id}", """{"suspend":false}""")).RequireOk();
        (await api.PostAsync(user, $"{path}/join", "{}")).RequireOk();
    }

    [Fact]
    public async Task A_shadow_banned_user_is_told_that_all_is_well()
    {
        var (admin, user, other) = (await api.RegisterAdminAsync(), await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(user);
        (await api.PostAsync(admin, $"{Synapse}/users/{user.Id}/shadow_ban", "{}")).RequireOk();
        var path = $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}";
        var sent = (await api.PutAsync(user, $"{path}/send/m.room.message/t", new { body = "x" })).RequireOk();
        Assert.Matches(@"^\$[A-Za-z0-9_-]{43}$", sent.Text("event_id"));
        (await api.GetAsync(user, $"{path}/event/{Uri.EscapeDataString(sent.Text("event_id"))}")).Require(404, "M_NOT_FOUND");
        Assert.NotEmpty((await api.PutAsync(user, $"{path}/delayed_event/m.room.message/t2", new { delay_ms = 1, content = new { body = "x" } })).RequireOk().Text("delay_id"));
        (await api.PostAsync(user, $"{path}/invite", new { user_id = other.Id })).RequireOk();
        await api.CreateRoomAsync(user, new { invite = new[] { other.Id } });
        Assert.Equal(0L, await api.ScalarAsync("select count(*) from room_memberships where user_id = $1", other.Id));
        (await api.DeleteAsync(admin, $"{Synapse}/users/{user.Id}/shadow_ban")).RequireOk();
        await api.SayAsync(user, room, "heard again");
    }

    [Fact]
    public async Task Only_administrators_moderate_and_not_each_other()
    {
        var (admin, second, user) = (await api.RegisterAdminAsync(), await api.RegisterAdminAsync(), await api.RegisterUserAsync());
        foreach (var (path, body) in ((string, string)[])[("/lock/", """{"locked":true}"""), ("/suspend/", """{"suspended":true}""")])
        {
            (await api.PutAsync(user, V1 + path + user.Id, body)).Require(403, "M_FORBIDDEN");
            (await api.GetAsync(user, V1 + path + "@nobody:test.example")).Require(403, "M_FORBIDDEN");
            (await api.PutAsync(admin, V1 + path + admin.Id, body)).Require(403, "M_FORBIDDEN");
            (await api.PutAsync(admin, V1 + path + second.Id, body)).Require(403, "M_FORBIDDEN");
            (await api.PutAsync(admin, V1 + path + "@nobody:test.example", body)).Require(404, "M_NOT_FOUND");
            (await api.PutAsync(admin, V1 + path + "@x:elsewhere.example", body)).Require(400, "M_INVALID_PARAM");
            (await api.PutAsync(admin, V1 + path + user.Id, "{}")).Require(400, "M_MISSING_PARAM");
        }
    }

    [Fact]
    public async Task An_administrator_says_when_an_account_ends()
    {
        var (admin, user) = (await api.RegisterAdminAsync(), await api.RegisterUserAsync());
        (await api.PostAsync(admin, Synapse + "/account_validity/validity", new { user_id = user.Id, expiration_ts = 1 })).RequireOk();
        (await api.GetAsync(user, "/_matrix/client/v3/account/whoami")).Require(403, "ORG_MATRIX_EXPIRED_ACCOUNT");
        (await api.PostAsync(admin, Synapse + "/account_validity/validity", new { user_id = user.Id })).RequireOk();
        (await api.GetAsync(user, "/_matrix/client/v3/account/whoami")).RequireOk();
    }

    [Fact]
    public async Task Users_look_at_their_own_sessions_and_administrators_at_all()
    {
        var (admin, user) = (await api.RegisterAdminAsync(), await api.RegisterUserAsync());
        foreach (var who in new[] { admin, user })
            Assert.True((await api.GetAsync(who, $"/_matrix/client/v3/admin/whois/{user.Id}")).RequireOk().Body.GetProperty("devices").TryGetProperty(user.DeviceId, out _));
        (await api.GetAsync(user, $"/_matrix/client/v3/admin/whois/{admin.Id}")).Require(403, "M_FORBIDDEN");
    }
}

public sealed class OneRegistrationFixture : ClientApiFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config) =>
        base.Configure(config) with { RateLimitsEnabled = true, RateLimits = new() { Registration = new(0.01, 1) } };
}

public sealed class AnonymousLimitTests(OneRegistrationFixture api) : IClassFixture<OneRegistrationFixture>
{
    [Theory]
    [InlineData("register")]
    [InlineData("device_authorization")]
    public async Task What_nobody_has_to_sign_in_for_is_limited_by_address(string path)
    {
        Assert.NotEqual(429, (await api.PostAsync(null, $"/_synapse/client/oauth/{path}", new { })).Status);
        (await api.PostAsync(null, $"/_synapse/client/oauth/{path}", new { })).Require(429, "M_LIMIT_EXCEEDED");
    }
}

public sealed class RateLimitFixture : ClientApiFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config) => base.Configure(config) with
    {
        RateLimitsEnabled = true,
        RateLimits = new()
        {
            Message = new(0.1, 3), LoginFailedAttempts = new(0.01, 2), Registration = new(1000, 1000), LoginAddress = new(1000, 1000), LoginAccount = new(1000, 1000),
            RoomCreation = new(1000, 1000), InvitesPerUser = new(0.01, 1), JoinsPerRoom = new(0.01, 2), AdminRedaction = new(1000, 1000),
        },
    };
}

public sealed class RateLimitTests(RateLimitFixture api) : IClassFixture<RateLimitFixture>
{
    private Task<Answer> TrySayAsync(TestUser user, string room) =>
        api.PutAsync(user, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/send/m.room.message/{Guid.NewGuid():N}", new { msgtype = "m.text", body = "x" });

    [Fact]
    public async Task Who_says_too_much_is_told_when_he_may_go_on_and_may_then()
    {
        var user = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(user);
        for (var i = 0; i < 3; i++) (await TrySayAsync(user, room)).RequireOk();
        var refused = (await TrySayAsync(user, room)).Require(429, "M_LIMIT_EXCEEDED");
        Assert.InRange(refused.Body.GetProperty("retry_after_ms").GetInt64(), 1, 10_000);
        var other = await api.RegisterUserAsync();
        await api.JoinAsync(other, room);
        (await TrySayAsync(other, room)).RequireOk();
        api.Clock.Advance(TimeSpan.FromMilliseconds(refused.Body.GetProperty("retry_after_ms").GetInt64()));
        (await TrySayAsync(user, room)).RequireOk();
        (await TrySayAsync(user, room)).Require(429, "M_LIMIT_EXCEEDED");
    }

    [Fact]
    public async Task Knocking_and_leaving_count_as_much_as_words()
    {
        var (creator, user) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(creator, new { initial_state = new[] { new { type = "m.room.join_rules", content = new { join_rule = "knock" } } } });
        foreach (var path in new[] { "knock/", "rooms/", "knock/" })
            (await api.PostAsync(user, $"/_matrix/client/v3/{path}{Uri.EscapeDataString(room)}{(path == "rooms/" ? "/leave" : "")}", "{}")).RequireOk();
        (await api.PostAsync(user, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/leave", "{}")).Require(429, "M_LIMIT_EXCEEDED");
    }

    [Fact]
    public async Task An_administrator_exempts_a_user()
    {
        var (admin, user) = (await api.RegisterAdminAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(user);
        var path = $"/_synapse/admin/v1/users/{user.Id}/override_ratelimit";
        Assert.Equal("{}", (await api.GetAsync(admin, path)).RequireOk().Body.GetRawText());
        (await api.PostAsync(admin, path, """{"messages_per_second":0,"burst_count":0}""")).RequireOk();
        for (var i = 0; i < 8; i++) (await TrySayAsync(user, room)).RequireOk();
        Assert.Equal("""{"messages_per_second":0,"burst_count":0}""", (await api.GetAsync(admin, path)).RequireOk().Body.GetRawText());
        (await api.DeleteAsync(admin, path)).RequireOk();
        for (var i = 0; i < 3; i++) (await TrySayAsync(user, room)).RequireOk();
        (await TrySayAsync(user, room)).Require(429, "M_LIMIT_EXCEEDED");
        (await api.GetAsync(user, path)).Require(403, "M_FORBIDDEN");
        (await api.PostAsync(admin, path, """{"messages_per_second":-1}""")).Require(400, "M_INVALID_PARAM");
    }

    [Fact]
    public async Task After_too_many_wrong_passwords_the_right_one_has_to_wait_and_unknown_users_are_treated_alike()
    {
        var user = await api.RegisterUserAsync();
        foreach (var name in new[] { user.Id, "@nobody:test.example" })
        {
            object Attempt(string password) => new { type = "m.login.password", user = name, password };
            for (var i = 0; i < 2; i++) (await api.PostAsync(null, "/_matrix/client/v3/login", Attempt("wrong"))).Require(403, "M_FORBIDDEN");
            (await api.PostAsync(null, "/_matrix/client/v3/login", Attempt(user.Password))).Require(429, "M_LIMIT_EXCEEDED");
        }
    }

    [Fact]
    public async Task A_room_is_not_flooded_with_members_by_whichever_name_they_join_it()
    {
        var creator = await api.RegisterUserAsync();
        var alias = api.NewName("harbour");
        var room = await api.CreateRoomAsync(creator, new { preset = "public_chat", room_alias_name = alias });
        await api.JoinAsync(await api.RegisterUserAsync(), room);
        (await api.PostAsync(await api.RegisterUserAsync(), $"/_matrix/client/v3/join/{Uri.EscapeDataString($"#{alias}:test.example")}", new { })).RequireOk();
        foreach (var path in new[] { $"rooms/{Uri.EscapeDataString(room)}/join", $"join/{Uri.EscapeDataString($"#{alias}:test.example")}" })
            (await api.PostAsync(await api.RegisterUserAsync(), $"/_matrix/client/v3/{path}", new { })).Require(429, "M_LIMIT_EXCEEDED");
    }

    [Fact]
    public async Task Administrators_redact_by_a_limit_of_their_own()
    {
        foreach (var (user, limited) in new[] { (await api.RegisterAdminAsync(), false), (await api.RegisterUserAsync(), true) })
        {
            var room = await api.CreateRoomAsync(user);
            var said = await api.SayAsync(user, room, "x");
            Answer? last = null;
            for (var i = 0; i < 5; i++) last = await api.PutAsync(user, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/redact/{said}/{i}", new { });
            Assert.Equal(limited ? 429 : 200, last!.Status);
        }
    }

    [Fact]
    public async Task One_who_is_invited_by_many_is_left_in_peace()
    {
        var victim = await api.RegisterUserAsync();
        var answers = new List<Answer>();
        foreach (var inviter in new[] { await api.RegisterUserAsync(), await api.RegisterUserAsync() })
            answers.Add(await api.PostAsync(inviter, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(await api.CreateRoomAsync(inviter))}/invite", new { user_id = victim.Id }));
        answers[0].RequireOk();
        answers[1].Require(429, "M_LIMIT_EXCEEDED");
    }
}
