using System.Diagnostics.Metrics;
using Matrix.ServiceDefaults;
using Matrix.Sync.Rooms;
using Matrix.Sync.Sliding;
using Matrix.Sync.Store;
using Matrix.Sync.Users;
using Matrix.Web;

namespace Matrix.Sync.Engine;

/// <summary>
/// Keeps rooms and users within the memory budget of the process: beyond it the coldest go, down to nine tenths. Users that a request holds stay;
/// those that nobody has asked for in a while go in any case, so that their rooms need not be followed.
/// </summary>
internal sealed partial class CacheKeeper : BackgroundService
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan PrunePeriod = TimeSpan.FromMinutes(10), ConnectionUnused = TimeSpan.FromDays(30);
    private static readonly TimeSpan UserIdle = TimeSpan.FromMinutes(30);
    /// <summary>The rest is for what other parts of the process cache.</summary>
    private const double Share = 0.7;

    /// <summary>Connections of sliding sync may have this part of what is left, once memory is short.</summary>
    private const int ConnectionsShare = 8;

    private readonly SyncState state;
    private readonly UserTable users;
    private readonly Connections connections;
    private readonly ISyncStore store;
    private readonly TimeProvider clock;
    private readonly ILogger<CacheKeeper> log;
    private readonly long budget;
    private long bytes;

    public CacheKeeper(
        SyncState state, UserTable users, Connections connections, ISyncStore store, HomeserverConfig config, IMeterFactory meters, TimeProvider clock, ILogger<CacheKeeper> log)
    {
        (this.state, this.users, this.connections, this.store, this.clock, this.log) = (state, users, connections, store, clock, log);
        budget = (long)(config.CacheBudgetBytes * Share);
        var meter = meters.Create("Armada.Sync");
        meter.CreateObservableGauge("armada.sync.cache.size", () => Volatile.Read(ref bytes), "By", "Rooms and users in memory");
        meter.CreateObservableGauge("armada.sync.cache.rooms", () => Count(s => s.Rooms.Count), "{room}", "Rooms that are followed");
        meter.CreateObservableGauge("armada.sync.cache.users", () => Count(s => s.Users.Count), "{user}", "Users in memory");
    }

    private int Count(Func<SyncState, int> of)
    {
        using (state.Read()) return of(state);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(
        new Rounds("Keeping within memory", clock, log).EveryAsync(Period, SweepAsync, stoppingToken, first: Period),
        new Rounds("Forgetting of unused connections of sliding sync", clock, log).EveryAsync(PrunePeriod, PruneAsync, stoppingToken, first: PrunePeriod));

    /// <summary>Connections of sliding sync that nobody has used for long; every instance may do it.</summary>
    private Task PruneAsync(CancellationToken ct) => store.PruneSlidingAsync(state.NowMs - (long)ConnectionUnused.TotalMilliseconds, ct);

    private Task SweepAsync(CancellationToken ct)
    {
        Sweep();
        return Task.CompletedTask;
    }

    public void Sweep()
    {
        DropIdleUsers();
        using (state.Write()) state.Typing.Prune(state.NowMs, state.Rooms.ContainsKey);
        var total = Measure();
        if (total > budget) LogEvicting(log, total, Evict(budget / 10 * 9));
        Volatile.Write(ref bytes, Measure());
    }

    private long Measure()
    {
        using (state.Read())
            return state.Rooms.Values.Sum(r => 512 + (r.Cache?.Bytes ?? 0)) + state.Users.Values.Sum(u => u.Bytes) + connections.Bytes;
    }

    private void DropIdleUsers()
    {
        List<User> idle;
        using (state.Read()) idle = [.. state.Users.Values.Where(u => u.IsReady && !u.IsPinned && clock.GetElapsedTime(u.LastUsed) > UserIdle)];
        foreach (var user in idle) TryDrop(user);
    }

    private bool TryDrop(User user)
    {
        using (state.Write())
        {
            if (user.IsPinned) return false;
            users.Drop(user);
            return true;
        }
    }

    /// <summary>The coldest go until that many bytes are left; how many went.</summary>
    public int Evict(long toBytes)
    {
        // Another instance may have gone on with these: they are read again where they are needed.
        connections.Trim(toBytes / ConnectionsShare);
        var total = Measure();
        List<(long LastUsed, long Bytes, Room? Room, User? User)> all;
        using (state.Read())
        {
            all = [.. state.Rooms.Values.Where(r => r.Cache is not null).Select(r => (r.Cache!.LastUsed, r.Cache.Bytes, (Room?)r, (User?)null)),
                .. state.Users.Values.Where(u => u.IsReady && !u.IsPinned).Select(u => (u.LastUsed, u.Bytes, (Room?)null, (User?)u))];
        }
        all.Sort((a, b) => a.LastUsed.CompareTo(b.LastUsed));
        var evicted = 0;
        foreach (var (_, size, room, user) in all)
        {
            if (total <= toBytes) break;
            if (user is not null && !TryDrop(user)) continue;
            if (room is not null)
                using (state.Write())
                {
                    room.Cache = null;
                    state.DropIfUnused(room);
                }
            total -= size;
            evicted++;
        }
        return evicted;
    }

    [LoggerMessage(1, LogLevel.Information, "Memory budget reached with {Bytes} bytes: {Count} of the coldest rooms and users were evicted")]
    private static partial void LogEvicting(ILogger log, long bytes, int count);
}
