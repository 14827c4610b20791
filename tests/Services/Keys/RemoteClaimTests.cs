using System.Text.Json;
using Matrix.ServiceTests.ClientApi;
using static Matrix.ServiceTests.Keys.KeyClient;

namespace Matrix.ServiceTests.Keys;

/// <summary>One-time keys of users of other servers are claimed there. Spec: openapi/server-server/user_keys.yaml</summary>
public sealed class RemoteClaimTests(RemoteKeyFixture api) : IClassFixture<RemoteKeyFixture>, IAsyncLifetime
{
    private const string Algorithm = "signed_curve25519";
    private static readonly object Key = new { key = "k", signatures = new Dictionary<string, object> { ["@far:x"] = new Dictionary<string, string> { ["ed25519:FAR"] = "s" } } };
    private KeyServer server = null!;
    private TestUser alice = null!;
    private TestUser far = null!;

    public async ValueTask InitializeAsync()
    {
        (server, alice) = (await KeyServer.StartAsync(), await api.RegisterUserAsync());
        far = server.User("far");
    }

    public ValueTask DisposeAsync() => server.DisposeAsync();

    private void Tell(string user, string device, params (string Name, object Key)[] keys) => server.Tell(new
    {
        one_time_keys = new Dictionary<string, object> { [user] = new Dictionary<string, object> { [device] = keys.ToDictionary(k => k.Name, k => k.Key) } },
    });

    [Fact]
    public async Task A_key_is_claimed_at_the_server_of_its_user()
    {
        var near = await api.WithKeysAsync(await api.RegisterUserAsync(), 1);
        Tell(far.Id, "FAR", ($"{Algorithm}:AAA", Key));
        var given = (await api.PostAsync(alice, $"{V3}/keys/claim", new
        {
            one_time_keys = new Dictionary<string, object> { [far.Id] = new Dictionary<string, string> { ["FAR"] = Algorithm }, [near.Id] = new Dictionary<string, string> { [near.DeviceId] = Algorithm } },
        })).RequireOk().Body;
        Assert.Equal("k", given.At("one_time_keys", far.Id, "FAR", $"{Algorithm}:AAA", "key")?.GetString());
        Assert.NotNull(given.At("one_time_keys", near.Id, near.DeviceId));
        Assert.Equal("{}", given.GetProperty("failures").GetRawText());
        Assert.Equal("claim {\"one_time_keys\":{\"" + far.Id + "\":{\"FAR\":\"" + Algorithm + "\"}}}", Assert.Single(server.Asked));
    }

    [Fact]
    public async Task Keys_of_old_algorithms_are_text_and_servers_without_keys_give_none()
    {
        Tell(far.Id, "FAR", ("old:1", "text"));
        Assert.Equal("old:1", await api.ClaimAsync(alice, far, "old"));
        server.Tell(new { one_time_keys = new { } });
        Assert.Null(await api.ClaimAsync(alice, far));
    }

    [Fact]
    public async Task What_was_not_asked_for_and_what_is_no_key_is_left_out()
    {
        var unsigned = JsonSerializer.SerializeToElement(new { key = "k" });
        var bad = new (string User, string Device, string Name, object Key)[]
        {
            (alice.Id, "FAR", $"{Algorithm}:A", Key), (server.User("stranger").Id, "FAR", $"{Algorithm}:A", Key), (far.Id, "OTHER", $"{Algorithm}:A", Key), (far.Id, "FAR", "other:A", Key),
            (far.Id, "FAR", Algorithm, Key), (far.Id, "FAR", $"{Algorithm}:", Key), (far.Id, "FAR", $"{Algorithm}x:A", Key), (far.Id, "FAR", $"{Algorithm}:{new string('x', 300)}", Key), (far.Id, "FAR", $"{Algorithm}:A", 5),
            (far.Id, "FAR", $"{Algorithm}:A", unsigned), (far.Id, "FAR", $"{Algorithm}:A", new { key = 5, signatures = new { } }), (far.Id, "FAR", $"{Algorithm}:A", new { key = "k", signatures = new { a = "b" } }),
            (far.Id, "FAR", $"{Algorithm}:A", new string('x', 9000)),
        };
        foreach (var (user, device, name, key) in bad)
        {
            Tell(user, device, (name, key));
            var given = (await api.PostAsync(alice, $"{V3}/keys/claim", new { one_time_keys = new Dictionary<string, object> { [far.Id] = new Dictionary<string, string> { ["FAR"] = Algorithm } } })).RequireOk().Body;
            Assert.Equal("{}", given.GetProperty("one_time_keys").GetRawText());
        }
    }

    [Fact]
    public async Task One_key_is_passed_on_where_one_was_asked_for()
    {
        Tell(far.Id, "FAR", ($"{Algorithm}:A", 5), ($"{Algorithm}:B", Key), ($"{Algorithm}:C", Key));
        Assert.Equal($"{Algorithm}:B", await api.ClaimAsync(alice, far));
    }
}
