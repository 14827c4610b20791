using Matrix.Storage;
using Matrix.Storage.Events;

namespace Matrix.EventPersister.Actors;

/// <summary>Whether what is in memory is what the database has: asked before anything is denied.</summary>
internal sealed class RoomHeads(Database database)
{
    public async Task<bool> IsAtAsync(long roomNid, long head) =>
        (await EventWriter.HeadsAsync(database, [roomNid], CancellationToken.None)).TryGetValue(roomNid, out var now) && now == head;
}
