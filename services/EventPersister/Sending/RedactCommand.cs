using Matrix.EventPersister.Actors;
using Matrix.Events;
using Matrix.Primitives;

namespace Matrix.EventPersister.Sending;

/// <summary>A redaction, and what it empties. Spec: client-server-api/#redactions</summary>
/// <param name="ownOnly">Whatever his power: a suspended user takes back what he said himself.</param>
internal sealed class RedactCommand(EventIntent intent, bool ownOnly, CancellationToken cancelled) : RoomCommand(intent.Sender, cancelled), ITransactional
{
    public string? DeviceId => intent.DeviceId;
    public string? TxnId => intent.TxnId;

    /// <summary>Whether it emptied what lets guests in. Known with the reply.</summary>
    public bool ClosesToGuests { get; private set; }

    public override async ValueTask<RoomReply> RunAsync(RoomTurn turn, CancellationToken ct)
    {
        var reply = await RedactAsync(turn, intent, ct, ownOnly);
        ClosesToGuests = reply.Error is null && (await turn.GetAsync(new StateKey(EventTypes.GuestAccess, ""), ct))?.EventId == intent.Redacts;
        return reply;
    }

    /// <summary>The event that a message of type m.room.redaction names in its content; null: it is none.</summary>
    public static string? TargetOf(in EventIntent intent) => intent is { Type: EventTypes.Redaction, StateKey: null } && CanonicalJson.ToArray(intent.Content.Span, out _, strict: false) is { } content
        ? new CanonicalObject(content).GetString("redacts"u8) : null;

    /// <summary>The content of such a message without the target, which the event gets where its version keeps it.</summary>
    public static byte[] WithoutTarget(ReadOnlyMemory<byte> content)
    {
        using var document = System.Text.Json.JsonDocument.Parse(content);
        return EventContent.Write(w => EventContent.CopyMembers(w, document.RootElement, "redacts"));
    }

    public static async ValueTask<RoomReply> RedactAsync(RoomTurn turn, EventIntent intent, CancellationToken ct, bool ownOnly = false)
    {
        var targetId = intent.Redacts!;
        var target = await turn.FindEventAsync(targetId, ct);
        if (target is not null)
        {
            if (target.RoomNid != turn.Room.RoomNid) return MatrixError.InvalidParam("Cannot redact an event of another room.");
            // Synapse: the two events that a room cannot do without.
            if (target.Pdu.Type == EventTypes.Create) return MatrixError.Forbidden("Redacting create events is not permitted.");
            if (target.Pdu.Type == EventTypes.ServerAcl) return MatrixError.Forbidden("Redacting server ACL events is not permitted.");
        }
        var levels = turn.PowerLevels;
        if (ownOnly || levels.Of(intent.Sender) < levels.Redact)
        {
            if (target is null) return MatrixError.NotFound($"Could not find event {targetId}");
            if (target.Pdu.Sender != intent.Sender) return MatrixError.Forbidden("You don't have permission to redact events of others.");
        }
        return RoomReply.Of(await turn.AppendAsync(intent with { RedactionTarget = target }, ct));
    }
}
