using System.Collections.Concurrent;
using Matrix.Storage.Accounts;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Matrix.Web.Auth;

/// <summary>
/// Notes which devices make requests, and writes that down now and then: one statement for all of them, never one for a request. What a process that dies had
/// noted in the last minute is lost, and nothing else.
/// </summary>
public sealed partial class SeenDevices(DeviceSeenStore store, TimeProvider clock, ILogger<SeenDevices> log) : BackgroundService
{
    private const int MaxDevices = 50_000;
    private const int MaxUserAgent = 500;
    private static readonly TimeSpan Every = TimeSpan.FromMinutes(1);
    private ConcurrentDictionary<(string User, string Device), DeviceSeen> noted = new();

    public void Note(Requester requester, HttpContext context)
    {
        // Synapse: bridges are not tracked.
        if (requester.DeviceId.Length == 0 || requester.AppServiceId is not null) return;
        var now = noted;
        var key = (requester.UserId.Value, requester.DeviceId);
        var ts = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var address = ClientAddress.Of(context).Text;
        if (now.TryGetValue(key, out var before) && before.Ip == address && ts - before.TsMs < 1000) return;
        // Bounded: who comes when it is full is noted after the next writing.
        if (before is null && now.Count >= MaxDevices) return;
        string? agent = context.Request.Headers.UserAgent;
        now[key] = new DeviceSeen(requester.UserId.Value, requester.DeviceId, ts, address, agent is { Length: > MaxUserAgent } ? agent[..MaxUserAgent] : agent);
    }

    /// <summary>Writes what was noted.</summary>
    public async Task FlushAsync(CancellationToken ct)
    {
        if (noted.IsEmpty) return;
        await store.SaveAsync([.. Interlocked.Exchange(ref noted, new()).Values], ct);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) await TryFlushAsync(stoppingToken);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await TryFlushAsync(CancellationToken.None);
        }
    }

    private async Task TryFlushAsync(CancellationToken ct)
    {
        try
        {
            await FlushAsync(ct);
        }
        catch (NpgsqlException e)
        {
            LogNotWritten(log, e.Message);
        }
    }

    [LoggerMessage(20, LogLevel.Warning, "Where devices were last seen could not be written: {Reason}")]
    private static partial void LogNotWritten(ILogger log, string reason);
}
