using Matrix.Sync.Users;

namespace Matrix.Sync.Engine;

/// <summary>Wakes the watchers of a room when somebody there has stopped typing by running out of time. One timer, set to the next one.</summary>
internal sealed class TypingClock : IDisposable
{
    private readonly SyncState state;
    private readonly TimeProvider clock;
    private readonly ITimer timer;
    private readonly PriorityQueue<string, long> due = new();
    private readonly Lock gate = new();

    public TypingClock(SyncState state, TimeProvider clock)
    {
        (this.state, this.clock) = (state, clock);
        timer = clock.CreateTimer(static c => ((TypingClock)c!).Fire(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    private long NowMs => clock.GetUtcNow().ToUnixTimeMilliseconds();

    public void Expect(string roomId, long expiresTsMs)
    {
        lock (gate)
        {
            due.Enqueue(roomId, expiresTsMs);
            SetTimer();
        }
    }

    private void SetTimer()
    {
        if (due.TryPeek(out _, out var next))
            timer.Change(TimeSpan.FromMilliseconds(Math.Max(1, next - NowMs)), Timeout.InfiniteTimeSpan);
    }

    private void Fire()
    {
        var rooms = new List<string>();
        var now = NowMs;
        lock (gate)
        {
            while (due.TryPeek(out var room, out var at) && at <= now)
            {
                due.Dequeue();
                rooms.Add(room);
            }
            SetTimer();
        }
        var woken = new HashSet<User>();
        using (state.Read())
        {
            foreach (var id in rooms)
            {
                if (!state.Rooms.TryGetValue(id, out var room)) continue;
                woken.UnionWith(room.Watchers);
                room.WakePeekers();
            }
        }
        foreach (var user in woken) user.Signal.Wake();
    }

    public void Dispose() => timer.Dispose();
}
