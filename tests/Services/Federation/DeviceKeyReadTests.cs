using System.Text;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.FederationClient.Keys;
using Matrix.FederationClient.Signing;
using Matrix.FederationInbound;
using Matrix.ServiceDefaults;
using Matrix.ServiceTests.ClientApi;
using Matrix.ServiceTests.Keys;
using Matrix.Testing.Federation;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using static Matrix.ServiceTests.Keys.KeyClient;
using TestServer = Matrix.Testing.TestServer;

namespace Matrix.ServiceTests.Federation;

/// <summary>Clients and other servers of one server.</summary>
public class KeysToldFixture : ClientApiFixture
{
    private const string Base = "/_matrix/federation/v1/user";

    protected override void Add(IHostApplicationBuilder builder) => builder.AddFederationInbound();
    protected override void Map(IEndpointRouteBuilder routes) => routes.MapFederationInbound();
    protected override void Replace(IServiceCollection services) => services.Replace(ServiceDescriptor.Singleton<IKeyRing>(new TestKeyRing()));

    public async Task<Answer> AskAsync(string path, object? body = null)
    {
        var method = body is null ? HttpMethod.Get : HttpMethod.Post;
        var content = body is null ? null : JsonSerializer.SerializeToUtf8Bytes(body);
        var far = TestServer.Named("one.example");
        var header = XMatrix.Sign(new ServerIdentity(far.Name, far.Key, Ed25519.Default), ServerName, method.Method, Base + path, content is null ? default(ReadOnlyMemory<byte>?) : content);
        using var request = new HttpRequestMessage(method, Base + path);
        request.Headers.TryAddWithoutValidation("Authorization", header.ToString());
        if (content is not null) request.Content = new StringContent(Encoding.UTF8.GetString(content), Encoding.UTF8, "application/json");
        using var response = await Http.SendAsync(request);
        return new Answer((int)response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync()).RootElement.Clone());
    }

    internal Task<Answer> AskKeysAsync(params TestUser[] users) => AskAsync("/keys/query", new { device_keys = users.ToDictionary(u => u.Id, _ => Array.Empty<string>()) });
    internal Task<Answer> AskDevicesAsync(TestUser user) => AskAsync($"/devices/{Uri.EscapeDataString(user.Id)}");
}

public sealed class NamesToldFixture : KeysToldFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config)
    {
        var all = base.Configure(config);
        return all with { Accounts = all.Accounts with { Profiles = all.Accounts.Profiles with { DeviceNamesOverFederation = true } } };
    }
}

/// <summary>Keys of our users as other servers ask for them. Spec: server-server-api/#end-to-end-encryption, #device-management</summary>
public sealed class DeviceKeyReadTests(KeysToldFixture api) : IClassFixture<KeysToldFixture>
{
    private async Task<CrossSigningSet> CrossSignedAsync(TestUser user)
    {
        var set = new CrossSigningSet(user);
        (await api.PostAsync(user, $"{V3}/keys/device_signing/upload", set.Upload())).RequireOk();
        return set;
    }

    private async Task<TestUser> NamedAsync()
    {
        var user = await api.WithKeysAsync(await api.RegisterUserAsync());
        (await api.PutAsync(user, $"{V3}/devices/{user.DeviceId}", new { display_name = "Phone" })).RequireOk();
        return user;
    }

    [Fact]
    public async Task Keys_of_devices_are_told_without_their_names()
    {
        var (alice, bare) = (await NamedAsync(), await api.RegisterUserAsync());
        var told = (await api.AskKeysAsync(alice, bare)).RequireOk().Body;
        Assert.Equal("ed", told.At("device_keys", alice.Id, alice.DeviceId, "keys", "ed25519:" + alice.DeviceId)?.GetString());
        Assert.Equal("{}", told.At("device_keys", alice.Id, alice.DeviceId, "unsigned")?.GetRawText());
        Assert.Equal("{}", told.At("device_keys", bare.Id)?.GetRawText());
        var one = (await api.AskAsync("/keys/query", new { device_keys = new Dictionary<string, string[]> { [alice.Id] = ["OTHER"] } })).RequireOk().Body;
        Assert.Equal("{}", one.At("device_keys", alice.Id)?.GetRawText());
    }

