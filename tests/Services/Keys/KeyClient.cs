using System.Text.Json;
using Matrix.ServiceTests.ClientApi;

namespace Matrix.ServiceTests.Keys;

/// <summary>What clients do about keys, over the fixture of ClientApi.</summary>
internal static class KeyClient
{
    public const string V3 = "/_matrix/client/v3";

    public static async Task<TestUser> AnotherDeviceAsync(this ClientApiFixture api, TestUser user, string? deviceId = null)
    {
        var login = (await api.PostAsync(null, $"{V3}/login", new
        {
            type = "m.login.password", identifier = new { type = "m.id.user", user = user.Id }, password = user.Password, device_id = deviceId,
        })).RequireOk();
        return user with { Token = login.Text("access_token"), DeviceId = login.Text("device_id") };
    }

    public static Dictionary<string, object> DeviceKeys(TestUser user, string seed = "") => new()
    {
        ["user_id"] = user.Id,
        ["device_id"] = user.DeviceId,
        ["algorithms"] = new[] { "m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2" },
        ["keys"] = new Dictionary<string, string> { ["ed25519:" + user.DeviceId] = "ed" + seed, ["curve25519:" + user.DeviceId] = "curve" + seed },
        ["signatures"] = new Dictionary<string, object> { [user.Id] = new Dictionary<string, string> { ["ed25519:" + user.DeviceId] = "self" } },
    };

    public static Dictionary<string, object> OneTimeKeys(int from, int count, string algorithm = "signed_curve25519") =>
        Enumerable.Range(from, count).ToDictionary(i => $"{algorithm}:{i:D4}", i => (object)$"key {i}");

    public static Task<Answer> UploadAsync(this ClientApiFixture api, TestUser user, object body) => api.PostAsync(user, $"{V3}/keys/upload", body);

    public static async Task<TestUser> WithKeysAsync(this ClientApiFixture api, TestUser user, int oneTimeKeys = 0)
    {
        (await api.UploadAsync(user, new { device_keys = DeviceKeys(user), one_time_keys = OneTimeKeys(0, oneTimeKeys) })).RequireOk();
        return user;
    }

    public static async Task<JsonElement> QueryAsync(this ClientApiFixture api, TestUser asking, params TestUser[] users) =>
        (await api.PostAsync(asking, $"{V3}/keys/query", new { device_keys = users.DistinctBy(u => u.Id).ToDictionary(u => u.Id, _ => Array.Empty<string>()) })).RequireOk().Body;

    public static JsonElement? At(this JsonElement e, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
            if (e.ValueKind != JsonValueKind.Object || !e.TryGetProperty(name, out e)) return null;
        return e;
    }

    /// <summary>Name of the key that was given; null: none.</summary>
    public static async Task<string?> ClaimAsync(this ClientApiFixture api, TestUser asking, TestUser of, string algorithm = "signed_curve25519")
    {
        var answer = (await api.PostAsync(asking, $"{V3}/keys/claim", new
        {
            one_time_keys = new Dictionary<string, object> { [of.Id] = new Dictionary<string, string> { [of.DeviceId] = algorithm } },
        })).RequireOk();
        return answer.Body.At("one_time_keys", of.Id, of.DeviceId)?.EnumerateObject().Single().Name;
    }

    public static async Task<long> CountAsync(this ClientApiFixture api, string sql, params object[] parameters)
    {
        await using var command = api.Database.Source.CreateCommand(sql);
        foreach (var p in parameters) command.Parameters.AddWithValue(p);
        return (long)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Rows that a stream has for a user.</summary>
    public static Task<long> RowsAsync(this ClientApiFixture api, string stream, TestUser user) =>
        api.CountAsync("select count(*) from stream_rows where stream = $1 and key = $2", stream, user.Id);
}
