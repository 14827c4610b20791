using Matrix.ServiceTests.ClientApi;
using static Matrix.ServiceTests.Keys.KeyClient;

namespace Matrix.ServiceTests.Keys;

/// <summary>One-time keys are given once, ever; then the fallback key.</summary>
public sealed class OneTimeKeyTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private static object Fallback(string id, string algorithm = "signed_curve25519") => new
    {
        fallback_keys = new Dictionary<string, object> { [$"{algorithm}:{id}"] = new { key = id, fallback = true, signatures = new { } } },
    };

    [Fact]
    public async Task Keys_are_counted_and_given_in_the_order_they_came()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var answer = (await api.UploadAsync(alice, new { one_time_keys = OneTimeKeys(5, 2) })).RequireOk();
        Assert.Equal(2, answer.Body.At("one_time_key_counts", "signed_curve25519")!.Value.GetInt32());
        answer = (await api.UploadAsync(alice, new { one_time_keys = OneTimeKeys(0, 3).Concat(OneTimeKeys(0, 1, "x.alg")).ToDictionary() })).RequireOk();
        Assert.Equal(5, answer.Body.At("one_time_key_counts", "signed_curve25519")!.Value.GetInt32());
        Assert.Equal(1, answer.Body.At("one_time_key_counts", "x.alg")!.Value.GetInt32());
        var given = new List<string?>();
        for (var i = 0; i < 6; i++) given.Add(await api.ClaimAsync(bob, alice));
        Assert.Equal(["signed_curve25519:0005", "signed_curve25519:0006", "signed_curve25519:0000", "signed_curve25519:0001", "signed_curve25519:0002", null], given);
        Assert.Equal("x.alg:0000", await api.ClaimAsync(bob, alice, "x.alg"));
        Assert.Null(await api.ClaimAsync(bob, alice, "unknown"));
    }

    [Fact]
    public async Task The_same_key_again_changes_nothing_and_another_value_under_its_id_is_refused()
    {
        var alice = await api.RegisterUserAsync();
        (await api.UploadAsync(alice, new { one_time_keys = new Dictionary<string, string> { ["a:1"] = "one" } })).RequireOk();
        (await api.UploadAsync(alice, new { one_time_keys = new Dictionary<string, string> { ["a:1"] = "one", ["a:2"] = "two" } })).RequireOk();
        var refused = await api.UploadAsync(alice, new
        {
            device_keys = DeviceKeys(alice), one_time_keys = new Dictionary<string, string> { ["a:3"] = "three", ["a:1"] = "other" },
        });
        refused.Require(400, "M_INVALID_PARAM");
        // All of it is refused.
        Assert.Equal(2, (await api.UploadAsync(alice, "{}")).RequireOk().Body.At("one_time_key_counts", "a")!.Value.GetInt32());
        Assert.Null((await api.QueryAsync(alice, alice)).At("device_keys", alice.Id, alice.DeviceId));
    }

    [Fact]
    public async Task A_key_that_was_given_does_not_come_back_when_its_upload_is_repeated()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var keys = new { one_time_keys = new Dictionary<string, string> { ["a:1"] = "one" } };
        (await api.UploadAsync(alice, keys)).RequireOk();
        Assert.Equal("a:1", await api.ClaimAsync(bob, alice, "a"));
        Assert.Null((await api.UploadAsync(alice, keys)).RequireOk().Body.At("one_time_key_counts", "a"));
        Assert.Null(await api.ClaimAsync(bob, alice, "a"));
        // A new key under an id of long ago is a new key.
        (await api.UploadAsync(alice, new { one_time_keys = new Dictionary<string, string> { ["a:1"] = "two" } })).RequireOk();
        Assert.Equal("a:1", await api.ClaimAsync(bob, alice, "a"));
    }

    [Fact]
    public async Task Without_one_time_keys_the_fallback_key_is_given_again_and_again_until_it_is_replaced()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        (await api.UploadAsync(alice, new { one_time_keys = OneTimeKeys(0, 1) })).RequireOk();
        (await api.UploadAsync(alice, Fallback("first"))).RequireOk();
        Assert.Equal("signed_curve25519:0000", await api.ClaimAsync(bob, alice));
        var rows = await api.RowsAsync("to_device", alice);
        Assert.Equal("signed_curve25519:first", await api.ClaimAsync(bob, alice));
        Assert.Equal(rows + 1, await api.RowsAsync("to_device", alice));
        Assert.Equal("signed_curve25519:first", await api.ClaimAsync(bob, alice));
        Assert.Equal(rows + 1, await api.RowsAsync("to_device", alice));        // it was used before: nothing is new
        Assert.Equal(1, await api.CountAsync("select count(*) from fallback_keys where user_id = $1 and used", alice.Id));
        (await api.UploadAsync(alice, Fallback("second"))).RequireOk();
        Assert.Equal(1, await api.CountAsync("select count(*) from fallback_keys where user_id = $1 and not used", alice.Id));
        Assert.Equal("signed_curve25519:second", await api.ClaimAsync(bob, alice));
        (await api.UploadAsync(alice, OneTime("signed_curve25519:9"))).RequireOk();
        Assert.Equal("signed_curve25519:9", await api.ClaimAsync(bob, alice));
    }

    private static object OneTime(string name) => new { one_time_keys = new Dictionary<string, string> { [name] = "k" } };

    [Fact]
    public async Task Each_key_is_given_once_however_many_ask_at_the_same_time()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var second = await api.AnotherDeviceAsync(alice);
        const int Keys = 60, Claims = 150;
        foreach (var device in new[] { alice, second })
        {
            (await api.UploadAsync(device, new { one_time_keys = OneTimeKeys(0, Keys) })).RequireOk();
            (await api.UploadAsync(device, Fallback("last"))).RequireOk();
        }
        var body = new
        {
            one_time_keys = new Dictionary<string, object>
            {
                [alice.Id] = new Dictionary<string, string> { [alice.DeviceId] = "signed_curve25519", [second.DeviceId] = "signed_curve25519" },
            },
        };
        var answers = await Task.WhenAll(Enumerable.Range(0, Claims).Select(_ => api.PostAsync(bob, $"{V3}/keys/claim", body)));
        foreach (var device in new[] { alice, second })
        {
            var given = answers.Select(a => a.RequireOk().Body.At("one_time_keys", alice.Id, device.DeviceId)!.Value.EnumerateObject().Single().Name).ToList();
            var once = given.Where(name => name != "signed_curve25519:last").ToList();
            Assert.Equal(Keys, once.Count);
            Assert.Equal(Keys, once.Distinct().Count());
        }
        Assert.Equal(0, await api.CountAsync("select count(*) from one_time_keys where user_id = $1 and claimed_ts_ms is null", alice.Id));
        Assert.Equal(0, await api.CountAsync(
            "select c.pos - count(distinct r.pos) from stream_counters c join stream_rows r using (stream) where stream = 'to_device' group by c.pos"));
    }

    [Fact]
    public async Task Two_uploads_at_once_of_one_id_with_two_values_are_one_upload_and_one_refusal()
    {
        var alice = await api.RegisterUserAsync();
        for (var round = 0; round < 10; round++)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i =>
                api.UploadAsync(alice, new { one_time_keys = new Dictionary<string, string> { [$"a:{round}"] = $"value {i}" } })));
            Assert.Single(answers, a => a.Status == 200);
            Assert.All(answers.Where(a => a.Status != 200), a => a.Require(400, "M_INVALID_PARAM"));
        }
    }

    [Theory]
    [InlineData("""{}""", "M_BAD_JSON")]
    [InlineData("""{"one_time_keys":{"@a:b":[]}}""", "M_BAD_JSON")]
    [InlineData("""{"one_time_keys":{"@a:b":{"D":1}}}""", "M_BAD_JSON")]
    [InlineData("""{"one_time_keys":{"@a:b":{"D":""}}}""", "M_INVALID_PARAM")]
    [InlineData("""{"one_time_keys":{"@a:b":{"D\u0000":"x"}}}""", "M_INVALID_PARAM")]
    public async Task Wrong_claims_are_refused(string body, string code)
    {
        var user = await api.RegisterUserAsync();
        (await api.PostAsync(user, $"{V3}/keys/claim", body)).Require(400, code);
        (await api.PostAsync(null, $"{V3}/keys/claim", body)).Require(401, "M_MISSING_TOKEN");
    }
}
