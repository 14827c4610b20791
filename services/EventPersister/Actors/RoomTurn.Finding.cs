using Matrix.Events;
using Matrix.Storage.Events;

namespace Matrix.EventPersister.Actors;

internal sealed partial class RoomTurn
{
    /// <summary>An event of this turn, or of the database, whatever its room; null: it is not here.</summary>
    public async ValueTask<StoredEvent?> FindEventAsync(string eventId, CancellationToken ct) =>
        EventOfTurn(eventId) ?? (await storage.Events.ByIdsAsync([eventId], ct)).FirstOrDefault();

    /// <summary>The root of the thread that an event with this relation is in; null: it is in the main timeline.</summary>
    /// <param name="parent">What it relates to; null: that is not here.</param>
    public async ValueTask<string?> ThreadRootAsync(EventRelation relation, StoredEvent? parent, CancellationToken ct)
    {
        var walk = new ThreadWalk(relation);
        while (walk.Next is { } id)
        {
            var e = id == relation.ParentId ? parent : await FindEventAsync(id, ct);
            walk.Step(e?.RoomNid == room.RoomNid ? EventRelation.Read(e.Pdu) : null);
        }
        return walk.Root;
    }

    /// <summary>An event of this turn that is not in the database yet.</summary>
    private StoredEvent? EventOfTurn(string eventId)
    {
        foreach (var e in events)
            if (e.Pdu.EventId == eventId)
                return new StoredEvent
                {
                    EventNid = e.EventNid, RoomNid = room.RoomNid, Position = null, Flags = e.Flags, SnapshotNid = null, ReceivedTsMs = e.ReceivedTsMs, Pdu = e.Pdu,
                };
        return null;
    }
}
