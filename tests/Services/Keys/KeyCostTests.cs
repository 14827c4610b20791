using Matrix.ServiceTests.ClientApi;
using static Matrix.ServiceTests.Keys.KeyClient;

namespace Matrix.ServiceTests.Keys;

/// <summary>How often the database is asked, for many users at once.</summary>
[Collection("alone")]
public sealed class KeyCostTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private async Task<List<(string User, string Device)>> ManyDevicesAsync(string prefix, int users, int devices)
    {
        await using var command = api.Database.Source.CreateCommand(
            """
            with d as (
                insert into devices (user_id, device_id, created_ts_ms)
                select '@' || $1 || u || ':test.example', 'D' || d, 0 from generate_series(1, $2) u, generate_series(1, $3) d returning user_id, device_id),
            k as (insert into device_keys (user_id, device_id, keys, signed_hash) select user_id, device_id,
                convert_to(format('{"user_id":"%s","device_id":"%s","algorithms":[],"keys":{},"signatures":{}}', user_id, device_id), 'UTF8'), '' from d),
            o as (insert into one_time_keys (user_id, device_id, algorithm, key_id, key) select user_id, device_id, 'signed_curve25519', 'a', '"k"' from d)
            select user_id, device_id from d
            """);
        foreach (var p in new object[] { prefix, users, devices }) command.Parameters.AddWithValue(p);
        var all = new List<(string, string)>();
        await using var r = await command.ExecuteReaderAsync();
        while (await r.ReadAsync()) all.Add((r.GetString(0), r.GetString(1)));
        return all;
    }

    private async Task<IReadOnlyList<string>> StatementsOfAsync(TestUser user, string path, object body, Action<Answer> check)
    {
        (await api.GetAsync(user, $"{V3}/account/whoami")).RequireOk();
        using var sql = KeyStatements.Count(api.Database.Source.ConnectionString);
        check((await api.PostAsync(user, path, body)).RequireOk());
        return sql.All;
    }

    [Fact]
    public async Task Two_hundred_users_of_four_devices_are_one_question()
    {
        var user = await api.RegisterUserAsync();
        var all = await ManyDevicesAsync("q", 200, 4);
        var wanted = new { device_keys = all.Select(d => d.User).Distinct().ToDictionary(u => u, _ => Array.Empty<string>()) };
        var statements = await StatementsOfAsync(user, $"{V3}/keys/query", wanted, answer =>
            Assert.Equal(800, answer.Body.GetProperty("device_keys").EnumerateObject().Sum(u => u.Value.EnumerateObject().Count())));
        Assert.Single(statements);
    }

    [Fact]
    public async Task Keys_of_two_hundred_devices_are_claimed_in_one_statement()
    {
        var user = await api.RegisterUserAsync();
        var all = await ManyDevicesAsync("c", 200, 1);
        var wanted = new { one_time_keys = all.ToDictionary(d => d.User, d => new Dictionary<string, string> { [d.Device] = "signed_curve25519" }) };
        var statements = await StatementsOfAsync(user, $"{V3}/keys/claim", wanted, answer =>
            Assert.Equal(200, answer.Body.GetProperty("one_time_keys").EnumerateObject().Count()));
        Assert.Single(statements);
    }

    [Fact]
    public async Task An_upload_is_one_round_trip()
    {
        var user = await api.RegisterUserAsync();
        var statements = await StatementsOfAsync(user, $"{V3}/keys/upload", new { device_keys = DeviceKeys(user), one_time_keys = OneTimeKeys(0, 50) }, _ => { });
        Assert.Single(statements);
    }
}
