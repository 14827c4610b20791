using System.Collections.Concurrent;
using Matrix.Testing;

namespace Matrix.Unit.Sync;

/// <summary>An answer about very many rooms does not keep the thread that short ones wait for.</summary>
public class LongAnswerTests
{
    private const int RoomsPerTurn = 64;
    private static readonly TestUser Alice = TestServer.Named("one.example").User("alice");

    [Fact]
    public async Task A_first_answer_gives_the_thread_up_between_portions_of_rooms()
    {
        await using var host = await new SyncHost().StartAsync();
        var rooms = Enumerable.Range(0, (2 * RoomsPerTurn) + 2).Select(_ => Room.Version("11").With(Alice)).ToList();
        foreach (var room in rooms) await host.PublishAsync(host.Store.Commit(room));
        await host.SettleAsync();
        // From here on nothing is loaded: the thread is given up because somebody thought of it.
        await host.SyncAsync(Alice);
        host.Store.Forget();
        var before = host.Time.GetTimestamp();
        new OneThread(() => host.Time.Advance(TimeSpan.FromTicks(1))).Run(() => host.SyncAsync(Alice));
        var turns = host.State.Rooms.Values.Where(r => r.Cache!.LastUsed > before).GroupBy(r => r.Cache!.LastUsed).Select(t => t.Count()).ToList();
        Assert.Equal(rooms.Count, turns.Sum());
        Assert.InRange(turns.Max(), 1, RoomsPerTurn);
    }

    /// <summary>Runs what is posted on the thread of the test, one after the other.</summary>
    /// <param name="turned">Before each.</param>
    private sealed class OneThread(Action turned) : SynchronizationContext
    {
        /// <summary>Reached where nobody will ever post again.</summary>
        private static readonly TimeSpan Never = TimeSpan.FromMinutes(1);
        private readonly BlockingCollection<(SendOrPostCallback Callback, object? State)> posted = [];

        public override void Post(SendOrPostCallback d, object? state) => posted.Add((d, state));

        public void Run(Func<Task> work)
        {
            var outer = Current;
            SetSynchronizationContext(this);
            try
            {
                turned();
                var running = work();
                while (!running.IsCompleted)
                {
                    Assert.True(posted.TryTake(out var next, Never), "nothing goes on");
                    turned();
                    next.Callback(next.State);
                }
                running.GetAwaiter().GetResult();
            }
            finally
            {
                SetSynchronizationContext(outer);
            }
        }
    }
}
