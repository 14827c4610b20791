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
        for (var i = 0; i < seconds; i++) time.Advance(TimeSpan.FromSeconds(1));
        for (var i = 0; i < 100_000 && published.Rows.Count < rows; i++) await Task.Yield();
    }

    [Fact]
    public async Task Who_syncs_is_online_and_offline_a_while_after_his_last_request()
    {
        var (host, keeper) = await StartAsync();
        await using var _ = host;
        var first = await keeper.BeginAsync(Alice, "online", default);
        var second = await keeper.BeginAsync(Alice, "online", default);
        Assert.Equal([(Alice, "online")], published.Rows);
        first!.Dispose();
        await AdvanceAsync(120, 2);
        Assert.Single(published.Rows);      // the other request still waits
        second!.Dispose();
        await AdvanceAsync(20, 2);
        Assert.Single(published.Rows);
        await AdvanceAsync(20, 2);
        Assert.Equal([(Alice, "online"), (Alice, "offline")], published.Rows);
        (await keeper.BeginAsync(Alice, "unavailable", default))!.Dispose();
        Assert.Equal((Alice, "unavailable"), published.Rows[^1]);
        await keeper.StopAsync(default);
    }

    [Fact]
    public async Task A_client_that_does_not_want_to_be_seen_is_not()
    {
        var (host, keeper) = await StartAsync();
        await using var _ = host;
        Assert.Null(await keeper.BeginAsync(Alice, "offline", default));
        Assert.Empty(published.Rows);
        await keeper.StopAsync(default);
    }

    [Fact]
    public async Task Nobody_is_seen_where_presence_is_switched_off()
    {
        var (host, keeper) = await StartAsync(enabled: false);
        await using var _ = host;
        Assert.Null(await keeper.BeginAsync(Alice, "online", default));
        Assert.Empty(published.Rows);
        await keeper.StopAsync(default);
    }
}
