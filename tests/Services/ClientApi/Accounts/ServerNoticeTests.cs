using System.Text.Json;
using Matrix.ClientApi.ServerNotices;
using Matrix.ServiceDefaults;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.ClientApi.Accounts;

public sealed class NoticeFixture : ClientApiFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config) => base.Configure(config) with
    {
        PublicBaseUrl = "https://matrix.test.example/",
        ServerNotices = new("notices") { DisplayName = "The Server", RoomName = "From the server", RoomTopic = "What it says", RoomAvatarUrl = "mxc://test.example/face" },
        Accounts = new()
        {
            Consent = new("3", Path.GetTempPath()) { FormSecret = "secret", NoticeContent = """{"msgtype":"m.text","body":"Agree at %(consent_uri)s","x":[1,"%(consent_uri)s"]}""" },
        },
    };
}

/// <summary>Spec: client-server-api/#server-notices. Synapse: admin_api/server_notices</summary>
public sealed class ServerNoticeTests(NoticeFixture api) : IClassFixture<NoticeFixture>
{
    private const string Path = "/_synapse/admin/v1/send_server_notice";
    private const string Sender = "@notices:test.example";

    private static string E(string part) => Uri.EscapeDataString(part);
    private static object Body(TestUser user, string text = "Hear this") => new { user_id = user.Id, content = new { msgtype = "m.text", body = text } };

    private async Task<string?> RoomOfAsync(TestUser user) => (string?)await api.ScalarAsync("select room_id from server_notice_rooms where user_id = $1", user.Id);

    private async Task<string> SendAsync(TestUser admin, TestUser user, string text = "Hear this")
    {
        (await api.PostAsync(admin, Path, Body(user, text))).RequireOk();
        return (await RoomOfAsync(user))!;
    }

    private async Task<JsonElement> StateAsync(TestUser user, string room, string type, string key = "") =>
        (await api.GetAsync(user, $"/_matrix/client/v3/rooms/{E(room)}/state/{type}/{E(key)}")).RequireOk().Body;

    private async Task<List<string>> BodiesAsync(TestUser user, string room) =>
        [.. (await api.GetAsync(user, $"/_matrix/client/v3/rooms/{E(room)}/messages?dir=b&limit=50")).RequireOk().Body.GetProperty("chunk").EnumerateArray()
            .Where(e => e.GetProperty("type").GetString() == "m.room.message").Select(e => e.GetProperty("content").GetProperty("body").GetString()!).Reverse()];

    [Fact]
    public async Task A_notice_comes_in_a_room_that_looks_as_configured_and_in_which_the_user_says_nothing()
    {
        var (admin, bob) = (await api.RegisterAdminAsync(), await api.RegisterUserAsync());
        var room = await SendAsync(admin, bob);
        Assert.Equal(room, await SendAsync(admin, bob, "And this"));
        var tags = (await api.GetAsync(bob, $"/_matrix/client/v3/user/{E(bob.Id)}/rooms/{E(room)}/tags")).RequireOk().Body;
        Assert.Equal("""{"tags":{"m.server_notice":{}}}""", tags.GetRawText());
        // He cannot turn it down, by whatever way.
        (await api.PostAsync(bob, $"/_matrix/client/v3/rooms/{E(room)}/leave", "{}")).Require(403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM");
        (await api.PutAsync(bob, $"/_matrix/client/v3/rooms/{E(room)}/state/m.room.member/{E(bob.Id)}", new { membership = "leave" }))
            .Require(403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM");
        await api.JoinAsync(bob, room);
        Assert.Equal(["Hear this", "And this"], await BodiesAsync(bob, room));
        Assert.Equal("From the server", (await StateAsync(bob, room, "m.room.name")).GetProperty("name").GetString());
        Assert.Equal("What it says", (await StateAsync(bob, room, "m.room.topic")).GetProperty("topic").GetString());
        Assert.Equal("mxc://test.example/face", (await StateAsync(bob, room, "m.room.avatar")).GetProperty("url").GetString());
        Assert.Equal("The Server", (await StateAsync(bob, room, "m.room.member", Sender)).GetProperty("displayname").GetString());
        Assert.False((await StateAsync(bob, room, "m.room.create")).GetProperty("m.federate").GetBoolean());
        (await api.PutAsync(bob, $"/_matrix/client/v3/rooms/{E(room)}/send/m.room.message/1", new { msgtype = "m.text", body = "no" })).Require(403, "M_FORBIDDEN");
    }

    [Fact]
    public async Task Who_has_left_the_room_gets_another_one()
    {
        var (admin, bob) = (await api.RegisterAdminAsync(), await api.RegisterUserAsync());
        var room = await SendAsync(admin, bob);
        await api.JoinAsync(bob, room);
        await api.LeaveAsync(bob, room);
        Assert.NotEqual(room, await SendAsync(admin, bob));
    }

    [Fact]
    public async Task A_transaction_sends_once_and_notices_at_the_same_time_share_a_room()
    {
        var (admin, bob) = (await api.RegisterAdminAsync(), await api.RegisterUserAsync());
        var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => api.PutAsync(admin, Path + "/txn", Body(bob))));
        Assert.Single(answers.Select(a => a.RequireOk().Text("event_id")).Distinct());
        var room = (await RoomOfAsync(bob))!;
        await api.JoinAsync(bob, room);
        Assert.Single(await BodiesAsync(bob, room));
        Assert.Equal(1L, await api.ScalarAsync("select count(*) from room_memberships where user_id = $1", bob.Id));
    }

