using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Ephemeral;
using Matrix.Sync.Presence;
using Matrix.Testing.Time;
using Microsoft.Extensions.Logging.Abstractions;

namespace Matrix.Unit.Sync;

public class PresenceKeeperTests
{
    private const string Alice = "@alice:one.example";
    private readonly ManualTime time = new();
    private readonly Published published = new();

    private async Task<(SyncHost Host, PresenceKeeper Keeper)> StartAsync(bool enabled = true)
    {
        var host = await new SyncHost().StartAsync();
        published.State = host.State;
        var config = new HomeserverConfig { ServerName = "x", Database = new DatabaseConfig { ConnectionString = "" }, EnablePresence = enabled };
        var keeper = new PresenceKeeper(host.State, published, config, time, NullLogger<PresenceKeeper>.Instance);
        await keeper.StartAsync(CancellationToken.None);
        while (enabled && time.Waiting == 0) await Task.Yield();     // its timer runs
        return (host, keeper);
    }

    /// <summary>Rows as they were published; applied at once.</summary>
    private sealed class Published : IStreamPublisher
    {
        public List<(string User, string Presence)> Rows { get; } = [];
        public Matrix.Sync.Engine.SyncState? State { get; set; }

        public ValueTask PublishAsync(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> rows, CancellationToken ct) => throw new NotSupportedException();

        public ValueTask<long> PublishEphemeralAsync(StreamDefinition stream, string key, ReadOnlyMemory<byte> payload, CancellationToken ct)
        {
            var row = PresenceRow.Decode(payload.Span);
            lock (Rows) Rows.Add((key, row.Presence));
            using (State!.Write()) State.Presence.Apply(Rows.Count, key, row);
            return ValueTask.FromResult((long)Rows.Count);
        }
    }

    private async Task AdvanceAsync(int seconds, int rows)
    {
        for (var i = 0; i < seconds; i++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            while (time.Waiting == 0) await Task.Yield();     // it looks
        }
        for (var i = 0; i < 100_000 && published.Rows.Count < rows; i++) await Task.Yield();
    }

    [Fact]
    public async Task Who_syncs_is_online_and_offline_a_while_after_his_last_request()
    {
        var (host, keeper) = await StartAsync();
        await using var _ = host;
        var first = await keeper.BeginAsync(Alice, "D", "online", default);
        var second = await keeper.BeginAsync(Alice, "D", "online", default);
        Assert.Equal([(Alice, "online")], published.Rows);
        first!.Dispose();
        await AdvanceAsync(120, 2);
        Assert.Single(published.Rows);      // the other request still waits
        second!.Dispose();
        await AdvanceAsync(20, 2);
        Assert.Single(published.Rows);
        await AdvanceAsync(20, 2);
        Assert.Equal([(Alice, "online"), (Alice, "offline")], published.Rows);
        (await keeper.BeginAsync(Alice, "D", "unavailable", default))!.Dispose();
        Assert.Equal((Alice, "unavailable"), published.Rows[^1]);
        await keeper.StopAsync(default);
    }

    [Fact]
    public async Task A_client_that_does_not_want_to_be_seen_is_not()
    {
        var (host, keeper) = await StartAsync();
        await using var _ = host;
        Assert.Null(await keeper.BeginAsync(Alice, "D", "offline", default));
        Assert.Empty(published.Rows);
        await keeper.StopAsync(default);
    }

    [Fact]
    public async Task The_most_present_device_counts()
    {
        var (host, keeper) = await StartAsync();
        await using var _ = host;
        using var laptop = await keeper.BeginAsync(Alice, "LAPTOP", "online", default);
        var phone = await keeper.BeginAsync(Alice, "PHONE", "unavailable", default);
        Assert.Equal([(Alice, "online")], published.Rows);
        laptop!.Dispose();
        await AdvanceAsync(40, 2);
        Assert.Equal([(Alice, "online"), (Alice, "unavailable")], published.Rows);
        phone!.Dispose();
        await AdvanceAsync(40, 3);
        Assert.Equal((Alice, "offline"), published.Rows[^1]);
        await keeper.StopAsync(default);
    }

    [Fact]
    public async Task Who_does_nothing_becomes_idle_and_is_back_when_he_does_something()
    {
        var (host, keeper) = await StartAsync();
        await using var _ = host;
        using var waiting = await keeper.BeginAsync(Alice, "D", "online", default);
        await AdvanceAsync(290, 2);
        Assert.Single(published.Rows);
        await AdvanceAsync(20, 2);
        Assert.Equal((Alice, "unavailable"), published.Rows[^1]);
        // Asking again is not doing something.
        (await keeper.BeginAsync(Alice, "D", "online", default))!.Dispose();
        Assert.Equal(2, published.Rows.Count);
        var user = new Matrix.Sync.Users.User(Alice) { LastActiveMs = time.GetUtcNow().ToUnixTimeMilliseconds() };
        using (host.State.Write()) host.State.Users[Alice] = user;
        await AdvanceAsync(6, 3);
        Assert.Equal((Alice, "online"), published.Rows[^1]);
        // Activity is told once a minute at most.
        for (var i = 0; i < 50; i++)
        {
            user.LastActiveMs = time.GetUtcNow().ToUnixTimeMilliseconds();
            await AdvanceAsync(1, 3);
        }
        Assert.Equal(3, published.Rows.Count);
        await keeper.StopAsync(default);
    }

    [Fact]
    public async Task What_another_instance_said_wrongly_is_set_right()
    {
        var (host, keeper) = await StartAsync();
        await using var _ = host;
        using var waiting = await keeper.BeginAsync(Alice, "D", "online", default);
        using (host.State.Write()) host.State.Presence.Apply(1, Alice, new PresenceRow("offline", null, 0, false));
        await AdvanceAsync(6, 2);
        Assert.Equal([(Alice, "online"), (Alice, "online")], published.Rows);
        await keeper.StopAsync(default);
    }

    [Fact]
    public async Task Nobody_is_seen_where_presence_is_switched_off()
    {
        var (host, keeper) = await StartAsync(enabled: false);
        await using var _ = host;
        Assert.Null(await keeper.BeginAsync(Alice, "D", "online", default));
        Assert.Empty(published.Rows);
        await keeper.StopAsync(default);
    }
}
