using Matrix.Storage.Sync;
using Matrix.Sync.Store;

namespace Matrix.Sync.Answers;

/// <summary>Messages for the reader's device.</summary>
/// <param name="UpTo">Position up to which they are all there.</param>
internal readonly record struct ToDevicePage(List<ToDeviceMessage> Messages, long UpTo)
{
    public static async Task<ToDevicePage> ReadAsync(ISyncStore store, Reader reader, long after, long upTo, int limit, CancellationToken ct)
    {
        var messages = await store.ToDeviceAsync(reader.User.Id, reader.Request.DeviceId, after, upTo, limit, ct);
        if (messages.Count < limit) return new(messages, upTo);
        // The token says up to where messages were told; a position is told whole or not at all.
        var last = messages[^1].Position;
        if (messages[0].Position != last) messages.RemoveAll(m => m.Position == last);
        return new(messages, messages[^1].Position);
    }
}
