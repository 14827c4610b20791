using Matrix.Storage.Keys;
using Matrix.Sync.Store;
using Matrix.Sync.Users;

namespace Matrix.Sync.Encryption;

/// <summary>
/// What a client needs to hear for end-to-end encryption, whichever kind of sync asks. In the steady state all of it comes from memory.
/// Spec: client-server-api/#e2e-extensions-to-sync
/// </summary>
internal sealed class EncryptionNews(ISyncStore store)
{
    /// <summary>What the device has left, as of now; in the form of /sync v3 it is <see cref="KeyCounts.Json"/> afterwards.</summary>
    public async ValueTask<DeviceKeyCounts> RefreshCountsAsync(User user, Device device, string deviceId, CancellationToken ct)
    {
        var keys = device.Keys;
        if (keys.IsKnown) return keys.Counts;
        var version = keys.Version;
        var counts = await store.KeyCountsAsync(user.Id, deviceId, ct);
        keys.Set(version, counts);
        return counts;
    }
}