    [Fact]
    public async Task Signing_keys_are_told_with_what_their_own_user_has_signed()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await CrossSignedAsync(await api.RegisterUserAsync()));
        var device = new Signer();
        (await api.UploadAsync(alice, new { device_keys = device.DeviceKeys(alice) })).RequireOk();
        var keys = await CrossSignedAsync(alice);
        var master = keys.Master.As("master", alice.Id);
        object Signed(object key) => new Dictionary<string, object> { [alice.Id] = new Dictionary<string, object> { [keys.Master.Public] = key } };
        foreach (var (by, key) in new[] { (alice, device.Sign(master, alice.Id, "ed25519:" + alice.DeviceId)), (bob.User, bob.UserSigning.Sign(master, bob.User.Id)) })
            Assert.Equal("{}", (await api.PostAsync(by, $"{V3}/keys/signatures/upload", Signed(key))).RequireOk().Body.GetProperty("failures").GetRawText());
        var signedDevice = keys.SelfSigning.Sign(device.DeviceKeys(alice), alice.Id);
        (await api.PostAsync(alice, $"{V3}/keys/signatures/upload", new Dictionary<string, object> { [alice.Id] = new Dictionary<string, object> { [alice.DeviceId] = signedDevice } })).RequireOk();

        var told = (await api.AskKeysAsync(alice)).RequireOk().Body;
        Assert.Equal(keys.SelfSigning.Public, told.At("self_signing_keys", alice.Id, "keys", keys.SelfSigning.KeyId)?.GetString());
        Assert.NotNull(told.At("device_keys", alice.Id, alice.DeviceId, "signatures", alice.Id, keys.SelfSigning.KeyId));
        Assert.False(told.TryGetProperty("user_signing_keys", out _));
        var list = (await api.AskDevicesAsync(alice)).RequireOk().Body;
        Assert.Equal(keys.SelfSigning.Public, list.At("self_signing_key", "keys", keys.SelfSigning.KeyId)?.GetString());
        Assert.NotNull(list.GetProperty("devices")[0].At("keys", "signatures", alice.Id, keys.SelfSigning.KeyId));
        foreach (var key in new[] { told.At("master_keys", alice.Id), list.At("master_key") })
        {
            Assert.NotNull(key!.Value.At("signatures", alice.Id, "ed25519:" + alice.DeviceId));
            Assert.Null(key.Value.At("signatures", bob.User.Id));
        }
    }

    [Fact]
    public async Task A_one_time_key_is_given_once_whether_a_server_or_a_client_asks()
    {
        var (alice, bob) = (await api.WithKeysAsync(await api.RegisterUserAsync(), 2), await api.RegisterUserAsync());
        var claim = new { one_time_keys = new Dictionary<string, object> { [alice.Id] = new Dictionary<string, string> { [alice.DeviceId] = "signed_curve25519" } } };
        var rows = await api.RowsAsync("to_device", alice);
        var first = (await api.AskAsync("/keys/claim", claim)).RequireOk().Body;
        Assert.Equal("key 0", first.At("one_time_keys", alice.Id, alice.DeviceId, "signed_curve25519:0000")?.GetString());
        Assert.Equal(rows + 1, await api.RowsAsync("to_device", alice));
        Assert.Equal("signed_curve25519:0001", await api.ClaimAsync(bob, alice));
        Assert.Equal("""{"one_time_keys":{}}""", (await api.AskAsync("/keys/claim", claim)).RequireOk().Body.GetRawText());
    }

    [Fact]
    public async Task Users_of_other_servers_are_not_asked_for_here_and_then_nothing_is_given()
    {
        var alice = await api.WithKeysAsync(await api.RegisterUserAsync(), 1);
        foreach (var other in new[] { "@a:other.example", "nobody", "@a", "" })
        {
            (await api.AskAsync("/keys/query", new { device_keys = new Dictionary<string, object> { [alice.Id] = Array.Empty<string>(), [other] = Array.Empty<string>() } })).Require(400, "M_INVALID_PARAM");
            var claim = new Dictionary<string, object> { [alice.Id] = new Dictionary<string, string> { [alice.DeviceId] = "signed_curve25519" }, [other] = new { D = "a" } };
            (await api.AskAsync("/keys/claim", new { one_time_keys = claim })).Require(400, "M_INVALID_PARAM");
        }
        (await api.AskAsync("/devices/@a:other.example")).Require(400, "M_INVALID_PARAM");
        Assert.Equal("signed_curve25519:0000", await api.ClaimAsync(alice, alice));
    }

    [Theory]
    [InlineData("/keys/query")]
    [InlineData("/keys/claim")]
    [InlineData("/devices/@a:test.example")]
    public async Task Who_does_not_sign_is_told_nothing(string path)
    {
        var (method, body) = path[1] == 'd' ? (HttpMethod.Get, null) : (HttpMethod.Post, "{\"device_keys\":{},\"one_time_keys\":{}}");
        (await api.SendAsync(method, null, "/_matrix/federation/v1/user" + path, body)).Require(401, "M_UNAUTHORIZED");
    }

    [Fact]
    public async Task Questions_of_no_shape_are_refused()
    {
        foreach (var path in new[] { "/keys/query", "/keys/claim" })
            foreach (var body in new object[] { new { }, new { device_keys = 5, one_time_keys = 5 }, new { device_keys = new { a = 5 }, one_time_keys = new { a = 5 } } })
                (await api.AskAsync(path, body)).Require(400, "M_BAD_JSON");
    }

    [Fact]
    public async Task The_list_of_devices_has_a_version_that_grows_with_each_change()
    {
        var alice = await NamedAsync();
        var list = (await api.AskDevicesAsync(alice)).RequireOk().Body;
        var device = Assert.Single(list.GetProperty("devices").EnumerateArray());
        Assert.Equal((alice.Id, alice.DeviceId, false), (list.GetProperty("user_id").GetString(), device.GetProperty("device_id").GetString(), device.TryGetProperty("device_display_name", out _)));
        Assert.Equal("ed", device.At("keys", "keys", "ed25519:" + alice.DeviceId)?.GetString());
        async Task<long> VersionAsync() => (await api.AskDevicesAsync(alice)).RequireOk().Body.GetProperty("stream_id").GetInt64();
        var version = await VersionAsync();
        Assert.True(version > 0);
        await api.WithKeysAsync(await api.RegisterUserAsync());
        Assert.Equal(version, await VersionAsync());
        (await api.UploadAsync(alice, new { device_keys = DeviceKeys(alice, "new") })).RequireOk();
        Assert.True(await VersionAsync() > version);
        // Rows of long ago go: what was said once stays true.
        version = await VersionAsync();
        await api.ExecuteAsync("insert into stream_retained (stream, min_pos) values ('device_lists', $1) on conflict (stream) do update set min_pos = excluded.min_pos", version);
        await api.ExecuteAsync("delete from stream_rows where stream = 'device_lists' and pos <= $1", version);
        Assert.True(await VersionAsync() >= version);
        Assert.Equal("[]", (await api.AskDevicesAsync(alice with { Id = "@nobody:test.example" })).RequireOk().Body.GetProperty("devices").GetRawText());
    }
}

public sealed class DeviceNameTests(NamesToldFixture api) : IClassFixture<NamesToldFixture>
{
    [Fact]
    public async Task Names_of_devices_are_told_where_the_administrator_allows_it()
    {
        var alice = await api.WithKeysAsync(await api.RegisterUserAsync());
        (await api.PutAsync(alice, $"{V3}/devices/{alice.DeviceId}", new { display_name = "Phone" })).RequireOk();
        Assert.Equal("Phone", (await api.AskKeysAsync(alice)).RequireOk().Body.At("device_keys", alice.Id, alice.DeviceId, "unsigned", "device_display_name")?.GetString());
        Assert.Equal("Phone", (await api.AskDevicesAsync(alice)).RequireOk().Body.GetProperty("devices")[0].GetProperty("device_display_name").GetString());
    }
}
