using Matrix.Replication;
using Matrix.Storage.AccountData;
using Matrix.Storage.Streams;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.ClientApi;

public sealed class AccountDataTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private const string Room = "!room:test.example";
    private static string Global(TestUser user, string type) => $"/_matrix/client/v3/user/{user.Id}/account_data/{type}";
    private static string OfRoom(TestUser user, string type, string room = Room) => $"/_matrix/client/v3/user/{user.Id}/rooms/{room}/account_data/{type}";
    private static string Tags(TestUser user, string? tag = null, string room = Room) => $"/_matrix/client/v3/user/{user.Id}/rooms/{room}/tags" + (tag is null ? "" : "/" + Uri.EscapeDataString(tag));

    private async Task<long> RowsAsync(TestUser user, string stream)
    {
        await using var command = api.Database.Source.CreateCommand("select count(*) from stream_rows where stream = $1 and key = $2");
        command.Parameters.AddWithValue(stream);
        command.Parameters.AddWithValue(user.Id);
        return (long)(await command.ExecuteScalarAsync())!;
    }

    [Fact]
    public async Task What_was_set_is_got_byte_for_byte_and_announced_once()
    {
        var user = await api.RegisterUserAsync();
        (await api.GetAsync(user, Global(user, "a.b"))).Require(404, "M_NOT_FOUND");
        for (var i = 0; i < 2; i++) (await api.PutAsync(user, Global(user, "a.b"), """{"z":1.50,"a":[null]}""")).RequireOk();
        Assert.Equal("""{"z":1.50,"a":[null]}""", (await api.GetAsync(user, Global(user, "a.b"))).RequireOk().Body.GetRawText());
        Assert.Equal(1, await RowsAsync(user, "account_data"));
        (await api.PutAsync(user, OfRoom(user, "a.b"), """{"of":"room"}""")).RequireOk();
        Assert.Equal("room", (await api.GetAsync(user, OfRoom(user, "a.b"))).RequireOk().Text("of"));
    }

    [Fact]
    public async Task What_was_deleted_is_gone_and_told_once_as_an_empty_object()
    {
        static string Deleting(string path) => path.Replace("/v3/", "/unstable/org.matrix.msc3391/", StringComparison.Ordinal);
        var (user, other) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        foreach (var path in new[] { Global(user, "a.b"), OfRoom(user, "a.b") })
        {
            (await api.DeleteAsync(user, Deleting(path))).RequireOk();
            (await api.PutAsync(user, path, """{"a":1}""")).RequireOk();
            var rows = await RowsAsync(user, "account_data");
            for (var i = 0; i < 2; i++) (await api.DeleteAsync(user, Deleting(path))).RequireOk();
            (await api.GetAsync(user, path)).Require(404, "M_NOT_FOUND");
            Assert.Equal(rows + 1, await RowsAsync(user, "account_data"));
            Assert.Equal("{}"u8.ToArray(), await api.ScalarAsync("select content from account_data where user_id = $1 and type = 'a.b' order by deleted desc limit 1", user.Id));
            (await api.PutAsync(user, path, "{}")).RequireOk();
            Assert.Equal("{}", (await api.GetAsync(user, path)).RequireOk().Body.GetRawText());
            (await api.DeleteAsync(other, Deleting(path))).Require(403, "M_FORBIDDEN");
        }
        (await api.DeleteAsync(user, Deleting(Global(user, "m.push_rules")))).Require(405, "M_BAD_JSON");
        (await api.DeleteAsync(null, Deleting(Global(user, "a")))).Require(401, "M_MISSING_TOKEN");
    }

    [Fact]
    public async Task Another_users_data_is_forbidden_and_no_token_is_told()
    {
        var (user, other) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        (await api.GetAsync(user, Global(other, "a"))).Require(403, "M_FORBIDDEN");
        (await api.PutAsync(user, Global(other, "a"), "{}")).Require(403, "M_FORBIDDEN");
        (await api.PutAsync(user, OfRoom(other, "a"), "{}")).Require(403, "M_FORBIDDEN");
        (await api.GetAsync(user, Tags(other))).Require(403, "M_FORBIDDEN");
        (await api.PutAsync(user, Tags(other, "x"), "{}")).Require(403, "M_FORBIDDEN");
        (await api.GetAsync(null, Global(user, "a"))).Require(401, "M_MISSING_TOKEN");
    }

    [Fact]
    public async Task Wrong_bodies_and_types_of_the_server_are_refused()
    {
        var user = await api.RegisterUserAsync();
        (await api.PutAsync(user, Global(user, "a"), "[]")).Require(400, "M_BAD_JSON");
        (await api.PutAsync(user, Global(user, "a"), "{")).Require(400, "M_NOT_JSON");
        (await api.PutAsync(user, Global(user, "m.push_rules"), "{}")).Require(405, "M_BAD_JSON");
        (await api.PutAsync(user, OfRoom(user, "m.fully_read"), "{}")).Require(405, "M_BAD_JSON");
        (await api.PutAsync(user, $"/_matrix/client/v3/user/{user.Id}/rooms/noroom/account_data/a", "{}")).Require(400, "M_INVALID_PARAM");
        (await api.PutAsync(user, Global(user, "a"), $$"""{"a":"{{new string('x', 1 << 20)}}"}""")).Require(413, "M_TOO_LARGE");
    }

    [Fact]
    public async Task Tags_set_at_once_are_all_there()
    {
        var user = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(user);
        Assert.Equal("{}", (await api.GetAsync(user, Tags(user, room: room))).RequireOk().Body.GetProperty("tags").GetRawText());
        await Task.WhenAll(Enumerable.Range(0, 10).Select(async i => (await api.PutAsync(user, Tags(user, $"u.tag/{i}", room), $$"""{"order":0.{{i}}}""")).RequireOk()));
        var tags = (await api.GetAsync(user, Tags(user, room: room))).RequireOk().Body.GetProperty("tags");
        Assert.Equal(10, tags.EnumerateObject().Count());
        Assert.Equal(0.3, tags.GetProperty("u.tag/3").GetProperty("order").GetDouble());
        (await api.DeleteAsync(user, Tags(user, "u.tag/3", room))).RequireOk();
        Assert.False((await api.GetAsync(user, Tags(user, room: room))).Body.GetProperty("tags").TryGetProperty("u.tag/3", out _));
        Assert.Equal(9, (await api.GetAsync(user, OfRoom(user, "m.tag", room))).RequireOk().Body.GetProperty("tags").EnumerateObject().Count());
        (await api.PutAsync(user, Tags(user, new string('x', 256), room), "{}")).Require(400, "M_INVALID_PARAM");
        (await api.PutAsync(user, Tags(user, "x", room), "[]")).Require(400, "M_BAD_JSON");
    }

    [Fact]
    public async Task Rooms_that_the_user_was_never_in_are_not_tagged()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice, new { preset = "public_chat" });
        (await api.PutAsync(bob, Tags(bob, "x", room), "{}")).Require(403, "M_FORBIDDEN");
        (await api.PutAsync(bob, Tags(bob, "x"), "{}")).Require(403, "M_FORBIDDEN");
        (await api.DeleteAsync(bob, Tags(bob, "x", room))).RequireOk();
        (await api.PutAsync(bob, OfRoom(bob, "a.b", room), """{"a":1}""")).RequireOk();
        await api.JoinAsync(bob, room);
        await api.LeaveAsync(bob, room);
        (await api.PutAsync(bob, Tags(bob, "x", room), "{}")).RequireOk();
    }

    [Fact]
    public async Task Deleting_a_tag_that_is_not_there_leaves_no_trace()
    {
        var user = await api.RegisterUserAsync();
        (await api.DeleteAsync(user, Tags(user, "nothing"))).RequireOk();
        (await api.GetAsync(user, OfRoom(user, "m.tag"))).Require(404, "M_NOT_FOUND");
        Assert.Equal(0, await RowsAsync(user, "account_data"));
    }

    [Fact]
    public async Task Ignoring_somebody_invalidates_what_others_cached()
    {
        var user = await api.RegisterUserAsync();
        (await api.PutAsync(user, Global(user, "m.ignored_user_list"), """{"ignored_users":{"@x:y":{}}}""")).RequireOk();
        await using var command = api.Database.Source.CreateCommand("select count(*) from stream_rows where stream = 'caches' and key = $1");
        command.Parameters.AddWithValue("ignored:" + user.Id);
        Assert.Equal(1L, (long)(await command.ExecuteScalarAsync())!);
    }

    [Fact]
    public async Task Nobody_ignores_himself()
    {
        var user = await api.RegisterUserAsync();
        (await api.PutAsync(user, Global(user, "m.ignored_user_list"), new { ignored_users = new Dictionary<string, object> { ["@x:y"] = new { }, [user.Id] = new { } } })).Require(400, "M_INVALID_PARAM");
        (await api.PutAsync(user, Global(user, "m.ignored_user_list"), """{"ignored_users":7}""")).RequireOk();
    }

    [Fact]
    public async Task The_same_filter_has_one_id_and_belongs_to_its_user()
    {
        var (user, other) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        string Path(TestUser u) => $"/_matrix/client/v3/user/{u.Id}/filter";
        var first = (await api.PostAsync(user, Path(user), """{"room":{"timeline":{"limit":10}},"presence":{}}""")).RequireOk().Text("filter_id");
        Assert.Equal(first, (await api.PostAsync(user, Path(user), """{ "presence": {}, "room": {"timeline":{"limit":10}}}""")).Text("filter_id"));
        Assert.NotEqual(first, (await api.PostAsync(user, Path(user), """{"room":{"timeline":{"limit":11}}}""")).Text("filter_id"));
        Assert.Equal(10, (await api.GetAsync(user, $"{Path(user)}/{first}")).RequireOk().Body.GetProperty("room").GetProperty("timeline").GetProperty("limit").GetInt32());
        (await api.GetAsync(user, $"{Path(user)}/999")).Require(404, "M_NOT_FOUND");
        foreach (var none in (string[])["abc", "-1", "1.0", "99999999999999999999"]) (await api.GetAsync(user, $"{Path(user)}/{none}")).Require(404, "M_NOT_FOUND");
        (await api.GetAsync(other, $"{Path(user)}/{first}")).Require(403, "M_FORBIDDEN");
        (await api.PostAsync(other, Path(user), "{}")).Require(403, "M_FORBIDDEN");
        (await api.PostAsync(user, Path(user), """{"room":{"timeline":{"limit":"ten"}}}""")).Require(400, "M_BAD_JSON");
        (await api.PostAsync(user, Path(user), """{"room":[]}""")).Require(400, "M_BAD_JSON");
        (await api.PostAsync(user, Path(user), $$"""{"x":"{{new string('x', 70_000)}}"}""")).Require(413, "M_TOO_LARGE");
    }

    [Fact]
    public async Task Filters_made_at_once_get_ids_of_their_own()
    {
        var user = await api.RegisterUserAsync();
        var ids = await Task.WhenAll(Enumerable.Range(1, 12).Select(async i =>
            (await api.PostAsync(user, $"/_matrix/client/v3/user/{user.Id}/filter", $$"""{"room":{"timeline":{"limit":{{i}} } } }""")).RequireOk().Text("filter_id")));
        Assert.Equal(12, ids.Distinct().Count());
    }

    [Fact]
    public async Task Writers_of_several_streams_at_once_neither_deadlock_nor_leave_gaps()
    {
        var store = api.Services.GetRequiredService<AccountDataStore>();
        var users = Enumerable.Range(0, 4).Select(i => $"@gap{i}:test.example").ToArray();
        // m.push_rules takes account_data and push_rules, m.ignored_user_list account_data and caches.
        await Task.WhenAll(Enumerable.Range(0, 120).Select(async i =>
        {
            var type = (i % 3) switch { 0 => "m.push_rules", 1 => "m.ignored_user_list", _ => "plain" };
            var batches = await store.SetAsync(users[i % 4], "", type, System.Text.Encoding.UTF8.GetBytes($$"""{"n":{{i}}}"""), default);
            await api.Services.GetRequiredService<IStreamPublisher>().PublishAllAsync(batches);
        }));
        await using var command = api.Database.Source.CreateCommand(
            """
            select c.stream, c.pos, count(distinct r.pos), max(r.pos) from stream_counters c join stream_rows r using (stream)
            where stream in ('account_data', 'push_rules', 'caches') group by c.stream, c.pos
            """);
        await using var r = await command.ExecuteReaderAsync();
        while (await r.ReadAsync()) Assert.Equal((r.GetString(0), r.GetInt64(1), r.GetInt64(1)), (r.GetString(0), r.GetInt64(2), r.GetInt64(3)));
    }
}
