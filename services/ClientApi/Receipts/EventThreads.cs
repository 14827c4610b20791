using Matrix.Events;
using Matrix.Storage.Events;

namespace Matrix.ClientApi.Receipts;

/// <summary>Which thread an event belongs to. Spec: client-server-api/#threaded-read-receipts</summary>
internal sealed class EventThreads(EventReader events)
{
    public const string Main = "main";
    /// <summary>The specification recommends as many.</summary>
    private const int MaxHops = 3;

    /// <summary>
    /// Whether a receipt for that event may name the thread: its own, by way of what it relates to, or the one that it begins. Of what is not here, or was
    /// redacted, that is not known, and the client believed.
    /// </summary>
    public async Task<bool> IsInAsync(string roomId, string eventId, string threadId, CancellationToken ct)
    {
        var id = eventId;
        for (var hop = 0; hop <= MaxHops; hop++)
        {
            var e = (await events.ByIdsAsync([id], ct)).FirstOrDefault(e => e.Pdu.RoomId == roomId);
            if (e is null or { RedactedBy: not null }) return true;
            if (EventRelation.Read(e.Pdu) is not { } relation) break;
            if (relation.RelType == RelationTypes.Thread) return relation.ParentId == threadId;
            id = relation.ParentId;
        }
        return threadId == Main || id == threadId;
    }
}
