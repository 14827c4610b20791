using Matrix.ServiceTests.ClientApi;
using static Matrix.ServiceTests.Keys.KeyClient;

namespace Matrix.ServiceTests.Keys;

/// <summary>Backups of room keys: versions, keys, and which of two keys stays.</summary>
public sealed class KeyBackupTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private const string Versions = $"{V3}/room_keys/version";
    private const string Keys = $"{V3}/room_keys/keys";
    private const string Room = "!r:test.example", Algorithm = "m.megolm_backup.v1.curve25519-aes-sha2";

    private async Task<string> CreateAsync(TestUser user, object? authData = null) =>
        (await api.PostAsync(user, Versions, new { algorithm = Algorithm, auth_data = authData ?? new { public_key = "p" } })).RequireOk().Text("version");

    private static object Key(int index = 0, int forwarded = 0, bool verified = false, string data = "d") =>
        new { first_message_index = index, forwarded_count = forwarded, is_verified = verified, session_data = new { ciphertext = data } };

    private static string One(string session, string version, string room = Room) => $"{Keys}/{Uri.EscapeDataString(room)}/{Uri.EscapeDataString(session)}?version={version}";

    private Task<Answer> PutAsync(TestUser user, string version, object key, string session = "s", string room = Room) => api.PutAsync(user, One(session, version, room), key);

    private async Task<string?> DataAsync(TestUser user, string version, string session = "s") =>
        (await api.GetAsync(user, One(session, version))).Body.At("session_data", "ciphertext")?.GetString();

    [Fact]
    public async Task Versions_are_made_changed_and_deleted_and_never_come_back()
    {
        var user = await api.RegisterUserAsync();
        (await api.GetAsync(user, Versions)).Require(404, "M_NOT_FOUND");
        var (first, second) = (await CreateAsync(user), await CreateAsync(user));
        var newest = (await api.GetAsync(user, Versions)).RequireOk();
        Assert.Equal((second, Algorithm, 0), (newest.Text("version"), newest.Text("algorithm"), newest.Body.GetProperty("count").GetInt32()));
        Assert.Equal("p", newest.Body.At("auth_data", "public_key")!.Value.GetString());
        (await api.PutAsync(user, $"{Versions}/{first}", new { algorithm = Algorithm, auth_data = new { public_key = "q" } })).RequireOk();
        (await api.PutAsync(user, $"{Versions}/{first}", new { algorithm = Algorithm, auth_data = new { public_key = "q" }, version = first })).RequireOk();
        Assert.Equal("q", (await api.GetAsync(user, $"{Versions}/{first}")).RequireOk().Body.At("auth_data", "public_key")!.Value.GetString());
        (await api.PutAsync(user, $"{Versions}/{first}", new { algorithm = "other", auth_data = new { } })).Require(400, "M_INVALID_PARAM");
        (await api.PutAsync(user, $"{Versions}/{first}", new { algorithm = Algorithm, auth_data = new { }, version = second })).Require(400, "M_INVALID_PARAM");
        (await api.DeleteAsync(user, $"{Versions}/{second}")).RequireOk();
        Assert.Equal(first, (await api.GetAsync(user, Versions)).RequireOk().Text("version"));
        foreach (var unknown in new[] { second, "99", "bogus", "-1", "1.0" })
        {
            (await api.GetAsync(user, $"{Versions}/{unknown}")).Require(404, "M_NOT_FOUND");
            (await api.DeleteAsync(user, $"{Versions}/{unknown}")).Require(404, "M_NOT_FOUND");
            (await api.PutAsync(user, $"{Versions}/{unknown}", new { algorithm = Algorithm, auth_data = new { } })).Require(404, "M_NOT_FOUND");
        }
        Assert.NotEqual(second, await CreateAsync(user));
    }

    [Fact]
    public async Task Keys_are_kept_by_room_and_session_and_counted()
    {
        var user = await api.RegisterUserAsync();
        var version = await CreateAsync(user);
        var empty = (await api.GetAsync(user, $"{Keys}?version={version}")).RequireOk();
        Assert.Equal("""{"rooms":{}}""", empty.Body.GetRawText());
        Assert.Equal("""{"sessions":{}}""", (await api.GetAsync(user, $"{Keys}/!none?version={version}")).RequireOk().Body.GetRawText());
        (await api.GetAsync(user, One("s", version))).Require(404, "M_NOT_FOUND");
        var one = (await PutAsync(user, version, Key())).RequireOk();
        var room = (await api.PutAsync(user, $"{Keys}/{Uri.EscapeDataString(Room)}?version={version}", new { sessions = new { s2 = Key(), s3 = Key() } })).RequireOk();
        var all = (await api.PutAsync(user, $"{Keys}?version={version}", new
        {
            rooms = new Dictionary<string, object> { ["!other:x/y"] = new { sessions = new Dictionary<string, object> { ["s/+="] = Key(3, 2, true, "ü") } } },
        })).RequireOk();
        Assert.Equal([1, 3, 4], new[] { one, room, all }.Select(a => a.Body.GetProperty("count").GetInt32()));
        Assert.Equal(3, new[] { one, room, all }.Select(a => a.Text("etag")).Distinct().Count());
        Assert.Equal(all.Text("etag"), (await api.GetAsync(user, Versions)).RequireOk().Text("etag"));
        var odd = (await api.GetAsync(user, One("s/+=", version, "!other:x/y"))).RequireOk().Body;
        Assert.Equal((3, 2, true, "ü"), (odd.GetProperty("first_message_index").GetInt32(), odd.GetProperty("forwarded_count").GetInt32(),
            odd.GetProperty("is_verified").GetBoolean(), odd.At("session_data", "ciphertext")!.Value.GetString()));
        var everything = (await api.GetAsync(user, $"{Keys}?version={version}")).RequireOk().Body.GetProperty("rooms");
        Assert.Equal(3, everything.At(Room, "sessions")!.Value.EnumerateObject().Count());
        Assert.NotNull(everything.At("!other:x/y", "sessions", "s/+="));
        // Of another user, nothing.
        var other = await api.RegisterUserAsync();
        (await api.GetAsync(other, $"{Keys}?version={version}")).Require(404, "M_NOT_FOUND");
    }

    [Theory]
    [InlineData(5, 5, false, 5, 5, true, true)]         // verified is better, whatever the rest
    [InlineData(5, 5, false, 9, 9, true, true)]
    [InlineData(5, 5, true, 1, 1, false, false)]
    [InlineData(5, 5, false, 4, 9, false, true)]        // then the lower index
    [InlineData(5, 5, true, 4, 9, true, true)]
    [InlineData(5, 5, false, 6, 0, false, false)]
    [InlineData(5, 5, false, 5, 4, false, true)]        // then the lower forwarded count
    [InlineData(5, 5, false, 5, 6, false, false)]
    [InlineData(5, 5, false, 5, 5, false, false)]
    public async Task The_better_of_two_keys_stays(int i1, int f1, bool v1, int i2, int f2, bool v2, bool replaced)
    {
        var user = await api.RegisterUserAsync();
        var version = await CreateAsync(user);
        var first = (await PutAsync(user, version, Key(i1, f1, v1, "old"))).RequireOk();
        var second = (await PutAsync(user, version, Key(i2, f2, v2, "new"))).RequireOk();
        Assert.Equal(replaced ? "new" : "old", await DataAsync(user, version));
        Assert.Equal(1, second.Body.GetProperty("count").GetInt32());
        Assert.Equal(replaced, first.Text("etag") != second.Text("etag"));
    }

    [Fact]
    public async Task Keys_go_into_the_newest_version_only()
    {
        var user = await api.RegisterUserAsync();
        (await PutAsync(user, "1", Key())).Require(404, "M_NOT_FOUND");
        var old = await CreateAsync(user);
        (await PutAsync(user, old, Key(data: "old"))).RequireOk();
        var newest = await CreateAsync(user);
        var refused = (await PutAsync(user, old, Key())).Require(403, "M_WRONG_ROOM_KEYS_VERSION");
        Assert.Equal(newest, refused.Text("current_version"));
        (await PutAsync(user, "77", Key())).Require(404, "M_NOT_FOUND");
        // What is old can be read still.
        Assert.Equal("old", await DataAsync(user, old));
        (await api.DeleteAsync(user, $"{Versions}/{newest}")).RequireOk();
        (await PutAsync(user, old, Key())).RequireOk();
    }

    [Fact]
    public async Task Keys_are_deleted_one_by_one_by_room_and_all()
    {
        var user = await api.RegisterUserAsync();
        var version = await CreateAsync(user);
        foreach (var room in new[] { Room, "!b", "!c" })
            for (var i = 0; i < 3; i++) (await PutAsync(user, version, Key(), $"s{i}", room)).RequireOk();
        var etags = new HashSet<string> { (await api.GetAsync(user, Versions)).Text("etag") };
        foreach (var (path, left) in new[] { (One("s0", version), 8), ($"{Keys}/!b?version={version}", 5), ($"{Keys}?version={version}", 0) })
        {
            var answer = (await api.DeleteAsync(user, path)).RequireOk();
            Assert.Equal(left, answer.Body.GetProperty("count").GetInt32());
            Assert.True(etags.Add(answer.Text("etag")));
        }
        (await api.DeleteAsync(user, $"{Keys}?version=bogus")).Require(404, "M_NOT_FOUND");
        (await api.DeleteAsync(user, Keys)).Require(400, "M_MISSING_PARAM");
    }

    [Fact]
    public async Task Many_writers_at_once_lose_nothing_and_count_right()
    {
        var user = await api.RegisterUserAsync();
        var version = await CreateAsync(user);
        await Task.WhenAll(Enumerable.Range(0, 40).Select(async i => (await PutAsync(user, version, Key(100 - i, data: $"{100 - i}"), i % 2 == 0 ? "same" : $"s{i}")).RequireOk()));
        var backup = (await api.GetAsync(user, Versions)).RequireOk();
        Assert.Equal(21, backup.Body.GetProperty("count").GetInt32());
        Assert.Equal("62", await DataAsync(user, version, "same"));
        Assert.Equal(21, await api.CountAsync("select count(*) from key_backup_sessions where user_id = $1", user.Id));
        var created = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => CreateAsync(user)));
        Assert.Equal(10, created.Distinct().Count());
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{"first_message_index":"1","forwarded_count":0,"is_verified":false,"session_data":{}}""")]
    [InlineData("""{"first_message_index":1,"forwarded_count":0,"is_verified":0,"session_data":{}}""")]
    [InlineData("""{"first_message_index":1,"forwarded_count":0,"is_verified":false}""")]
    [InlineData("""[]""")]
    public async Task Wrong_keys_are_refused(string key)
    {
        var user = await api.RegisterUserAsync();
        var version = await CreateAsync(user);
        (await PutAsync(user, version, key)).Require(400, "M_BAD_JSON");
        (await api.PutAsync(user, $"{Keys}?version={version}", $$"""{"rooms":{"!r":{"sessions":{"s":{{key}} } } } }""")).Require(400, "M_BAD_JSON");
        (await api.PutAsync(user, $"{Keys}?version={version}", """{"rooms":{"!r":1}}""")).Require(400, "M_BAD_JSON");
        (await api.PutAsync(user, $"{Keys}/!r?version={version}", "{}")).Require(400, "M_BAD_JSON");
        (await api.PutAsync(user, $"{Keys}/!r/s", Key())).Require(400, "M_MISSING_PARAM");
        (await PutAsync(user, version, Key(data: new string('x', 70_000)))).Require(413, "M_TOO_LARGE");
        (await api.PostAsync(user, Versions, new { auth_data = new { } })).Require(400, "M_MISSING_PARAM");
        (await api.PostAsync(user, Versions, new { algorithm = "a" })).Require(400, "M_MISSING_PARAM");
        (await api.GetAsync(null, Versions)).Require(401, "M_MISSING_TOKEN");
    }
}
