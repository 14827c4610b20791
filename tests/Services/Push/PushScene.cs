using System.Text;
using System.Text.Json;
using Matrix.Push;
using Matrix.ServiceDefaults;
using Matrix.ServiceTests.Hosting;
using Matrix.Storage.Streams;
using Matrix.Testing;
using Matrix.Testing.Servers;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.Push;

/// <summary>Service Push over a database of its own, a gateway that it pushes to, and two users.</summary>
public abstract class PushScene(PostgresFixture postgres) : IClassFixture<PostgresFixture>, IAsyncLifetime
{
    protected static readonly TestServer Here = TestServer.Named(ServiceHost.ServerName);
    private static int counter;
    protected PostgresFixture Postgres => postgres;
    protected string Unique { get; } = $"p{Interlocked.Increment(ref counter)}";
    protected FakePushGateway Gateway { get; private set; } = null!;
    private ServiceHost? host;
    protected TestUser Alice { get; private set; } = null!;
    protected TestUser Bob { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        (Alice, Bob) = (Here.User(Unique + "alice"), Here.User(Unique + "bob"));
        Gateway = await FakePushGateway.StartAsync();
    }

    protected async Task StartAsync(Func<HomeserverConfig, HomeserverConfig>? configure = null, TimeProvider? time = null) =>
        host = await ServiceHost.StartAsync(postgres.ConnectionString, b => b.AddPush(), _ => { }, configure, services =>
        {
            if (time is not null) services.AddSingleton(time);
        });

    protected async Task StopAsync()
    {
        if (host is not null) await host.DisposeAsync();
        host = null;
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await StopAsync();
        await Gateway.DisposeAsync();
    }

    protected async Task SetPusherAsync(TestUser user, string? format = "event_id_only", string pushkey = "key")
    {
        object wanted = format is null ? new { url = Gateway.Url, other = 1 } : new { url = Gateway.Url, format, other = 1 };
        var data = JsonSerializer.Serialize(wanted);
        await ExecuteAsync(
            """
            insert into pushers (user_id, app_id, pushkey, kind, app_display_name, device_display_name, lang, data, created_ts_ms, last_pos)
            values ($1, 'org.example.app', $2, 'http', 'App', 'Phone', 'en', $3, 12345678, (select pos from stream_counters where stream = 'events'))
            """, user.Id, Unique + pushkey, Encoding.UTF8.GetBytes(data));
        await AppendAsync(Replication.Streams.Pushers, user.Id, default);
    }

    protected async Task SetRulesAsync(TestUser user, string content)
    {
        await ExecuteAsync("insert into account_data (user_id, type, content) values ($1, 'm.push_rules', $2)", user.Id, Encoding.UTF8.GetBytes(content));
        await AppendAsync(Replication.Streams.AccountData, user.Id, new AccountDataRow("", "m.push_rules").Encode());
    }

    protected async Task AppendAsync(Replication.StreamDefinition stream, string key, ReadOnlyMemory<byte> payload)
    {
        await StreamCounters.AppendAsync(postgres.Database, stream, [(key, payload)], CancellationToken.None);
        if (host is not null) await host.AnnounceAsync();
    }

    protected async Task ExecuteAsync(string sql, params object[] values)
    {
        await using var command = postgres.Source.CreateCommand(sql);
        foreach (var value in values) command.Parameters.AddWithValue(value);
        await command.ExecuteNonQueryAsync();
    }

    protected async Task<string?> ScalarAsync(string sql, params object[] values)
    {
        await using var command = postgres.Source.CreateCommand(sql);
        foreach (var value in values) command.Parameters.AddWithValue(value);
        return (await command.ExecuteScalarAsync())?.ToString();
    }

    /// <param name="read">Whoever sent what is new has read up to it.</param>
    protected async Task SaveAsync(Room room, bool read = false)
    {
        await room.SaveAsync(postgres.Database, read: read);
        if (host is not null) await host.AnnounceAsync();
    }

    protected static string Text(JsonElement o, string name) => o.GetProperty(name).GetString()!;
}
