using Matrix.Events;
using Matrix.Storage.Events;

namespace Matrix.ClientApi.Receipts;

/// <summary>Which thread an event belongs to. Spec: client-server-api/#threaded-read-receipts</summary>
internal sealed class EventThreads(EventReader events)
{
    /// <summary>
    /// Whether a receipt for that event may name the thread: its own, by way of what it relates to, or the one that it begins. Of what is not here, or was
    /// redacted, that is not known, and the client believed.
    /// </summary>
    public async Task<bool> IsInAsync(string roomId, string eventId, string threadId, CancellationToken ct)
    {
        if (await FindAsync(roomId, eventId, ct) is not { } e) return true;
        var (walk, last) = (new ThreadWalk(EventRelation.Read(e.Pdu)), eventId);
        while (walk.Next is { } id)
        {
            if (await FindAsync(roomId, last = id, ct) is not { } parent) return true;
            walk.Step(EventRelation.Read(parent.Pdu));
        }
        return walk.Root is { } root ? root == threadId : threadId == ThreadWalk.Main || threadId == last;
    }

    private async Task<StoredEvent?> FindAsync(string roomId, string eventId, CancellationToken ct) =>
        (await events.ByIdsAsync([eventId], ct)).FirstOrDefault(e => e.Pdu.RoomId == roomId && e.RedactedBy is null);
}
