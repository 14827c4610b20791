using Matrix.EventPersister.Actors;
using Matrix.Events;

namespace Matrix.EventPersister.Sending;

/// <summary>One event, message or state, of a user.</summary>
/// <param name="rules">Null: relations are not looked at.</param>
internal sealed class SendCommand(EventIntent intent, CancellationToken cancelled, RelationRules? rules = null) : RoomCommand(intent.Sender, cancelled), ITransactional
{
    public string? DeviceId => intent.DeviceId;
    public string? TxnId => intent.TxnId;

    public override ValueTask<RoomReply> RunAsync(RoomTurn turn, CancellationToken ct)
    {
        if (rules is not null && EventRelation.OfContent(intent.Content.Span) is { } relation) return RelatedAsync(turn, relation, ct);
        var appended = turn.AppendAsync(intent, ct);
        return appended.IsCompletedSuccessfully ? ValueTask.FromResult(RoomReply.Of(appended.Result)) : Awaited(appended);

        static async ValueTask<RoomReply> Awaited(ValueTask<Appended> appended) => RoomReply.Of(await appended);
    }

    private async ValueTask<RoomReply> RelatedAsync(RoomTurn turn, EventRelation relation, CancellationToken ct)
    {
        var parent = await turn.FindEventAsync(relation.ParentId, ct);
        if (await rules!.RefusalAsync(turn, intent, relation, parent, ct) is { } refusal) return refusal;
        return RoomReply.Of(await turn.AppendAsync(intent with { ReadRoot = await turn.ThreadRootAsync(relation, parent, ct) }, ct));
    }
}
