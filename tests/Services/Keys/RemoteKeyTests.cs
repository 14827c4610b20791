using System.Text.Json;
using Matrix.ServiceTests.ClientApi;
using static Matrix.ServiceTests.Keys.KeyClient;

namespace Matrix.ServiceTests.Keys;

/// <summary>Keys of users of other servers are asked for there. Spec: server-server-api/#end-to-end-encryption</summary>
public sealed class RemoteKeyTests(RemoteKeyFixture api) : IClassFixture<RemoteKeyFixture>, IAsyncLifetime
{
    private KeyServer server = null!;
    private TestUser alice = null!;
    private TestUser far = null!;

    public async ValueTask InitializeAsync()
    {
        (server, alice) = (await KeyServer.StartAsync(), await api.RegisterUserAsync());
        far = server.User("far");
    }

    public ValueTask DisposeAsync() => server.DisposeAsync();

    private static Dictionary<string, object> Of(string key, object value) => new() { [key] = value };
    private static Dictionary<string, object> With(Dictionary<string, object> o, string member, object? value)
    {
        var other = new Dictionary<string, object>(o);
        if (value is null) other.Remove(member);
        else other[member] = value;
        return other;
    }

    private void TellDevice(object device, string? user = null, string name = "FAR") => server.Tell(new { device_keys = Of(user ?? far.Id, Of(name, device)) });
    private async Task<JsonElement?> ToldAsync() => (await api.QueryAsync(alice, far)).At("device_keys", far.Id, "FAR");

    [Fact]
    public async Task One_question_goes_to_each_server_and_all_answers_are_one()
    {
        await using var second = await KeyServer.StartAsync();
        var (other, third) = (second.User("other", "O"), server.User("third", "T"));
        await api.WithKeysAsync(alice);
        server.Tell(new { device_keys = new Dictionary<string, object> { [far.Id] = Of("FAR", DeviceKeys(far)), [third.Id] = new { } } });
        second.Tell(new { device_keys = Of(other.Id, Of("O", DeviceKeys(other))) });
        var told = await api.QueryAsync(alice, alice, far, other, third);
        Assert.Equal("{}", told.GetProperty("failures").GetRawText());
        Assert.Equal("ed", told.At("device_keys", far.Id, "FAR", "keys", "ed25519:FAR")?.GetString());
        Assert.Equal("ed", told.At("device_keys", other.Id, "O", "keys", "ed25519:O")?.GetString());
        Assert.Equal("{}", told.At("device_keys", third.Id)?.GetRawText());
        Assert.NotNull(told.At("device_keys", alice.Id, alice.DeviceId));
        var asked = Assert.Single(server.Asked);
        Assert.True(asked is ['q', 'u', 'e', 'r', 'y', ..] && asked.Contains(far.Id, StringComparison.Ordinal) && asked.Contains(third.Id, StringComparison.Ordinal) && !asked.Contains(alice.Id, StringComparison.Ordinal), asked);
        Assert.Equal("query {\"device_keys\":{\"" + other.Id + "\":[]}}", Assert.Single(second.Asked));
    }

    [Fact]
    public async Task Devices_that_are_named_are_asked_for_alone_and_no_others_are_told()
    {
        server.Tell(new { device_keys = Of(far.Id, new Dictionary<string, object> { ["FAR"] = DeviceKeys(far), ["MORE"] = DeviceKeys(far with { DeviceId = "MORE" }) }) });
        var told = (await api.PostAsync(alice, $"{V3}/keys/query", new { device_keys = Of(far.Id, new[] { "FAR" }) })).RequireOk().Body;
        Assert.Equal(["FAR"], told.At("device_keys", far.Id)!.Value.EnumerateObject().Select(d => d.Name));
        Assert.Equal("query {\"device_keys\":{\"" + far.Id + "\":[\"FAR\"]}}", Assert.Single(server.Asked));
    }

    [Fact]
    public async Task The_name_of_a_device_is_told_and_nothing_else_that_nobody_signed()
    {
        TellDevice(With(DeviceKeys(far), "unsigned", new { device_display_name = "Far \"phone\" ⛵", other = 1 }));
        Assert.Equal("Far \"phone\" ⛵", (await ToldAsync())?.GetProperty("unsigned").GetProperty("device_display_name").GetString());
        Assert.Single((await ToldAsync())!.Value.GetProperty("unsigned").EnumerateObject());
        foreach (var unsigned in new object[] { 5, new { device_display_name = 5 }, new { device_display_name = new string('x', 3000) } })
        {
            TellDevice(With(DeviceKeys(far), "unsigned", unsigned));
            Assert.Equal("{}", (await ToldAsync())?.GetProperty("unsigned").GetRawText());
        }
    }

