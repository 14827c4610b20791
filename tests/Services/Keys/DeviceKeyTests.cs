using Matrix.ServiceTests.ClientApi;
using static Matrix.ServiceTests.Keys.KeyClient;

namespace Matrix.ServiceTests.Keys;

/// <summary>Keys of devices are uploaded and asked for.</summary>
public sealed class DeviceKeyTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    [Fact]
    public async Task Keys_are_told_as_they_were_uploaded_with_the_name_of_the_device()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var keys = DeviceKeys(alice);
        keys["unsigned"] = new { device_display_name = "forged" };
        keys["x.more"] = new { é = "ü" };
        (await api.UploadAsync(alice, new { device_keys = keys })).RequireOk();
        var told = (await api.QueryAsync(bob, alice)).At("device_keys", alice.Id, alice.DeviceId)!.Value;
        Assert.Equal("{}", told.GetProperty("unsigned").GetRawText());
        Assert.Equal("ü", told.At("x.more", "é")!.Value.GetString());
        Assert.Equal("self", told.At("signatures", alice.Id, "ed25519:" + alice.DeviceId)!.Value.GetString());
        (await api.PutAsync(alice, $"{V3}/devices/{alice.DeviceId}", new { display_name = "bow" })).RequireOk();
        Assert.Equal("bow", (await api.QueryAsync(bob, alice)).At("device_keys", alice.Id, alice.DeviceId, "unsigned", "device_display_name")!.Value.GetString());
    }

    [Fact]
    public async Task Only_the_devices_asked_for_are_told_and_who_has_none_has_an_empty_object()
    {
        var alice = await api.WithKeysAsync(await api.RegisterUserAsync());
        var second = await api.WithKeysAsync(await api.AnotherDeviceAsync(alice));
        var bare = await api.RegisterUserAsync();
        var body = new Dictionary<string, object>
        {
            [alice.Id] = new[] { second.DeviceId, second.DeviceId, "NOTHING" }, [bare.Id] = Array.Empty<string>(), ["nobody"] = Array.Empty<string>(),
        };
        var told = (await api.PostAsync(bare, $"{V3}/keys/query", new { device_keys = body })).RequireOk().Body.GetProperty("device_keys");
        Assert.Equal([second.DeviceId], told.GetProperty(alice.Id).EnumerateObject().Select(d => d.Name));
        Assert.Equal("{}", told.GetProperty(bare.Id).GetRawText());
        Assert.False(told.TryGetProperty("nobody", out _));
        Assert.Equal(2, (await api.QueryAsync(bare, alice)).At("device_keys", alice.Id)!.Value.EnumerateObject().Count());
    }

    [Fact]
    public async Task Users_of_servers_that_cannot_be_asked_are_failures_and_the_rest_is_answered()
    {
        var alice = await api.WithKeysAsync(await api.RegisterUserAsync(), 1);
        var body = new Dictionary<string, object> { [alice.Id] = Array.Empty<string>(), ["@far:localhost:1"] = Array.Empty<string>() };
        var told = (await api.PostAsync(alice, $"{V3}/keys/query", new { device_keys = body })).RequireOk().Body;
        Assert.NotNull(told.At("failures", "localhost:1"));
        Assert.NotNull(told.At("device_keys", alice.Id, alice.DeviceId));
        var claim = new Dictionary<string, object>
        {
            ["@far:localhost:1"] = new { D = "signed_curve25519" }, [alice.Id] = new Dictionary<string, string> { [alice.DeviceId] = "signed_curve25519" },
        };
        var given = (await api.PostAsync(alice, $"{V3}/keys/claim", new { one_time_keys = claim })).RequireOk().Body;
        Assert.NotNull(given.At("failures", "localhost:1"));
        Assert.NotNull(given.At("one_time_keys", alice.Id, alice.DeviceId));
    }

    [Fact]
    public async Task Others_hear_of_new_keys_and_not_of_the_same_again()
    {
        var alice = await api.RegisterUserAsync();
        var before = await api.RowsAsync("device_lists", alice);
        for (var i = 0; i < 2; i++) (await api.UploadAsync(alice, new { device_keys = DeviceKeys(alice) })).RequireOk();
        Assert.Equal(before + 1, await api.RowsAsync("device_lists", alice));
        (await api.UploadAsync(alice, new { device_keys = DeviceKeys(alice, "new") })).RequireOk();
        Assert.Equal(before + 2, await api.RowsAsync("device_lists", alice));
        (await api.UploadAsync(alice, new { one_time_keys = OneTimeKeys(0, 3) })).RequireOk();
        Assert.Equal(before + 2, await api.RowsAsync("device_lists", alice));
    }

    public static TheoryData<string, int, string> WrongUploads { get; } = new()
    {
        { "{", 400, "M_NOT_JSON" },
        { "[]", 400, "M_BAD_JSON" },
        { """{"device_keys":[]}""", 400, "M_BAD_JSON" },
        { """{"device_keys":{"user_id":"@U","device_id":"@D"}}""", 400, "M_BAD_JSON" },
        { """{"device_keys":{"user_id":"@else:test.example","device_id":"@D","algorithms":[],"keys":{},"signatures":{}}}""", 400, "M_BAD_JSON" },
        { """{"device_keys":{"user_id":"@U","device_id":"ELSE","algorithms":[],"keys":{},"signatures":{}}}""", 400, "M_BAD_JSON" },
        { """{"device_keys":{"user_id":"@U","device_id":"@D","algorithms":[1],"keys":{},"signatures":{}}}""", 400, "M_BAD_JSON" },
        { """{"device_keys":{"user_id":"@U","device_id":"@D","algorithms":[],"keys":{"a:b":1},"signatures":{}}}""", 400, "M_BAD_JSON" },
        { """{"device_keys":{"user_id":"@U","device_id":"@D","algorithms":[],"keys":{},"signatures":{"@U":"x"}}}""", 400, "M_BAD_JSON" },
        { """{"device_keys":{"user_id":"@U","device_id":"@D","algorithms":[],"keys":{},"signatures":{},"x":1.5}}""", 400, "M_BAD_JSON" },
        { """{"one_time_keys":[]}""", 400, "M_BAD_JSON" },
        { """{"one_time_keys":{"nocolon":"x"}}""", 400, "M_INVALID_PARAM" },
        { """{"one_time_keys":{":id":"x"}}""", 400, "M_INVALID_PARAM" },
        { """{"one_time_keys":{"alg:":"x"}}""", 400, "M_INVALID_PARAM" },
        { """{"one_time_keys":{"alg:a\u0000b":"x"}}""", 400, "M_INVALID_PARAM" },
        { """{"one_time_keys":{"alg:a":1}}""", 400, "M_BAD_JSON" },
        { """{"one_time_keys":{"signed_curve25519:a":{}}}""", 400, "M_BAD_JSON" },
        { """{"one_time_keys":{"signed_curve25519:a":{"key":"x"}}}""", 400, "M_BAD_JSON" },
        { """{"one_time_keys":{"alg:a":"x","alg:a":"y"}}""", 400, "M_BAD_JSON" },
        { """{"fallback_keys":{"alg:a":"x","alg:b":"y"}}""", 400, "M_INVALID_PARAM" },
    };

    [Theory]
    [MemberData(nameof(WrongUploads))]
    public async Task Wrong_uploads_are_refused_and_leave_nothing(string body, int status, string code)
    {
        var user = await api.RegisterUserAsync();
        (await api.UploadAsync(user, body.Replace("@U", user.Id).Replace("@D", user.DeviceId))).Require(status, code);
        Assert.Equal(0, await api.CountAsync(
            "select (select count(*) from device_keys where user_id = $1) + (select count(*) from one_time_keys where user_id = $1) + (select count(*) from fallback_keys where user_id = $1)",
            user.Id));
    }

    [Fact]
    public async Task What_is_too_large_or_too_much_is_refused()
    {
        var user = await api.RegisterUserAsync();
        var keys = DeviceKeys(user);
        keys["x"] = new string('x', 70_000);
        (await api.UploadAsync(user, new { device_keys = keys })).Require(413, "M_TOO_LARGE");
        (await api.UploadAsync(user, new { one_time_keys = new Dictionary<string, string> { ["alg:a"] = new('x', 10_000) } })).Require(413, "M_TOO_LARGE");
        (await api.UploadAsync(user, new { one_time_keys = new Dictionary<string, string> { ["alg:" + new string('x', 300)] = "k" } })).Require(400, "M_INVALID_PARAM");
        (await api.UploadAsync(user, new { one_time_keys = OneTimeKeys(0, 1001) })).Require(400, "M_INVALID_PARAM");
        (await api.UploadAsync(user, new { one_time_keys = OneTimeKeys(0, 600) })).RequireOk();
        (await api.UploadAsync(user, new { one_time_keys = OneTimeKeys(600, 600) })).Require(400, "M_INVALID_PARAM");
        Assert.Equal(600, (await api.UploadAsync(user, "{}")).RequireOk().Body.At("one_time_key_counts", "signed_curve25519")!.Value.GetInt32());
        (await api.UploadAsync(user, new { x = new string('x', 1100_000) })).Require(413, "M_TOO_LARGE");
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{"device_keys":[]}""")]
    [InlineData("""{"device_keys":{"@a:b":"x"}}""")]
    [InlineData("""{"device_keys":{"@a:b":[1]}}""")]
    public async Task Wrong_queries_are_refused(string body)
    {
        var user = await api.RegisterUserAsync();
        (await api.PostAsync(user, $"{V3}/keys/query", body)).Require(400, "M_BAD_JSON");
        (await api.PostAsync(null, $"{V3}/keys/query", body)).Require(401, "M_MISSING_TOKEN");
    }

    [Fact]
    public async Task A_device_that_goes_takes_its_keys_along_whichever_way_it_goes()
    {
        var alice = await api.WithKeysAsync(await api.RegisterUserAsync(), 2);
        var bob = await api.RegisterUserAsync();
        var others = new List<TestUser>();
        for (var i = 0; i < 3; i++) others.Add(await api.WithKeysAsync(await api.AnotherDeviceAsync(alice), 2));
        object proof = new { type = "m.login.password", identifier = new { type = "m.id.user", user = alice.Id }, password = alice.Password };
        async Task<IEnumerable<string>> DevicesAsync() =>
            (await api.QueryAsync(bob, alice)).At("device_keys", alice.Id)!.Value.EnumerateObject().Select(d => d.Name).Order();

        (await api.PostAsync(others[0], $"{V3}/logout", "{}")).RequireOk();
        Assert.Equal(new[] { alice, others[1], others[2] }.Select(d => d.DeviceId).Order(), await DevicesAsync());
        Assert.Null(await api.ClaimAsync(bob, others[0]));
        (await api.DeleteAsync(alice, $"{V3}/devices/{others[1].DeviceId}", new { auth = proof })).RequireOk();
        Assert.Equal(new[] { alice, others[2] }.Select(d => d.DeviceId).Order(), await DevicesAsync());
        (await api.PostAsync(alice, $"{V3}/account/password", new { new_password = "other", auth = proof })).RequireOk();
        Assert.Equal([alice.DeviceId], await DevicesAsync());
        proof = new { type = "m.login.password", identifier = new { type = "m.id.user", user = alice.Id }, password = "other" };
        (await api.PostAsync(alice, $"{V3}/account/deactivate", new { auth = proof })).RequireOk();
        Assert.Empty(await DevicesAsync());
        Assert.Equal(0, await api.CountAsync("select count(*) from one_time_keys where user_id = $1", alice.Id));
    }

    [Fact]
    public async Task A_device_id_that_is_used_again_begins_without_keys()
    {
        var alice = await api.WithKeysAsync(await api.RegisterUserAsync(), 3);
        (await api.PostAsync(alice, $"{V3}/logout", "{}")).RequireOk();
        var again = await api.AnotherDeviceAsync(alice, alice.DeviceId);
        Assert.Equal(alice.DeviceId, again.DeviceId);
        Assert.Null((await api.QueryAsync(again, alice)).At("device_keys", alice.Id, alice.DeviceId));
        Assert.Equal(0, (await api.UploadAsync(again, "{}")).RequireOk().Body.At("one_time_key_counts", "signed_curve25519")!.Value.GetInt32());
    }

    [Fact]
    public async Task Whose_keys_changed_is_told_from_a_token_on()
    {
        var (alice, bob, stranger) = (await api.RegisterUserAsync(), await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice);
        await api.JoinAsync(bob, room);
        var from = await TokenAsync();
        await api.WithKeysAsync(bob);
        await api.WithKeysAsync(stranger);
        await RequireAsync([bob.Id], [], alice, from);
        from = await TokenAsync();
        await RequireAsync([], [], alice, from);
        await api.JoinAsync(stranger, room);
        await RequireAsync([stranger.Id], [], alice, from);
        await RequireAsync(new[] { alice.Id, bob.Id }.Order().ToArray(), [], stranger, from);
        from = await TokenAsync();
        await api.LeaveAsync(bob, room);
        await RequireAsync([], [bob.Id], alice, from);
        await RequireAsync([], new[] { alice.Id, stranger.Id }.Order().ToArray(), bob, from);
        // Who still shares another room has not left.
        var other = await api.CreateRoomAsync(alice);
        await api.JoinAsync(stranger, other);
        from = await TokenAsync();
        await api.LeaveAsync(stranger, room);
        await RequireAsync([], [], alice, from);
        (await api.GetAsync(alice, $"{V3}/keys/changes?from=x&to=y")).Require(400, "M_INVALID_PARAM");
        (await api.GetAsync(alice, $"{V3}/keys/changes")).Require(400, "M_MISSING_PARAM");
    }

    private async Task RequireAsync(string[] changed, string[] left, TestUser user, string from)
    {
        var told = await ChangesAsync(user, from);
        Assert.Equal(changed, told.Changed);
        Assert.Equal(left, told.Left);
    }

    private async Task<string> TokenAsync() =>
        $"s1_e{await api.CountAsync("select pos from stream_counters where stream = 'events'")}d{await api.CountAsync("select pos from stream_counters where stream = 'device_lists'")}";

    private async Task<(string[] Changed, string[] Left)> ChangesAsync(TestUser user, string from)
    {
        var body = (await api.GetAsync(user, $"{V3}/keys/changes?from={from}&to={await TokenAsync()}")).RequireOk().Body;
        string[] Of(string name) => [.. body.GetProperty(name).EnumerateArray().Select(u => u.GetString()!).Order()];
        return (Of("changed"), Of("left"));
    }
}