    [Fact]
    public async Task State_can_be_set_but_for_what_makes_the_room()
    {
        var (admin, bob) = (await api.RegisterAdminAsync(), await api.RegisterUserAsync());
        (await api.PostAsync(admin, Path, new { user_id = bob.Id, type = "org.example.motd", state_key = "today", content = new { text = "hi" } })).RequireOk();
        var room = (await RoomOfAsync(bob))!;
        await api.JoinAsync(bob, room);
        Assert.Equal("hi", (await StateAsync(bob, room, "org.example.motd", "today")).GetProperty("text").GetString());
        foreach (var type in (string[])["m.room.power_levels", "m.room.member", "m.room.create"])
            (await api.PostAsync(admin, Path, new { user_id = bob.Id, type, state_key = "", content = new { } })).Require(403, "M_FORBIDDEN");
    }

    [Fact]
    public async Task Only_administrators_send_and_only_to_users_of_this_server()
    {
        var (admin, bob) = (await api.RegisterAdminAsync(), await api.RegisterUserAsync());
        (await api.PostAsync(bob, Path, Body(bob))).Require(403, "M_FORBIDDEN");
        (await api.PostAsync(null, Path, Body(bob))).Require(401, "M_MISSING_TOKEN");
        (await api.PostAsync(admin, Path, new { content = new { } })).Require(400, "M_MISSING_PARAM");
        (await api.PostAsync(admin, Path, new { user_id = bob.Id })).Require(400, "M_MISSING_PARAM");
        (await api.PostAsync(admin, Path, new { user_id = "bob", content = new { } })).Require(400, "M_INVALID_PARAM");
        (await api.PostAsync(admin, Path, new { user_id = "@a:elsewhere.example", content = new { } })).Require(400, "M_UNKNOWN");
        (await api.PostAsync(admin, Path, new { user_id = "@nobody:test.example", content = new { } })).Require(404, "M_NOT_FOUND");
        Assert.Null(await RoomOfAsync(bob));
    }

    [Fact]
    public async Task The_user_of_the_notices_can_neither_be_registered_nor_invited()
    {
        var bob = await api.RegisterUserAsync();
        (await api.PostAsync(null, "/_matrix/client/v3/register", new { username = "notices", password = "secret", auth = new { type = "m.login.dummy" } })).Require(400, "M_EXCLUSIVE");
        var room = await api.CreateRoomAsync(bob);
        (await api.PostAsync(bob, $"/_matrix/client/v3/rooms/{E(room)}/invite", new { user_id = Sender })).Require(403, "M_FORBIDDEN");
    }

