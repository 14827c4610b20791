using Matrix.ServiceDefaults;
using Matrix.Storage.Instances;
using Matrix.Web;

namespace Matrix.ClientApi.ServerNotices;

/// <summary>Goes the rounds once a minute, in one instance: the one that holds the lease.</summary>
internal sealed class NoticeTimer(NoticeRounds notices, LeaseStore leases, InstanceIdentity me, TimeProvider clock, ILogger<NoticeTimer> log) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromMinutes(1);
    private readonly Rounds rounds = new("Sending of server notices", clock, log);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        notices.AreNeeded ? rounds.EveryAsync(Every, RunAsync, stoppingToken, first: Every) : Task.CompletedTask;

    private async Task RunAsync(CancellationToken ct)
    {
        if (await leases.TryTakeAsync("clientapi:server_notices", me.Name, 2 * Every, ct)) await notices.RunAsync(ct);
    }
}
