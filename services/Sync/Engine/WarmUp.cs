using System.Text.Json;
using Matrix.Events;
using Matrix.Storage.Sync;
using Matrix.Sync.Answers;
using Matrix.Sync.Sliding;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Matrix.Sync.Engine;

/// <summary>
/// Answers a request of each kind for some user before the first client comes, and throws the answers away: code is compiled when it is used first, which takes
/// longer than an answer. The process calls itself ready afterwards, so that others answer meanwhile.
/// </summary>
internal sealed partial class WarmUp(
    SyncReader reader, SyncHandler sync, SlidingHandler sliding, IHostApplicationLifetime lifetime, TimeProvider clock, ILogger<WarmUp> log)
    : BackgroundService, IHealthCheck
{
    private const string DeviceId = "warm-up";
    /// <summary>Late is better than never: a database that hangs must not keep the process from being used.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly byte[] Request =
        """
        {"lists": {"all": {"ranges": [[0, 19]], "timeline_limit": 10, "required_state": [["m.room.encryption", ""], ["m.room.member", "$LAZY"], ["m.room.name", ""]],
          "filters": {"not_room_types": ["m.space"]}}},
         "extensions": {"to_device": {"enabled": true}, "e2ee": {"enabled": true}, "account_data": {"enabled": true}, "receipts": {"enabled": true}, "typing": {"enabled": true}}}
        """u8.ToArray();

    private volatile bool isOver;

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(isOver ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("Warming up."));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The streams are followed from then on.
        await Task.Delay(Timeout.InfiniteTimeSpan, lifetime.ApplicationStarted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        enough.CancelAfter(Patience);
        var begun = clock.GetTimestamp();
        try
        {
            if (await reader.SomeMemberAsync(enough.Token) is { } member) await RehearseAsync(member.UserId, member.RoomId, enough.Token);
            LogWarm(log, clock.GetElapsedTime(begun));
        }
        catch (Exception e)
        {
            if (!stoppingToken.IsCancellationRequested) LogCold(log, e.Message);
        }
        finally
        {
            isOver = true;
        }
    }

    public async Task RehearseAsync(string userId, string roomId, CancellationToken ct)
    {
        using var body = JsonDocument.Parse(Request);
        var request = new SlidingRequestReader(userId, isStable: false).Read(body.RootElement, DeviceId);
        (await sliding.RehearseAsync(request, ct)).Dispose();
        var oneRoom = Filter.Parse(JsonSerializer.SerializeToUtf8Bytes(new { room = new { rooms = new[] { roomId } } })).Value!;
        (await sync.HandleAsync(new SyncRequest(userId, DeviceId, oneRoom, null, FullState: false, UseStateAfter: false), TimeSpan.Zero, ct)).Dispose();
    }

    [LoggerMessage(10, LogLevel.Information, "Warmed up in {Elapsed}")]
    private static partial void LogWarm(ILogger log, TimeSpan elapsed);

    [LoggerMessage(11, LogLevel.Warning, "Not warmed up: {Reason}")]
    private static partial void LogCold(ILogger log, string reason);
}
