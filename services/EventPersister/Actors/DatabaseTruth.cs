using Matrix.Storage;
using Matrix.Storage.Events;

namespace Matrix.EventPersister.Actors;

/// <summary>What the database has to say before anything is denied from memory.</summary>
internal sealed class DatabaseTruth(Database database)
{
    /// <summary>Whether the room in memory is the room.</summary>
    public async Task<bool> IsAtAsync(long roomNid, long head) =>
        (await EventWriter.HeadsAsync(database, [roomNid], CancellationToken.None)).TryGetValue(roomNid, out var now) && now == head;

    /// <summary>The event that a transaction made, here or elsewhere; null: none.</summary>
    public async Task<string?> EventOfTransactionAsync(TransactionKey key) =>
        (await EventWriter.KnownAsync(database, [key], CancellationToken.None)).GetValueOrDefault(key);
}
