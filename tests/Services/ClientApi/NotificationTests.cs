using System.Text.Json;

namespace Matrix.ServiceTests.ClientApi;

public sealed class NotificationTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private const string Path = "/_matrix/client/v3/notifications";

    private async Task<(TestUser Alice, TestUser Bob, string Room)> TalkersAsync()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice);
        await api.JoinAsync(bob, room);
        return (alice, bob, room);
    }

    private async Task<JsonElement[]> ListAsync(TestUser user, string query = "") =>
        [.. (await api.GetAsync(user, Path + query)).RequireOk().Body.GetProperty("notifications").EnumerateArray()];

    private static string[] Ids(IEnumerable<JsonElement> list) => [.. list.Select(n => n.GetProperty("event").GetProperty("event_id").GetString()!)];

    private Task<Answer> ReadAsync(TestUser user, string room, string id, object? body = null) =>
        api.PostAsync(user, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/receipt/m.read/{id}", body ?? new { });

    [Fact]
    public async Task What_others_say_is_listed_newest_first_with_what_the_rules_do()
    {
        var (alice, bob, room) = await TalkersAsync();
        var (one, two) = (await api.SayAsync(alice, room, "one"), await api.SayAsync(alice, room, "two"));
        await api.SayAsync(bob, room, "my own");
        var list = await ListAsync(bob);
        Assert.Equal([two, one], Ids(list));
        Assert.Equal(room, list[0].GetProperty("room_id").GetString());
        Assert.Equal("""["notify",{"set_tweak":"sound","value":"default"}]""", list[0].GetProperty("actions").GetRawText());
        Assert.True(list[0].GetProperty("ts").GetInt64() > 0);
        Assert.Equal("", list[0].GetProperty("profile_tag").GetString());
        Assert.Equal("two", list[0].GetProperty("event").GetProperty("content").GetProperty("body").GetString());
        (await api.GetAsync(null, Path)).Require(401, "M_MISSING_TOKEN");
    }

    [Fact]
    public async Task Receipts_tell_what_was_read_and_receipts_of_threads_theirs_alone()
    {
        var (alice, bob, room) = await TalkersAsync();
        var (one, root) = (await api.SayAsync(alice, room, "one"), await api.SayAsync(alice, room, "two"));
        var inThread = (await api.PutAsync(alice, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/send/m.room.message/t", new Dictionary<string, object>
        {
            ["msgtype"] = "m.text", ["body"] = "three", ["m.relates_to"] = new { rel_type = "m.thread", event_id = root },
        })).RequireOk().Text("event_id");
        async Task<bool[]> ReadFlagsAsync() => [.. (await ListAsync(bob)).Select(n => n.GetProperty("read").GetBoolean())];

        Assert.Equal([inThread, root, one], Ids(await ListAsync(bob)));
        Assert.Equal((bool[])[false, false, false], await ReadFlagsAsync());
        (await ReadAsync(bob, room, one)).RequireOk();
        Assert.Equal((bool[])[false, false, true], await ReadFlagsAsync());
        (await ReadAsync(bob, room, inThread, new { thread_id = root })).RequireOk();
        Assert.Equal((bool[])[true, false, true], await ReadFlagsAsync());
        (await ReadAsync(bob, room, root, new { thread_id = "main" })).RequireOk();
        Assert.Equal((bool[])[true, true, true], await ReadFlagsAsync());
    }

    [Fact]
    public async Task What_the_user_sends_tells_that_he_has_read_its_thread()
    {
        var (alice, bob, room) = await TalkersAsync();
        var sent = 0;
        async Task<string> RelateAsync(TestUser user, string type, string to, string eventType = "m.room.message") => (await api.PutAsync(
            user, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/send/{eventType}/t{sent++}", new Dictionary<string, object>
            {
                ["msgtype"] = "m.text", ["body"] = type, ["m.relates_to"] = new { rel_type = type, event_id = to, key = "+" },
            })).RequireOk().Text("event_id");
        async Task<bool[]> ReadFlagsAsync() => [.. (await ListAsync(bob)).Select(n => n.GetProperty("read").GetBoolean())];

        var root = await api.SayAsync(alice, room, "root");
        var inThread = await RelateAsync(alice, "m.thread", root);
        // In the thread by way of what it refers to.
        var beside = await RelateAsync(alice, "m.reference", inThread);
        Assert.Equal([beside, inThread, root], Ids(await ListAsync(bob)));
        Assert.Equal((bool[])[false, false, false], await ReadFlagsAsync());
        await api.SayAsync(bob, room, "an answer");
        Assert.Equal((bool[])[false, false, true], await ReadFlagsAsync());
        await RelateAsync(bob, "m.annotation", beside, "m.reaction");
        Assert.Equal((bool[])[true, true, true], await ReadFlagsAsync());
    }

    [Fact]
    public async Task Pages_follow_one_another_and_end()
    {
        var (alice, bob, room) = await TalkersAsync();
        var said = new List<string>();
        for (var i = 0; i < 5; i++) said.Add(await api.SayAsync(alice, room, $"m{i}"));
        var seen = new List<string>();
        string? from = null;
        do
        {
            var page = (await api.GetAsync(bob, $"{Path}?limit=2{(from is null ? "" : "&from=" + from)}")).RequireOk();
            var ids = Ids(page.Body.GetProperty("notifications").EnumerateArray());
            Assert.True(ids.Length <= 2);
            seen.AddRange(ids);
            from = page.Has("next_token") ? page.Text("next_token") : null;
        }
        while (from is not null);
        Assert.Equal(Enumerable.Reverse(said), seen);
    }

    [Fact]
    public async Task Highlights_alone_are_listed_on_request()
    {
        var (alice, bob, room) = await TalkersAsync();
        var mention = (await api.PutAsync(alice, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/send/m.room.message/t", new Dictionary<string, object>
        {
            ["msgtype"] = "m.text", ["body"] = "you there", ["m.mentions"] = new { user_ids = new[] { bob.Id } },
        })).RequireOk().Text("event_id");
        await api.SayAsync(alice, room, "nothing special");
        Assert.Equal([mention], Ids(await ListAsync(bob, "?only=highlight")));
        Assert.Equal(2, (await ListAsync(bob)).Length);
    }

    [Fact]
    public async Task An_invite_is_a_notification_and_what_came_before_the_join_is_none()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice, new { preset = "private_chat" });
        await api.SayAsync(alice, room, "before");
        (await api.PostAsync(alice, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/invite", new { user_id = bob.Id })).RequireOk();
        var invite = Assert.Single(await ListAsync(bob));
        Assert.Equal("m.room.member", invite.GetProperty("event").GetProperty("type").GetString());
        await api.JoinAsync(bob, room);
        var after = await api.SayAsync(alice, room, "after");
        (await api.PutAsync(bob, $"/_matrix/client/v3/profile/{bob.Id}/displayname", new { displayname = "Robert" })).RequireOk();
        var last = await api.SayAsync(alice, room, "last");
        Assert.Equal([last, after], Ids((await ListAsync(bob)).Where(n => n.GetProperty("event").GetProperty("type").GetString() == "m.room.message")));
    }

    [Fact]
    public async Task Ignored_users_redacted_events_and_silenced_rooms_notify_nobody()
    {
        var (alice, bob, room) = await TalkersAsync();
        var gone = await api.SayAsync(alice, room, "gone");
        Assert.Equal([gone], Ids(await ListAsync(bob)));
        (await api.PutAsync(alice, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/redact/{gone}/r", new { })).RequireOk();
        Assert.Empty(await ListAsync(bob));

        var kept = await api.SayAsync(alice, room, "kept");
        (await api.PutAsync(bob, $"/_matrix/client/v3/pushrules/global/room/{Uri.EscapeDataString(room)}", new { actions = Array.Empty<string>() })).RequireOk();
        Assert.Empty(await ListAsync(bob));
        (await api.DeleteAsync(bob, $"/_matrix/client/v3/pushrules/global/room/{Uri.EscapeDataString(room)}")).RequireOk();
        Assert.Equal([kept], Ids(await ListAsync(bob)));
        (await api.PutAsync(bob, $"/_matrix/client/v3/user/{bob.Id}/account_data/m.ignored_user_list", new { ignored_users = new Dictionary<string, object> { [alice.Id] = new { } } })).RequireOk();
        Assert.Empty(await ListAsync(bob));
    }

    [Theory]
    [InlineData("?from=x")]
    [InlineData("?from=-1")]
    [InlineData("?limit=0")]
    [InlineData("?limit=many")]
    public async Task Wrong_requests_are_refused(string query) =>
        (await api.GetAsync(await api.RegisterUserAsync(), Path + query)).Require(400, "M_INVALID_PARAM");
}
