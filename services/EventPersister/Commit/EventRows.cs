using Matrix.Replication;
using Matrix.Storage.Events;

namespace Matrix.EventPersister.Commit;

/// <summary>Events as the stream carries them.</summary>
internal static class EventRows
{
    public static StreamRow Of(RoomCommit room, NewEvent e, long position)
    {
        var row = new EventRow
        {
            Position = position, RoomNid = room.RoomNid, EventNid = e.EventNid, RoomId = room.RoomId, EventId = e.Pdu.EventId,
            RoomVersion = room.Version, Type = e.Pdu.Type, Sender = e.Pdu.Sender, StateKey = e.Pdu.StateKey, Flags = e.Flags,
            ReceivedTsMs = e.ReceivedTsMs, TxnDeviceId = e.TxnId is null ? null : e.TxnDeviceId, TxnId = e.TxnId,
            ReplacesEventId = e.Replaced?.EventId, PrevSender = e.Replaced?.Sender, PrevContent = e.Replaced?.Content ?? default,
            Redacts = e.Redacts, IsCurrentState = e.IsCurrentState, Moves = e.Moves, ReadRoot = e.ReadRoot, Json = e.Pdu.Json,
        };
        return new StreamRow(position, room.RoomId, row.Encode());
    }
}
