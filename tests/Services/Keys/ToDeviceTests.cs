using Matrix.ServiceTests.ClientApi;
using static Matrix.ServiceTests.Keys.KeyClient;

namespace Matrix.ServiceTests.Keys;

/// <summary>Messages to devices: what is taken, what it costs.</summary>
[Collection("alone")]
public sealed class ToDeviceTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private Task<Answer> SendAsync(TestUser from, object messages, string txn = "t", string type = "x.type") =>
        api.PutAsync(from, $"{V3}/sendToDevice/{Uri.EscapeDataString(type)}/{Uri.EscapeDataString(txn)}", messages is string text ? text : new { messages });

    [Fact]
    public async Task A_thousand_devices_get_theirs_in_one_statement_and_one_position()
    {
        var sender = await api.RegisterUserAsync();
        await using (var command = api.Database.Source.CreateCommand(
            "insert into devices (user_id, device_id, created_ts_ms) select '@many' || i || ':test.example', 'D', 0 from generate_series(1, 1000) i"))
            await command.ExecuteNonQueryAsync();
        var messages = Enumerable.Range(1, 1000).ToDictionary(i => $"@many{i}:test.example", i => new Dictionary<string, object> { ["D"] = new { body = new string('x', 2000), i } });
        (await api.GetAsync(sender, $"{V3}/account/whoami")).RequireOk();
        using var sql = KeyStatements.Count(api.Database.Source.ConnectionString);
        (await SendAsync(sender, messages)).RequireOk();
        Assert.Single(sql.All);
        Assert.Equal(1000, await api.CountAsync("select count(*) from to_device_messages where sender = $1", sender.Id));
        Assert.Equal(1, await api.CountAsync("select count(distinct pos) from to_device_messages where sender = $1", sender.Id));
        (await SendAsync(sender, messages)).RequireOk();
        Assert.Equal(1000, await api.CountAsync("select count(*) from to_device_messages where sender = $1", sender.Id));
    }

    [Fact]
    public async Task A_message_for_all_devices_takes_the_place_of_those_for_some()
    {
        var (sender, receiver) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        (await SendAsync(sender, new Dictionary<string, object> { [receiver.Id] = new Dictionary<string, object> { [receiver.DeviceId] = new { n = 1 }, ["*"] = new { n = 2 } } })).RequireOk();
        Assert.Equal(1, await api.CountAsync("select count(*) from to_device_messages where user_id = $1", receiver.Id));
        Assert.Equal(1, await api.CountAsync("select count(*) from to_device_messages where user_id = $1 and content = '{\"n\":2}'", receiver.Id));
    }

    [Fact]
    public async Task A_transaction_counts_once_for_each_device_and_many_repeat_it_at_once()
    {
        var (sender, receiver) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var second = await api.AnotherDeviceAsync(sender);
        var messages = new Dictionary<string, object> { [receiver.Id] = new Dictionary<string, object> { ["*"] = new { } } };
        await Task.WhenAll(Enumerable.Range(0, 20).Select(async i => (await SendAsync(i % 2 == 0 ? sender : second, messages, "same")).RequireOk()));
        Assert.Equal(2, await api.CountAsync("select count(*) from to_device_messages where user_id = $1", receiver.Id));
    }

    [Fact]
    public async Task What_was_sent_to_a_device_goes_with_it_though_it_goes_in_that_moment()
    {
        var sender = await api.RegisterUserAsync();
        for (var round = 0; round < 15; round++)
        {
            var device = await api.AnotherDeviceAsync(sender);
            var messages = new Dictionary<string, object> { [sender.Id] = new Dictionary<string, object> { [device.DeviceId] = new { } } };
            var sends = Enumerable.Range(0, 6).Select(i => SendAsync(sender, messages, $"{round}.{i}")).ToList();
            var logout = api.PostAsync(device, $"{V3}/logout", "{}");
            foreach (var answer in await Task.WhenAll(sends)) answer.RequireOk();
            (await logout).RequireOk();
        }
        Assert.Equal(0, await api.CountAsync("select count(*) from to_device_messages where user_id = $1", sender.Id));
    }

    [Fact]
    public async Task What_is_wrong_too_large_or_too_much_is_refused_whole()
    {
        var user = await api.RegisterUserAsync();
        Dictionary<string, object> To(string device, object content) => new() { [user.Id] = new Dictionary<string, object> { [user.DeviceId] = new { }, [device] = content } };
        (await SendAsync(user, To("D", new { x = new string('x', 70_000) }))).Require(413, "M_TOO_LARGE");
        (await SendAsync(user, To(new string('D', 300), new { }))).Require(400, "M_INVALID_PARAM");
        (await SendAsync(user, To("D\0", new { }))).Require(400, "M_INVALID_PARAM");
        (await SendAsync(user, To("", new { }))).Require(400, "M_INVALID_PARAM");
        (await SendAsync(user, To("D", new { }), type: new string('t', 300))).Require(400, "M_INVALID_PARAM");
        (await SendAsync(user, To("D", new { }), txn: new string('t', 300))).Require(400, "M_INVALID_PARAM");
        (await SendAsync(user, To("D", new { }), type: "a\u0001b")).Require(400, "M_INVALID_PARAM");
        (await SendAsync(user, $$"""{"messages":{"{{user.Id}}":{"D":{},"D":{} } } }""")).Require(400, "M_BAD_JSON");
        (await SendAsync(user, new Dictionary<string, object> { [user.Id] = Enumerable.Range(0, 10_001).ToDictionary(i => $"D{i}", _ => new { }) })).Require(400, "M_INVALID_PARAM");
        Assert.Equal(0, await api.CountAsync("select count(*) from to_device_messages where user_id = $1", user.Id));
        Assert.Equal(0, await api.CountAsync("select count(*) from client_txns where user_id = $1", user.Id));
    }
}