    [Fact]
    public async Task What_was_not_asked_for_is_left_out()
    {
        var stranger = server.User("stranger");
        var keys = new CrossSigningSet(alice);
        server.Tell(new
        {
            device_keys = new Dictionary<string, object> { [stranger.Id] = Of("FAR", DeviceKeys(stranger)), [alice.Id] = Of("EVIL", DeviceKeys(alice with { DeviceId = "EVIL" })) },
            master_keys = Of(alice.Id, keys.Master.As("master", alice.Id)), self_signing_keys = Of(stranger.Id, keys.Master.As("self_signing", stranger.Id)),
        });
        var told = await api.QueryAsync(alice, far, alice);
        Assert.Equal("{}", told.At("device_keys", alice.Id)?.GetRawText());
        Assert.Single(told.GetProperty("device_keys").EnumerateObject());
        Assert.Equal(("{}", "{}"), (told.GetProperty("master_keys").GetRawText(), told.GetProperty("self_signing_keys").GetRawText()));
    }

    [Fact]
    public async Task Keys_that_are_not_those_of_their_place_or_of_no_shape_are_left_out()
    {
        TellDevice(DeviceKeys(far));
        Assert.NotNull(await ToldAsync());
        var good = DeviceKeys(far);
        var bad = new object[]
        {
            5, "x", With(good, "user_id", alice.Id), With(good, "user_id", null), With(good, "device_id", "OTHER"), With(good, "device_id", null), With(good, "keys", null),
            With(good, "keys", new { a = 1 }), With(good, "keys", "x"), With(good, "signatures", null), With(good, "signatures", new { a = "b" }), With(good, "signatures", Of(far.Id, new { a = 5 })),
            With(good, "algorithms", null), With(good, "algorithms", "m.olm"), With(good, "algorithms", new object[] { "m.olm", 5 }), With(good, "padding", new string('x', 70_000)),
        };
        foreach (var device in bad)
        {
            TellDevice(device);
            Assert.True(await ToldAsync() is null, JsonSerializer.Serialize(device));
        }
    }

    [Fact]
    public async Task Signing_keys_of_others_are_told_but_the_one_for_themselves()
    {
        var keys = new CrossSigningSet(far);
        object Told(object master, object selfSigning) => new
        {
            device_keys = new { }, master_keys = Of(far.Id, master), self_signing_keys = Of(far.Id, selfSigning), user_signing_keys = Of(far.Id, keys.UserSigning.As("user_signing", far.Id)),
        };
        server.Tell(Told(keys.Master.As("master", far.Id), keys.Master.Sign(keys.SelfSigning.As("self_signing", far.Id), far.Id)));
        var told = await api.QueryAsync(alice, far);
        Assert.Equal(keys.Master.Public, told.At("master_keys", far.Id, "keys", keys.Master.KeyId)?.GetString());
        Assert.Equal(keys.SelfSigning.Public, told.At("self_signing_keys", far.Id, "keys", keys.SelfSigning.KeyId)?.GetString());
        Assert.NotNull(told.At("self_signing_keys", far.Id, "signatures", far.Id, keys.Master.KeyId));
        Assert.Equal("{}", told.GetProperty("user_signing_keys").GetRawText());

        var good = keys.Master.As("master", far.Id);
        var bad = new object[]
        {
            5, With(good, "user_id", alice.Id), With(good, "user_id", null), With(good, "usage", new[] { "self_signing" }), With(good, "usage", "master"), With(good, "usage", new object[] { "master", 5 }),
            With(good, "keys", null), With(good, "keys", new { }), With(good, "keys", Of("ed25519:" + keys.Master.Public, keys.SelfSigning.Public)), With(good, "keys", Of("ed25519:AAAA", "AAAA")),
            With(good, "keys", new Dictionary<string, object> { [keys.Master.KeyId] = keys.Master.Public, [keys.SelfSigning.KeyId] = keys.SelfSigning.Public }),
            With(good, "signatures", "x"), With(good, "signatures", new { a = "b" }), With(good, "padding", new string('x', 70_000)),
        };
        foreach (var key in bad)
        {
            server.Tell(Told(key, key));
            Assert.True((await api.QueryAsync(alice, far)).At("master_keys", far.Id) is null, JsonSerializer.Serialize(key));
        }
    }

    [Fact]
    public async Task A_signature_for_a_master_key_of_another_server_is_verified_over_what_that_server_tells()
    {
        var (mine, theirs) = (new CrossSigningSet(alice), new CrossSigningSet(far));
        (await api.PostAsync(alice, $"{V3}/keys/device_signing/upload", mine.Upload())).RequireOk();
        var master = theirs.Master.As("master", far.Id);
        server.Tell(new { device_keys = new { }, master_keys = Of(far.Id, master) });
        var signed = Of(far.Id, Of(theirs.Master.Public, mine.UserSigning.Sign(master, alice.Id)));
        Assert.Equal("{}", (await api.PostAsync(alice, $"{V3}/keys/signatures/upload", signed)).RequireOk().Body.GetProperty("failures").GetRawText());
        Assert.NotNull((await api.QueryAsync(alice, far)).At("master_keys", far.Id, "signatures", alice.Id, mine.UserSigning.KeyId));
        Assert.Null((await api.QueryAsync(await api.RegisterUserAsync(), far)).At("master_keys", far.Id, "signatures", alice.Id));
        server.Tell(new { device_keys = new { } });
        Assert.Equal("M_NOT_FOUND", (await api.PostAsync(alice, $"{V3}/keys/signatures/upload", signed)).RequireOk().Body.At("failures", far.Id, theirs.Master.Public, "errcode")?.GetString());
    }
}
