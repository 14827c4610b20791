using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Ephemeral;
using Matrix.Sync.Engine;
using Matrix.Web;

namespace Matrix.Sync.Presence;

/// <summary>
/// Presence of users who sync: online (or idle, by their clients' word or because they have done nothing for a while), offline a while after their last
/// request. The most present of a user's devices counts. Rows are written when something changes only. Spec: client-server-api/#presence
/// </summary>
internal sealed partial class PresenceKeeper(SyncState state, IStreamPublisher publisher, HomeserverConfig config, TimeProvider clock, ILogger<PresenceKeeper> log)
    : BackgroundService
{
    private const string Online = "online", Unavailable = "unavailable", Offline = "offline";
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);
    /// <summary>Synapse: SYNC_ONLINE_TIMEOUT.</summary>
    private static readonly TimeSpan OfflineAfter = TimeSpan.FromSeconds(30);
    /// <summary>Synapse: IDLE_TIMER.</summary>
    private const long IdleAfterMs = 5 * 60_000;
    /// <summary>Synapse: LAST_ACTIVE_GRANULARITY. Activity is told again when it is that much newer, and "now" for so long.</summary>
    private const long GranularityMs = 60_000;

    private readonly Rounds rounds = new("Telling of presence", clock, log);
    private readonly Dictionary<string, Syncing> users = new(StringComparer.Ordinal);
    private readonly Lock gate = new();

    private sealed class Syncing
    {
        public Dictionary<string, Device> Devices { get; } = new(StringComparer.Ordinal);
        /// <summary>When a client last said anew that the user is there, milliseconds.</summary>
        public long SeenMs { get; set; }
    }

    private sealed class Device
    {
        public string Wanted { get; set; } = "";
        public int Requests { get; set; }
        public long LastEnd { get; set; }
    }

    private long NowMs => clock.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Tells that the user syncs, until disposed. Null: the client does not want to be seen.</summary>
    public async ValueTask<IDisposable?> BeginAsync(string userId, string deviceId, string wanted, CancellationToken ct)
    {
        if (!config.EnablePresence || wanted == Offline) return null;
        bool isNew;
        lock (gate)
        {
            if (!users.TryGetValue(userId, out var syncing)) users[userId] = syncing = new Syncing();
            if (!syncing.Devices.TryGetValue(deviceId, out var device)) syncing.Devices[deviceId] = device = new Device();
            isNew = device.Wanted != wanted;
            device.Wanted = wanted;
            device.Requests++;
            if (isNew && wanted == Online) syncing.SeenMs = NowMs;
        }
        var scope = new Scope(this, userId, deviceId);
        try
        {
            // What the user has set himself stands until a client says something else.
            await TellAsync(userId, isBegin: isNew, ct);
        }
        catch
        {
            scope.Dispose();
            throw;
        }
        return scope;
    }

    private void End(string userId, string deviceId)
    {
        lock (gate)
        {
            var device = users[userId].Devices[deviceId];
            device.Requests--;
            device.LastEnd = clock.GetTimestamp();
        }
    }

    /// <summary>What the user is now, and when he was last active; he is forgotten once he is offline.</summary>
    private (string Presence, long ActiveMs) Now(string userId, PresenceRow? known, long activeMs)
    {
        lock (gate)
        {
            if (!users.TryGetValue(userId, out var syncing)) return (Offline, known?.LastActiveTsMs ?? 0);
            foreach (var (id, device) in syncing.Devices)
                if (device.Requests == 0 && clock.GetElapsedTime(device.LastEnd) > OfflineAfter) syncing.Devices.Remove(id);
            var active = Math.Max(Math.Max(syncing.SeenMs, activeMs), known?.LastActiveTsMs ?? 0);
            if (syncing.Devices.Count == 0)
            {
                users.Remove(userId);
                return (Offline, active);
            }
            var isOnline = syncing.Devices.Values.Any(d => d.Wanted == Online);
            return (isOnline && NowMs - active < IdleAfterMs ? Online : Unavailable, active);
        }
    }

    private async ValueTask TellAsync(string userId, bool isBegin, CancellationToken ct)
    {
        PresenceRow? known;
        long didMs;
        using (state.Read())
        {
            known = state.Presence.Of(userId);
            didMs = state.Users.TryGetValue(userId, out var user) ? user.LastActiveMs : 0;
        }
        var (presence, activeMs) = Now(userId, known, didMs);
        if (!IsNews(known, presence, activeMs, didMs, isBegin)) return;
        var row = new PresenceRow(presence, known?.StatusMsg, activeMs, presence == Online && NowMs - activeMs < GranularityMs);
        await publisher.PublishEphemeralAsync(Streams.Presence, userId, row.Encode(), ct);
    }

    private static bool IsNews(PresenceRow? known, string presence, long activeMs, long didMs, bool isBegin)
    {
        if (known is null) return presence != Offline;
        if (known.Presence == presence) return presence == Online && activeMs - known.LastActiveTsMs > GranularityMs;
        if (isBegin || presence == Offline || known.Presence == Offline) return true;
        // He did something since he became, or called himself, idle.
        return presence == Unavailable || didMs > known.LastActiveTsMs;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        config.EnablePresence ? rounds.EveryAsync(Period, SweepAsync, stoppingToken, first: Period) : Task.CompletedTask;

    private async Task SweepAsync(CancellationToken ct)
    {
        List<string> all;
        lock (gate) all = [.. users.Keys];
        foreach (var id in all)
        {
            try
            {
                await TellAsync(id, isBegin: false, ct);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                LogFailed(log, id, e.Message);
            }
        }
    }

    private sealed class Scope(PresenceKeeper keeper, string userId, string deviceId) : IDisposable
    {
        private int ended;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref ended, 1) == 0) keeper.End(userId, deviceId);
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Presence of {UserId} could not be told: {Reason}")]
    private static partial void LogFailed(ILogger log, string userId, string reason);
}
