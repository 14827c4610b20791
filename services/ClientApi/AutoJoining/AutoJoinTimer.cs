using Matrix.Web;

namespace Matrix.ClientApi.AutoJoining;

/// <summary>Takes up, once a minute, what was left undone. Every instance may: no two take the same account.</summary>
internal sealed class AutoJoinTimer(AutoJoins joins, TimeProvider clock, ILogger<AutoJoinTimer> log) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromMinutes(1);
    private readonly Rounds rounds = new("Joining of new users to their rooms", clock, log);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        joins.AreWanted ? rounds.EveryAsync(Every, RunAsync, stoppingToken, first: Every) : Task.CompletedTask;

    private async Task RunAsync(CancellationToken ct)
    {
        while (await joins.RunDueAsync(clock.GetUtcNow().ToUnixTimeMilliseconds(), ct)) { }
    }
}
