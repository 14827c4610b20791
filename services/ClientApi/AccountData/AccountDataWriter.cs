using Matrix.Replication;
using Matrix.Storage.AccountData;
using Matrix.Storage.Streams;

namespace Matrix.ClientApi.AccountData;

/// <summary>Writes account data and announces it.</summary>
internal sealed class AccountDataWriter(AccountDataStore store, IStreamPublisher publisher)
{
    public async Task SetAsync(string userId, string roomId, string type, ReadOnlyMemory<byte> content, CancellationToken ct) =>
        await publisher.PublishAllAsync(await store.SetAsync(userId, roomId, type, content, ct));

    public async Task DeleteAsync(string userId, string roomId, string type, CancellationToken ct) =>
        await publisher.PublishAllAsync(await store.DeleteAsync(userId, roomId, type, ct));

    /// <summary>As <see cref="AccountDataStore.UpdateAsync"/>.</summary>
    public async Task UpdateAsync(
        string userId, string roomId, string type, Func<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>?> change, CancellationToken ct) =>
        await publisher.PublishAllAsync(await store.UpdateAsync(userId, roomId, type, change, ct));

    public async Task<MarkerResult> SetFullyReadAsync(string userId, string roomId, string eventId, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        var (result, batches) = await store.SetFullyReadAsync(userId, roomId, eventId, content, ct);
        await publisher.PublishAllAsync(batches);
        return result;
    }
}
