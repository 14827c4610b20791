using Matrix.EventPersister.Actors;
using Matrix.EventPersister.Sending;
using Matrix.Events;

namespace Matrix.EventPersister.Rooms;

/// <summary>
/// Makes the new room within the old room's turn, so that each can name the other: the tombstone is built, the room that cites it is created, then the
/// tombstone is written. When the creation fails the tombstone is taken back. In versions where the room's id follows from its create event the room
/// comes first and cites the last event before.
/// </summary>
/// <param name="plan">From the new room's id (null: not known yet) and the id of the event that its predecessor names.</param>
internal sealed class UpgradeCommand(
    string userId, RoomVersion version, RoomCreation creation, Func<string?, string?, RoomPlan> plan, CancellationToken cancelled) : RoomCommand(userId, cancelled)
{
    public string? NewRoom { get; private set; }

    public override async ValueTask<RoomReply> RunAsync(RoomTurn turn, CancellationToken ct)
    {
        if (version.RoomIdIsCreateHash)
        {
            NewRoom ??= await creation.CreateAsync(plan(null, turn.Room.Extremities is { Count: > 0 } tips ? tips[^1].EventId : null), ct);
            return RoomReply.Of(await turn.AppendAsync(Tombstone(NewRoom), ct));
        }
        // A second run, after another persister moved the old room, has another tombstone and so needs another room.
        var newRoom = creation.NewRoomId();
        var tombstone = await turn.AppendAsync(Tombstone(newRoom), ct);
        if (tombstone.Error is not null) return RoomReply.Of(tombstone);
        NewRoom = await creation.CreateAsync(plan(newRoom, tombstone.EventId), ct);
        return RoomReply.Of(tombstone);
    }

    private EventIntent Tombstone(string newRoom) => new(EventTypes.Tombstone, "", Sender, EventContent.Write(w =>
    {
        w.WriteString("body", "This room has been replaced");
        w.WriteString("replacement_room", newRoom);
    }));
}
