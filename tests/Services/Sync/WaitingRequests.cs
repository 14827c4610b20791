using System.Diagnostics;
using Matrix.ServiceTests.Hosting;
using Matrix.Sync.Engine;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.Sync;

/// <summary>Looks into a Sync: does a request of that user wait there?</summary>
internal sealed class WaitingRequests(ServiceHost host)
{
    private readonly SyncState state = host.Services.GetRequiredService<SyncState>();

    public bool Any(string userId)
    {
        using (state.Read()) return state.Users.TryGetValue(userId, out var user) && user.Signal.HasWaiters;
    }

    public async Task UntilAsync(string userId, bool waiting)
    {
        var clock = Stopwatch.StartNew();
        while (Any(userId) != waiting)
        {
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), "never");
            await Task.Yield();
        }
    }
}
