using Matrix.Replication;
using Matrix.Replication.Buses;
using Matrix.Storage;
using Matrix.Storage.Accounts;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;
using Matrix.Testing.Federation;
using Matrix.Testing.Servers;
using Matrix.Web.Auth;
using Matrix.Primitives;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Matrix.ServiceTests.EventPersister;

/// <summary>Two persisters over one fresh database and one bus, each on a port of its own.</summary>
public sealed class PersisterFixture : IAsyncLifetime
{
    private readonly PostgresFixture postgres = new();
    private int users;

    public const string ServerName = "test.example";

    public NpgsqlDataSource Source => postgres.Source;
    public Database Database => postgres.Database;
    public IReplicationBus Bus { get; private set; } = null!;
    /// <summary>Other servers, as both persisters reach them.</summary>
    public DagRemoteRooms Remote { get; } = new();
    public FakePolicyServers Policies { get; } = new();
    public PersisterHost One { get; private set; } = null!;
    public PersisterHost Two { get; private set; } = null!;
    public string ConnectionString => postgres.ConnectionString;

    public async ValueTask InitializeAsync()
    {
        await postgres.InitializeAsync();
        Bus = new InProcessBus(TimeProvider.System, NullLogger<InProcessBus>.Instance);
        One = await PersisterHost.StartAsync("one", ConnectionString, Bus, Remote, Policies);
        Two = await PersisterHost.StartAsync("two", ConnectionString, Bus, Remote, Policies);
    }

    public async ValueTask DisposeAsync()
    {
        if (One is not null) await One.DisposeAsync();
        if (Two is not null) await Two.DisposeAsync();
        await postgres.DisposeAsync();
    }

    public async Task<long> CountAsync(string sql, params object[] parameters)
    {
        await using var command = Source.CreateCommand(sql);
        foreach (var p in parameters) command.Parameters.AddWithValue(p);
        return Convert.ToInt64(await command.ExecuteScalarAsync(), System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>A user with a token, as registration leaves him.</summary>
    public async Task<User> NewUserAsync(string prefix = "user", string? displayName = null, bool guest = false)
    {
        var localpart = $"{prefix}{Interlocked.Increment(ref users)}";
        var id = UserId.Of(localpart, ServerName);
        var token = AccessTokens.New(id);
        await using (var insert = Source.CreateCommand(
            "with u as (insert into users (user_id, created_ts_ms, is_guest) values ($1, 0, $2)) insert into profiles (user_id, displayname) values ($1, $3)"))
        {
            insert.Parameters.AddWithValue(id.Value);
            insert.Parameters.AddWithValue(guest);
            insert.Parameters.AddWithValue(displayName ?? localpart);
            await insert.ExecuteNonQueryAsync();
        }
        await Database.InTransactionAsync<object?>(async tx =>
        {
            await AccessTokenStore.InsertAsync(tx, AccessTokenStore.Hash(token), id.Value, "DEVICE", 0, null, CancellationToken.None);
            return null;
        }, CancellationToken.None);
        return new User(id.Value, token, One);
    }

    public RoomReader Rooms => new(Database);
    public EventReader Events => new(Database);
    public StateReader States => new(Database);

    /// <summary>The room's events in stream order.</summary>
    public async Task<List<StoredEvent>> TimelineAsync(string roomId)
    {
        var room = await Rooms.FindAsync(roomId, CancellationToken.None);
        return await Events.TimelineAsync(room!.RoomNid, 0, long.MaxValue, backwards: false, 10_000, CancellationToken.None);
    }

    public async Task<Dictionary<StateKey2, StoredEvent>> StateAsync(string roomId)
    {
        var room = await Rooms.FindAsync(roomId, CancellationToken.None);
        return (await Rooms.CurrentStateAsync(room!.RoomNid, CancellationToken.None)).ToDictionary(e => new StateKey2(e.Pdu.Type, e.Pdu.StateKey!));
    }
}

public readonly record struct StateKey2(string Type, string Key);
