using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Ephemeral;
using Matrix.Sync.Engine;

namespace Matrix.Sync.Presence;

/// <summary>
/// Presence of users who sync: online (or idle) while they do, offline a while after their last request. Rows are written when something changes
/// only. Spec: client-server-api/#presence
/// </summary>
internal sealed partial class PresenceKeeper(SyncState state, IStreamPublisher publisher, HomeserverConfig config, TimeProvider clock, ILogger<PresenceKeeper> log)
    : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);
    /// <summary>Synapse: SYNC_ONLINE_TIMEOUT.</summary>
    private static readonly TimeSpan OfflineAfter = TimeSpan.FromSeconds(30);
    private readonly Dictionary<string, Syncing> users = new(StringComparer.Ordinal);
    private readonly Lock gate = new();

    private sealed class Syncing
    {
        public int Requests { get; set; }
        public long LastEnd { get; set; }
    }

    /// <summary>Tells that the user syncs, until disposed. Null: the client does not want to be seen.</summary>
    public async ValueTask<IDisposable?> BeginAsync(string userId, string wanted, CancellationToken ct)
    {
        if (!config.EnablePresence || wanted == "offline") return null;
        lock (gate)
        {
            if (!users.TryGetValue(userId, out var syncing)) users[userId] = syncing = new Syncing();
            syncing.Requests++;
        }
        var scope = new Scope(this, userId);
        await SetAsync(userId, wanted, ct);
        return scope;
    }

    private async ValueTask SetAsync(string userId, string wanted, CancellationToken ct)
    {
        PresenceRow? known;
        using (state.Read()) known = state.Presence.Of(userId);
        if (known?.Presence == wanted || (known is null && wanted == "offline")) return;
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var row = new PresenceRow(wanted, known?.StatusMsg, wanted == "online" ? now : known?.LastActiveTsMs ?? now, wanted == "online");
        await publisher.PublishEphemeralAsync(Streams.Presence, userId, row.Encode(), ct);
    }

    private void End(string userId)
    {
        lock (gate)
        {
            var syncing = users[userId];
            syncing.Requests--;
            syncing.LastEnd = clock.GetTimestamp();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!config.EnablePresence) return;
        using var timer = new PeriodicTimer(Period, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken)) await SweepAsync(stoppingToken);
    }

    private async Task SweepAsync(CancellationToken ct)
    {
        List<string> gone;
        lock (gate)
        {
            gone = [.. users.Where(u => u.Value.Requests == 0 && clock.GetElapsedTime(u.Value.LastEnd) > OfflineAfter).Select(u => u.Key)];
            foreach (var id in gone) users.Remove(id);
        }
        foreach (var id in gone)
        {
            try
            {
                await SetAsync(id, "offline", ct);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                LogFailed(log, id, e.Message);
            }
        }
    }

    private sealed class Scope(PresenceKeeper keeper, string userId) : IDisposable
    {
        private int ended;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref ended, 1) == 0) keeper.End(userId);
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Presence of {UserId} could not be told: {Reason}")]
    private static partial void LogFailed(ILogger log, string userId, string reason);
}
