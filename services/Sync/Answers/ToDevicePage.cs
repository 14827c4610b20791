using Matrix.Storage.Sync;
using Matrix.Sync.Store;

namespace Matrix.Sync.Answers;

/// <summary>Messages for the reader's device.</summary>
/// <param name="UpTo">Position up to which they are all there.</param>
internal readonly record struct ToDevicePage(List<ToDeviceMessage> Messages, long UpTo)
{
    public static async Task<ToDevicePage> ReadAsync(ISyncStore store, Reader reader, long after, long upTo, int limit, CancellationToken ct)
    {
        Task<List<ToDeviceMessage>> GetAsync(long to, int most) => store.ToDeviceAsync(reader.User.Id, reader.Request.DeviceId, after, to, most, ct);

        var messages = await GetAsync(upTo, limit + 1);
        if (messages.Count <= limit) return new(messages, upTo);
        // The token says up to where messages were told: a position is told whole or not at all.
        var next = messages[^1].Position;
        if (messages[0].Position == next) return new(await GetAsync(next, int.MaxValue), next);
        messages.RemoveAll(m => m.Position == next);
        return new(messages, messages[^1].Position);
    }
}
