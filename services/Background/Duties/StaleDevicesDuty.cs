using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Storage.Streams;

namespace Matrix.Background.Duties;

/// <summary>Logs out devices that nobody has used for long. Synapse: <c>delete_stale_devices_after</c></summary>
internal sealed class StaleDevicesDuty(StaleDeviceStore stale, DeviceStore devices, IStreamPublisher publisher, HomeserverConfig config, TimeProvider clock) : IBackgroundDuty
{
    private const int Portion = 500;

    public string Name => "delete_stale_devices";
    public TimeSpan Interval => TimeSpan.FromDays(1);

    public async Task<int> RunAsync(CancellationToken ct)
    {
        if (config.Accounts.DeleteDevicesAfter is not { } age) return 0;
        var found = await stale.FindAsync((clock.GetUtcNow() - age).ToUnixTimeMilliseconds(), Portion, ct);
        foreach (var user in found.GroupBy(d => d.UserId, StringComparer.Ordinal))
            await publisher.PublishAllAsync(await devices.DeleteAsync(user.Key, [.. user.Select(d => d.DeviceId)], ct));
        return found.Count < Portion ? 0 : found.Count;
    }
}
