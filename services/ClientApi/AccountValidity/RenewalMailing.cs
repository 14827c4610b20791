using Matrix.Web;

namespace Matrix.ClientApi.AccountValidity;

/// <summary>Looks now and then who has to be asked. Any number of instances may: each user is claimed by one.</summary>
internal sealed class RenewalMailing(Renewals renewals, TimeProvider clock, ILogger<RenewalMailing> log) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromMinutes(10);
    private readonly Rounds rounds = new("Mailing about ending accounts", clock, log);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => rounds.EveryAsync(Every, RunAsync, stoppingToken);

    private async Task RunAsync(CancellationToken ct)
    {
        while (await renewals.SendDueAsync(ct) > 0) { }
    }
}
