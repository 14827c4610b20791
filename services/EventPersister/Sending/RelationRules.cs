using Matrix.EventPersister.Actors;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Storage.Relations;

namespace Matrix.EventPersister.Sending;

/// <summary>
/// Relations that a client may not make. Spec: client-server-api/#avoiding-duplicate-annotations, #validation-of-mthread-relationships
/// </summary>
internal sealed class RelationRules(RelationReader relations)
{
    /// <summary>Asked in the room's turn, so that two equal annotations at once are one. Null: nothing is wrong.</summary>
    /// <param name="parent">What it relates to; null: that is not here.</param>
    public async ValueTask<MatrixError?> RefusalAsync(RoomTurn turn, EventIntent intent, EventRelation relation, StoredEvent? parent, CancellationToken ct)
    {
        // Synapse: what is not here may well be known to the client.
        if (parent is not null && parent.RoomNid != turn.Room.RoomNid) return MatrixError.Unknown(400, "Relations must be in the same room");
        return relation.RelType switch
        {
            RelationTypes.Thread when parent is not null && EventRelation.Read(parent.Pdu) is not null =>
                MatrixError.Unknown(400, "Cannot start threads from an event with a relation"),
            RelationTypes.Annotation when await HasAnnotationAsync(turn, intent, relation, ct) =>
                MatrixError.Custom(400, "M_DUPLICATE_ANNOTATION", "Can't send same reaction twice"),
            _ => null,
        };
    }

    private async ValueTask<bool> HasAnnotationAsync(RoomTurn turn, EventIntent intent, EventRelation relation, CancellationToken ct)
    {
        foreach (var e in turn.Events)
            if (e.Pdu.Sender == intent.Sender && e.Pdu.Type == intent.Type && EventRelation.Read(e.Pdu) == relation) return true;
        return await relations.HasAnnotationAsync(turn.Room.RoomNid, relation.ParentId, intent.Type, intent.Sender, relation.Key, ct);
    }
}
