using Matrix.EventPersister.Actors;

namespace Matrix.EventPersister.Sending;

/// <summary>One event, message or state, of a user.</summary>
internal sealed class SendCommand(EventIntent intent, CancellationToken cancelled) : RoomCommand(intent.Sender, cancelled), ITransactional
{
    public string? DeviceId => intent.DeviceId;
    public string? TxnId => intent.TxnId;

    public override ValueTask<RoomReply> RunAsync(RoomTurn turn, CancellationToken ct)
    {
        var appended = turn.AppendAsync(intent, ct);
        return appended.IsCompletedSuccessfully ? ValueTask.FromResult(RoomReply.Of(appended.Result)) : Awaited(appended);

        static async ValueTask<RoomReply> Awaited(ValueTask<Appended> appended) => RoomReply.Of(await appended);
    }
}
