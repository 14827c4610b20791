using Matrix.ServiceTests.ClientApi;
using static Matrix.ServiceTests.Keys.KeyClient;

namespace Matrix.ServiceTests.Keys;

/// <summary>A device that waits on the server for its user.</summary>
public sealed class DehydratedDeviceTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private const string Path = "/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device";

    private static Dictionary<string, object> Body(TestUser user, string id = "DEHYDRATED", object? data = null) => new()
    {
        ["device_id"] = id,
        ["device_data"] = data ?? new { algorithm = "org.matrix.msc3814.v2", device_pickle = "p" },
        ["initial_device_display_name"] = "kept",
        ["device_keys"] = DeviceKeys(user with { DeviceId = id }),
        ["one_time_keys"] = OneTimeKeys(0, 2),
        ["fallback_keys"] = new Dictionary<string, string> { ["signed_curve25519:fb"] = "f" },
    };

    [Fact]
    public async Task It_is_a_device_for_others_and_gives_back_what_was_put_in()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        (await api.GetAsync(alice, Path)).Require(404, "M_NOT_FOUND");
        (await api.DeleteAsync(alice, Path)).Require(404, "M_NOT_FOUND");
        var rows = await api.RowsAsync("device_lists", alice);
        Assert.Equal("DEHYDRATED", (await api.PutAsync(alice, Path, Body(alice))).RequireOk().Text("device_id"));
        Assert.Equal(rows + 1, await api.RowsAsync("device_lists", alice));
        var kept = (await api.GetAsync(alice, Path)).RequireOk();
        Assert.Equal(("DEHYDRATED", "p"), (kept.Text("device_id"), kept.Body.At("device_data", "device_pickle")!.Value.GetString()));
        Assert.Equal("kept", (await api.QueryAsync(bob, alice)).At("device_keys", alice.Id, "DEHYDRATED", "unsigned", "device_display_name")!.Value.GetString());
        var sleeping = alice with { DeviceId = "DEHYDRATED" };
        foreach (var expected in new[] { "0000", "0001", "fb" }) Assert.Equal("signed_curve25519:" + expected, await api.ClaimAsync(bob, sleeping));
        (await api.GetAsync(bob, Path)).Require(404, "M_NOT_FOUND");
        Assert.Equal("DEHYDRATED", (await api.DeleteAsync(alice, Path)).RequireOk().Text("device_id"));
        Assert.Null((await api.QueryAsync(bob, alice)).At("device_keys", alice.Id, "DEHYDRATED"));
        (await api.GetAsync(alice, Path)).Require(404, "M_NOT_FOUND");
    }

    [Fact]
    public async Task Its_messages_are_told_page_by_page_as_often_as_wanted()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        (await api.PutAsync(alice, Path, Body(alice))).RequireOk();
        for (var i = 0; i < 103; i++)
            (await api.PutAsync(bob, $"{V3}/sendToDevice/x.n/t{i}", $$"""{"messages":{"{{alice.Id}}":{"DEHYDRATED":{"n":{{i}} } } } }""")).RequireOk();
        for (var round = 0; round < 2; round++)
        {
            var first = (await api.PostAsync(alice, $"{Path}/DEHYDRATED/events", "{}")).RequireOk();
            Assert.Equal(100, first.Body.GetProperty("events").GetArrayLength());
            Assert.Equal(0, first.Body.GetProperty("events")[0].At("content", "n")!.Value.GetInt32());
            var second = (await api.PostAsync(alice, $"{Path}/DEHYDRATED/events", new { next_batch = first.Text("next_batch") })).RequireOk();
            Assert.Equal(3, second.Body.GetProperty("events").GetArrayLength());
            Assert.Equal(102, second.Body.GetProperty("events")[2].At("content", "n")!.Value.GetInt32());
            var third = (await api.PostAsync(alice, $"{Path}/DEHYDRATED/events", new { next_batch = second.Text("next_batch") })).RequireOk();
            Assert.Equal(0, third.Body.GetProperty("events").GetArrayLength());
        }
        var page = (await api.GetAsync(alice, $"{Path}/DEHYDRATED/events")).RequireOk();
        Assert.Equal(100, page.Body.GetProperty("events").GetArrayLength());
        var rest = (await api.GetAsync(alice, $"{Path}/DEHYDRATED/events?from={page.Text("next_batch")}")).RequireOk();
        Assert.Equal((3, false), (rest.Body.GetProperty("events").GetArrayLength(), rest.Has("next_batch")));
        (await api.GetAsync(alice, $"{Path}/{alice.DeviceId}/events")).Require(403, "M_FORBIDDEN");
        (await api.GetAsync(alice, $"{Path}/DEHYDRATED/events?from=x")).Require(400, "M_INVALID_PARAM");
        (await api.PostAsync(alice, $"{Path}/{alice.DeviceId}/events", "{}")).Require(403, "M_FORBIDDEN");
        (await api.PostAsync(bob, $"{Path}/DEHYDRATED/events", "{}")).Require(404, "M_NOT_FOUND");
        (await api.PostAsync(alice, $"{Path}/DEHYDRATED/events", new { next_batch = "x" })).Require(400, "M_INVALID_PARAM");
    }

    [Fact]
    public async Task A_new_one_takes_the_place_of_the_old_one_and_of_no_other_device()
    {
        var alice = await api.RegisterUserAsync();
        (await api.PutAsync(alice, Path, Body(alice, "ONE"))).RequireOk();
        (await api.PutAsync(alice, $"{V3}/sendToDevice/x.n/t", $$"""{"messages":{"{{alice.Id}}":{"ONE":{} } } }""")).RequireOk();
        (await api.PutAsync(alice, Path, Body(alice, "TWO"))).RequireOk();
        Assert.Equal(["TWO"], (await api.QueryAsync(alice, alice)).At("device_keys", alice.Id)!.Value.EnumerateObject().Select(d => d.Name));
        Assert.Equal(0, await api.CountAsync("select count(*) from to_device_messages where user_id = $1", alice.Id));
        (await api.PutAsync(alice, Path, Body(alice, "TWO"))).RequireOk();
        (await api.PutAsync(alice, Path, Body(alice, alice.DeviceId))).Require(400, "M_INVALID_PARAM");
        Assert.Equal("TWO", (await api.GetAsync(alice, Path)).RequireOk().Text("device_id"));
    }

    [Fact]
    public async Task What_lacks_something_is_refused_and_the_old_one_stays()
    {
        var alice = await api.RegisterUserAsync();
        (await api.PutAsync(alice, Path, Body(alice, "ONE"))).RequireOk();
        foreach (var missing in new[] { "device_id", "device_data", "device_keys" })
        {
            var body = Body(alice, "TWO");
            body.Remove(missing);
            (await api.PutAsync(alice, Path, body)).Require(400, "M_MISSING_PARAM");
        }
        (await api.PutAsync(alice, Path, Body(alice, "TWO", new { }))).Require(400, "M_BAD_JSON");
        var other = Body(alice, "TWO");
        other["device_keys"] = DeviceKeys(alice with { DeviceId = "THREE" });
        (await api.PutAsync(alice, Path, other)).Require(400, "M_BAD_JSON");
        var many = Body(alice, "TWO");
        many["one_time_keys"] = OneTimeKeys(0, 1001);
        (await api.PutAsync(alice, Path, many)).Require(400, "M_INVALID_PARAM");
        Assert.Equal("ONE", (await api.GetAsync(alice, Path)).RequireOk().Text("device_id"));
        (await api.GetAsync(null, Path)).Require(401, "M_MISSING_TOKEN");
    }
}