    [Fact]
    public async Task Who_blocks_invites_is_put_into_the_room()
    {
        var (admin, bob) = (await api.RegisterAdminAsync(), await api.RegisterUserAsync());
        (await api.PutAsync(bob, $"/_matrix/client/v3/user/{E(bob.Id)}/account_data/m.invite_permission_config", new { default_action = "block" })).RequireOk();
        Assert.Equal(["Hear this"], await BodiesAsync(bob, await SendAsync(admin, bob)));
    }

    [Fact]
    public async Task Rooms_take_on_new_looks_with_the_next_notice()
    {
        var (admin, bob) = (await api.RegisterAdminAsync(), await api.RegisterUserAsync());
        var room = await SendAsync(admin, bob);
        await api.JoinAsync(bob, room);
        (await api.PostAsync(admin, Path, new { user_id = bob.Id, type = "m.room.name", state_key = "", content = new { name = "Old name" } })).RequireOk();
        await SendAsync(admin, bob);
        Assert.Equal("Old name", (await StateAsync(bob, room, "m.room.name")).GetProperty("name").GetString());
        // As if it had been made by an older configuration.
        await api.ExecuteAsync("update server_notice_rooms set looks = 'old' where user_id = $1", bob.Id);
        Assert.Equal(room, await SendAsync(admin, bob));
        Assert.Equal("From the server", (await StateAsync(bob, room, "m.room.name")).GetProperty("name").GetString());
    }

    [Fact]
    public async Task Who_has_not_agreed_to_the_policy_is_asked_to_once()
    {
        var bob = await api.RegisterUserAsync();
        var rounds = api.Services.GetRequiredService<NoticeRounds>();
        await rounds.RunAsync(default);
        await rounds.RunAsync(default);
        var room = (await RoomOfAsync(bob))!;
        await api.JoinAsync(bob, room);
        var content = (await api.GetAsync(bob, $"/_matrix/client/v3/rooms/{E(room)}/messages?dir=b&limit=50")).Body.GetProperty("chunk").EnumerateArray()
            .Single(e => e.GetProperty("type").GetString() == "m.room.message").GetProperty("content");
        Assert.StartsWith($"Agree at https://matrix.test.example/_matrix/consent?u={bob.Id[1..bob.Id.IndexOf(':')]}&h=", content.GetProperty("body").GetString(), StringComparison.Ordinal);
        Assert.StartsWith("https://matrix.test.example/_matrix/consent?u=", content.GetProperty("x")[1].GetString(), StringComparison.Ordinal);
    }
}

public sealed class BlockingNoticeFixture : ClientApiFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config) => base.Configure(config) with
    {
        PublicBaseUrl = "https://matrix.test.example/",
        ServerNotices = new("notices"),
        Accounts = new() { Consent = new("3", Path.GetTempPath()) { FormSecret = "secret", BlockEventsError = "Agree first", NoticeContent = """{"msgtype":"m.text","body":"x"}""" } },
    };
}

public sealed class BlockingNoticeTests(BlockingNoticeFixture api) : IClassFixture<BlockingNoticeFixture>
{
    [Fact]
    public async Task Who_has_not_agreed_may_enter_the_room_in_which_he_is_asked_to_and_no_other()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        await api.ExecuteAsync("update users set consent_version = '3' where user_id = $1", alice.Id);
        var other = await api.CreateRoomAsync(await api.LogInAsync(alice));
        await api.Services.GetRequiredService<NoticeRounds>().RunAsync(default);
        var room = (string)(await api.ScalarAsync("select room_id from server_notice_rooms where user_id = $1", bob.Id))!;
        foreach (var path in (string[])["/_matrix/client/v3/rooms/{0}/join", "/_matrix/client/v3/join/{0}"])
        {
            (await api.PostAsync(bob, string.Format(System.Globalization.CultureInfo.InvariantCulture, path, Uri.EscapeDataString(other)), "{}")).Require(403, "M_CONSENT_NOT_GIVEN");
            (await api.PostAsync(bob, string.Format(System.Globalization.CultureInfo.InvariantCulture, path, Uri.EscapeDataString(room)), "{}")).RequireOk();
        }
    }
}
