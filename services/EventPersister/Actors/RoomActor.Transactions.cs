namespace Matrix.EventPersister.Actors;

// What clients said before: the answers that their transactions had.
internal sealed partial class RoomActor
{
    /// <summary>The answer that a repeated transaction had.</summary>
    private RoomReply? Repeated(RoomTurn turn, RoomCommand command)
    {
        if (command is not ITransactional { TxnId: { } txn } send) return null;
        if (transactions.TryGetValue((send.DeviceId ?? "", command.Sender, txn), out var known)) return new RoomReply(null, known, Certain: true);
        return turn.TransactionOfTurn(send.DeviceId ?? "", command.Sender, txn) is { } id ? new RoomReply(null, id) : default(RoomReply?);
    }

    private void Remember(RoomTurn turn)
    {
        if (turn.Transactions is not { } made) return;
        foreach (var (key, eventId) in made) Remember(key, eventId);
    }

    private void Remember((string Device, string Sender, string Txn) key, string eventId)
    {
        if (!transactions.TryAdd(key, eventId)) return;
        transactionAges.Enqueue(key);
        if (transactionAges.Count > MaxTransactions) transactions.Remove(transactionAges.Dequeue());
    }
}

/// <summary>A command that a client may repeat under the same identifier.</summary>
internal interface ITransactional
{
    string? DeviceId { get; }
    string? TxnId { get; }
}
