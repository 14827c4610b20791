using Matrix.Replication;
using Matrix.Storage;
using Matrix.Storage.AccountData;
using Matrix.Storage.Accounts;
using Matrix.Storage.Streams;
using Matrix.Storage.ToDevice;
using Matrix.Testing.Servers;

namespace Matrix.StorageTests.Clients;

/// <summary>Domain write and stream rows in one statement, by many writers at once.</summary>
public class StreamStatementTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    private async Task<Database> FreshAsync() => new(postgres.Open(await postgres.CreateDatabaseAsync()));

    private static Task<IReadOnlyList<StreamBatch>?> RegisterAsync(Database database, string user, string device) =>
        new AccountStore(database).RegisterAsync(
            new NewAccount { UserId = user, DeviceId = device, Tokens = new IssuedTokens(AccessTokenStore.Hash(user + device)) }, 1, default);

    private static async Task AssertGaplessAsync(Database database)
    {
        await using var command = database.Source.CreateCommand(
            """
            select c.stream, c.pos, count(distinct r.pos), coalesce(max(r.pos), 0) from stream_counters c left join stream_rows r using (stream)
            group by c.stream, c.pos
            """);
        await using var r = await command.ExecuteReaderAsync();
        while (await r.ReadAsync()) Assert.Equal((r.GetString(0), r.GetInt64(1), r.GetInt64(1)), (r.GetString(0), r.GetInt64(2), r.GetInt64(3)));
    }

    [Fact]
    public async Task What_is_returned_is_what_readers_find()
    {
        var database = await FreshAsync();
        await RegisterAsync(database, "@a:x", "A");
        var store = new AccountDataStore(database);
        var batches = await store.SetAsync("@a:x", "", "m.ignored_user_list", "{}"u8.ToArray(), default);
        Assert.Equal(["account_data 0-1", "caches 0-1"], batches.Select(b => $"{b.Stream} {b.From}-{b.To}"));
        var source = new StreamStore(database);
        foreach (var batch in batches)
        {
            var page = await source.ReadAsync(batch.Stream, batch.From, batch.To, 10, default);
            Assert.Equal(batch.Rows.Select(r => (r.Position, r.Key, Convert.ToHexString(r.Payload.Span))), page.Rows.Select(r => (r.Position, r.Key, Convert.ToHexString(r.Payload.Span))));
        }
        Assert.Empty(await store.SetAsync("@a:x", "", "m.ignored_user_list", "{}"u8.ToArray(), default));
    }

    [Fact]
    public async Task Who_is_erased_is_an_account()
    {
        var database = await FreshAsync();
        await RegisterAsync(database, "@a:x", "A");
        var accounts = new AccountStore(database);
        async Task<IEnumerable<string>> ErasedAsync(string user) =>
            (await accounts.DeactivateAsync(user, true, 1, default)).SelectMany(b => b.Rows).Select(r => r.Key).Where(k => k.StartsWith("erased:", StringComparison.Ordinal));
        Assert.Equal(["erased:@a:x"], await ErasedAsync("@a:x"));
        Assert.Empty(await ErasedAsync("@nobody:x"));
        Assert.Equal(["@a:x"], await new ErasedUserReader(database).AllAsync(default));
    }

    [Fact]
    public async Task Writers_of_overlapping_streams_neither_deadlock_nor_leave_gaps()
    {
        var database = await FreshAsync();
        var accounts = new AccountStore(database);
        var devices = new DeviceStore(database);
        var data = new AccountDataStore(database);
        var messages = new ToDeviceStore(database);
        await Task.WhenAll(Enumerable.Range(0, 5).Select(i => RegisterAsync(database, $"@u{i}:x", "D")));
        await Task.WhenAll(Enumerable.Range(0, 300).Select(async i =>
        {
            var user = $"@u{i % 5}:x";
            switch (i % 6)
            {
                case 0: await accounts.LogInAsync(user, $"D{i % 7}", null, new IssuedTokens(AccessTokenStore.Hash($"t{i}")), i, default); break;
                case 1: await devices.DeleteAsync(user, [$"D{i % 7}"], default); break;
                case 2: await data.SetAsync(user, "", "m.push_rules", BitConverter.GetBytes(i), default); break;
                case 3: await data.SetAsync(user, "", "m.ignored_user_list", BitConverter.GetBytes(i), default); break;
                case 4: await devices.RenameAsync(user, "D", $"name {i}", default); break;
                default: await messages.SendAsync(user, "D", $"t{i}", "m.x", [new(user, "*", "{}"u8.ToArray())], i, default); break;
            }
        }));
        await AssertGaplessAsync(database);
    }

    [Fact]
    public async Task A_device_that_goes_takes_all_that_hangs_on_it()
    {
        var database = await FreshAsync();
        await RegisterAsync(database, "@a:x", "A");
        await new AccountStore(database).LogInAsync("@a:x", "B", null, new IssuedTokens(AccessTokenStore.Hash("b")), 1, default);
        await new ToDeviceStore(database).SendAsync("@a:x", "A", "t", "m.x", [new("@a:x", "*", "{}"u8.ToArray())], 1, default);
        var batches = await new DeviceStore(database).DeleteAsync("@a:x", ["B"], default);
        Assert.Equal(["caches", "device_lists"], batches.Select(b => b.Stream.Name));
        Assert.Equal("token:" + Convert.ToHexStringLower(AccessTokenStore.Hash("b")), batches[0].Rows.Single().Key);
        Assert.Equal("B", DeviceListRow.Decode(batches[1].Rows.Single().Payload.Span).DeviceId);
        Assert.Equal(["A"], (await new DeviceStore(database).ListAsync("@a:x", default)).Select(d => d.DeviceId));
        Assert.Null(await new AccessTokenStore(database).FindAsync(AccessTokenStore.Hash("b"), default));
        Assert.NotNull(await new AccessTokenStore(database).FindAsync(AccessTokenStore.Hash("@a:xA"), default));
        await using var command = database.Source.CreateCommand("select string_agg(device_id, ',') from to_device_messages");
        Assert.Equal("A", await command.ExecuteScalarAsync());
    }

    [Fact]
    public async Task To_device_messages_beyond_one_position_take_further_ones()
    {
        var database = await FreshAsync();
        await RegisterAsync(database, "@a:x", "A");
        var many = Enumerable.Repeat(new ToDeviceMessage("@a:x", "A", "{}"u8.ToArray()), ToDeviceStore.PerPosition + 1).ToArray();
        var batch = Assert.Single(await new ToDeviceStore(database).SendAsync("@a:x", "A", "t", "m.x", many, 1, default));
        Assert.Equal((0, 2, many.Length), (batch.From, batch.To, batch.Rows.Count));
        await AssertGaplessAsync(database);
    }

    [Fact]
    public async Task A_taken_user_id_writes_nothing()
    {
        var database = await FreshAsync();
        Assert.NotNull(await RegisterAsync(database, "@a:x", "A"));
        Assert.Null(await RegisterAsync(database, "@a:x", "B"));
        Assert.Single(await new DeviceStore(database).ListAsync("@a:x", default));
        await AssertGaplessAsync(database);
    }
}

public class NonceTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    [Fact]
    public async Task A_nonce_counts_once_and_only_while_it_is_fresh()
    {
        var nonces = new RegistrationNonceStore(postgres.Database);
        await nonces.AddAsync("a", 1000, 0, default);
        await nonces.AddAsync("b", 1000, 0, default);
        Assert.False(await nonces.TakeAsync("a", 1001, default));
        Assert.True(await nonces.TakeAsync("a", 1000, default));
        Assert.False(await nonces.TakeAsync("a", 1000, default));
        await nonces.AddAsync("c", 3000, 2000, default);
        Assert.False(await nonces.TakeAsync("b", 0, default));
    }
}
