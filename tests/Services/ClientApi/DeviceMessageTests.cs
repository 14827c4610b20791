using Matrix.Storage.Streams;

namespace Matrix.ServiceTests.ClientApi;

public sealed class DeviceMessageTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private async Task<TestUser> AnotherDeviceAsync(TestUser user)
    {
        var login = (await api.PostAsync(null, "/_matrix/client/v3/login",
            new { type = "m.login.password", identifier = new { type = "m.id.user", user = user.Id }, password = user.Password })).RequireOk();
        return user with { Token = login.Text("access_token"), DeviceId = login.Text("device_id") };
    }

    private async Task<List<(string Device, long Pos, string Content)>> WaitingAsync(TestUser user)
    {
        await using var command = api.Database.Source.CreateCommand(
            "select device_id, pos, convert_from(content, 'UTF8') from to_device_messages where user_id = $1 order by pos, ord");
        command.Parameters.AddWithValue(user.Id);
        var messages = new List<(string, long, string)>();
        await using var r = await command.ExecuteReaderAsync();
        while (await r.ReadAsync()) messages.Add((r.GetString(0), r.GetInt64(1), r.GetString(2)));
        return messages;
    }

    private Task<Answer> SendAsync(TestUser from, string txn, string messages) =>
        api.PutAsync(from, $"/_matrix/client/v3/sendToDevice/m.room_key_request/{txn}", $$"""{"messages":{{messages}} }""");

    [Fact]
    public async Task A_message_reaches_one_device_or_all_and_a_transaction_counts_once()
    {
        var (sender, receiver) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var second = await AnotherDeviceAsync(receiver);
        (await SendAsync(sender, "t1", $$"""{"{{receiver.Id}}":{"{{receiver.DeviceId}}":{"n":1},"NOTHING":{"n":0} },"@nobody:test.example":{"*":{} } }""")).RequireOk();
        for (var i = 0; i < 2; i++) (await SendAsync(sender, "t2", $$"""{"{{receiver.Id}}":{"*":{"n":2} } }""")).RequireOk();
        var waiting = await WaitingAsync(receiver);
        Assert.Equal([receiver.DeviceId], waiting.Where(m => m.Content == """{"n":1}""").Select(m => m.Device));
        Assert.Equal(new[] { receiver.DeviceId, second.DeviceId }.Order(), waiting.Where(m => m.Content == """{"n":2}""").Select(m => m.Device).Order());
        Assert.Equal(3, waiting.Count);
    }

    [Fact]
    public async Task The_stream_names_user_device_and_position()
    {
        var (sender, receiver) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        (await SendAsync(sender, "t", $$"""{"{{receiver.Id}}":{"*":{} } }""")).RequireOk();
        await using var command = api.Database.Source.CreateCommand("select pos, payload from stream_rows where stream = 'to_device' and key = $1");
        command.Parameters.AddWithValue(receiver.Id);
        await using var r = await command.ExecuteReaderAsync();
        Assert.True(await r.ReadAsync());
        Assert.Equal(receiver.DeviceId, ToDeviceRow.Decode(r.GetFieldValue<byte[]>(1)).DeviceId);
        var pos = r.GetInt64(0);
        Assert.False(await r.ReadAsync());
        await r.CloseAsync();
        Assert.Equal(pos, Assert.Single(await WaitingAsync(receiver)).Pos);
    }

    [Theory]
    [InlineData("""{}""", "M_MISSING_PARAM")]
    [InlineData("""{"messages":[]}""", "M_BAD_JSON")]
    [InlineData("""{"messages":{"@a:b":[]}}""", "M_BAD_JSON")]
    [InlineData("""{"messages":{"@a:b":{"D":"x"}}}""", "M_BAD_JSON")]
    [InlineData("{", "M_NOT_JSON")]
    public async Task Wrong_bodies_are_refused(string body, string code)
    {
        var user = await api.RegisterUserAsync();
        (await api.PutAsync(user, "/_matrix/client/v3/sendToDevice/m.x/t", body)).Require(400, code);
    }

    [Fact]
    public async Task Many_senders_at_once_leave_no_gap_and_lose_nothing()
    {
        var (sender, receiver) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        await Task.WhenAll(Enumerable.Range(0, 60).Select(async i => (await SendAsync(sender, $"p{i % 40}", $$"""{"{{receiver.Id}}":{"*":{"i":{{i % 40}} } } }""")).RequireOk()));
        var waiting = await WaitingAsync(receiver);
        Assert.Equal(40, waiting.Select(m => m.Content).Distinct().Count());
        Assert.Equal(40, waiting.Count);
        await using var command = api.Database.Source.CreateCommand(
            "select c.pos - count(distinct r.pos) from stream_counters c join stream_rows r using (stream) where stream = 'to_device' group by c.pos");
        Assert.Equal(0L, (long)(await command.ExecuteScalarAsync())!);
    }

    [Fact]
    public async Task Pushers_are_set_replaced_and_removed()
    {
        var (user, other) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        object Pusher(string url, bool append = false, string lang = "en") => new
        {
            kind = "http", app_id = "app", pushkey = "key" + user.Id, app_display_name = "App", device_display_name = "Phone", lang, append,
            data = new { url, format = "event_id_only" },
        };
        const string Good = "https://push.example/_matrix/push/v1/notify";
        (await api.PostAsync(user, "/_matrix/client/v3/pushers/set", Pusher(Good))).RequireOk();
        (await api.PostAsync(user, "/_matrix/client/v3/pushers/set", Pusher(Good, lang: "de"))).RequireOk();
        var mine = Assert.Single((await api.GetAsync(user, "/_matrix/client/v3/pushers")).RequireOk().Body.GetProperty("pushers").EnumerateArray());
        Assert.Equal(("de", Good), (mine.GetProperty("lang").GetString(), mine.GetProperty("data").GetProperty("url").GetString()));

        (await api.PostAsync(other, "/_matrix/client/v3/pushers/set", Pusher(Good, append: true))).RequireOk();
        Assert.Equal(1, (await api.GetAsync(user, "/_matrix/client/v3/pushers")).Body.GetProperty("pushers").GetArrayLength());
        (await api.PostAsync(other, "/_matrix/client/v3/pushers/set", Pusher(Good))).RequireOk();
        Assert.Equal(0, (await api.GetAsync(user, "/_matrix/client/v3/pushers")).Body.GetProperty("pushers").GetArrayLength());
        (await api.PostAsync(other, "/_matrix/client/v3/pushers/set", $$"""{"kind":null,"app_id":"app","pushkey":"key{{user.Id}}"}""")).RequireOk();
        Assert.Equal(0, (await api.GetAsync(other, "/_matrix/client/v3/pushers")).Body.GetProperty("pushers").GetArrayLength());

        (await api.PostAsync(user, "/_matrix/client/v3/pushers/set", Pusher("ftp://x/_matrix/push/v1/notify"))).Require(400, "M_INVALID_PARAM");
        (await api.PostAsync(user, "/_matrix/client/v3/pushers/set", Pusher("https://push.example/elsewhere"))).Require(400, "M_INVALID_PARAM");
        (await api.PostAsync(user, "/_matrix/client/v3/pushers/set", """{"kind":"http"}""")).Require(400, "M_MISSING_PARAM");
        (await api.PostAsync(user, "/_matrix/client/v3/pushers/set", """{"app_id":"a","pushkey":"k"}""")).Require(400, "M_MISSING_PARAM");
    }

    [Fact]
    public async Task Presence_is_seen_by_oneself_and_not_by_strangers()
    {
        var (user, stranger) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var path = $"/_matrix/client/v3/presence/{user.Id}/status";
        Assert.Equal("offline", (await api.GetAsync(user, path)).RequireOk().Text("presence"));
        (await api.PutAsync(user, path, """{"presence":"unavailable","status_msg":"out"}""")).RequireOk();
        var seen = (await api.GetAsync(user, path)).RequireOk();
        Assert.Equal(("unavailable", "out"), (seen.Text("presence"), seen.Text("status_msg")));
        Assert.True(seen.Body.GetProperty("last_active_ago").GetInt64() >= 0);
        (await api.GetAsync(stranger, path)).Require(403, "M_FORBIDDEN");
        (await api.PutAsync(stranger, path, """{"presence":"online"}""")).Require(403, "M_FORBIDDEN");
        (await api.PutAsync(user, path, """{"presence":"asleep"}""")).Require(400, "M_INVALID_PARAM");
        (await api.PutAsync(user, path, """{"status_msg":"x"}""")).Require(400, "M_MISSING_PARAM");
        (await api.PutAsync(user, path, """{"presence":1}""")).Require(400, "M_BAD_JSON");
    }

    [Fact]
    public async Task What_a_client_asks_at_its_start_is_answered()
    {
        var user = await api.RegisterUserAsync();
        Assert.Equal("{}", (await api.GetAsync(user, "/_matrix/client/v3/voip/turnServer")).RequireOk().Body.GetRawText());
        Assert.Equal("{}", (await api.GetAsync(user, "/_matrix/client/v3/thirdparty/protocols")).RequireOk().Body.GetRawText());
        Assert.Equal("12", (await api.GetAsync(user, "/_matrix/client/v3/capabilities")).RequireOk().Body
            .GetProperty("capabilities").GetProperty("m.room_versions").GetProperty("default").GetString());
        Assert.Equal(0, (await api.GetAsync(user, "/_matrix/client/v3/notifications")).RequireOk().Body.GetProperty("notifications").GetArrayLength());
    }

    [Fact]
    public async Task An_openid_token_proves_its_user_and_nothing_else_does()
    {
        var (user, other) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var answer = (await api.PostAsync(user, $"/_matrix/client/v3/user/{user.Id}/openid/request_token", "{}")).RequireOk();
        var tokens = (Matrix.Web.Auth.OpenIdTokens)api.Services.GetService(typeof(Matrix.Web.Auth.OpenIdTokens))!;
        Assert.True(tokens.TryVerify(answer.Text("access_token"), out var proved));
        Assert.Equal(user.Id, proved!.Value.Value);
        var text = answer.Text("access_token");
        Assert.False(tokens.TryVerify(text[..10] + (text[10] == 'A' ? 'B' : 'A') + text[11..], out _));
        Assert.False(tokens.TryVerify("nonsense", out _));
        (await api.PostAsync(user, $"/_matrix/client/v3/user/{other.Id}/openid/request_token", "{}")).Require(403, "M_FORBIDDEN");
    }
}
