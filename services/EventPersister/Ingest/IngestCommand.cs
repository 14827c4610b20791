using Matrix.EventPersister.Actors;
using Matrix.Events;
using Matrix.Rooms.Ingest;

namespace Matrix.EventPersister.Ingest;

/// <summary>An event that has passed the checks which need no room.</summary>
/// <param name="StatesBefore">
/// Ids of the states after those of its parents that cannot be had, as another server tells them; null: none was needed, or one was not told.
/// </param>
internal sealed record IncomingPdu(Pdu Pdu, IReadOnlyList<IReadOnlyCollection<string>>? StatesBefore = null);

/// <summary>
/// Events of other servers for a room, parents before children. Runs in a turn of its own: what it does to the room is not taken back but with the whole
/// room.
/// </summary>
/// <param name="newRoomVersion">Not null: a room that is not known begins.</param>
internal sealed class IngestCommand(IngestMode mode, IReadOnlyList<IncomingPdu> pdus, RoomVersion? newRoomVersion, CancellationToken cancelled)
    : RoomCommand("", cancelled)
{
    public IngestMode Mode => mode;
    public override bool RunsAlone => true;
    public override RoomVersion? NewRoomVersion => newRoomVersion;
    public IReadOnlyList<IngestedPdu> Verdicts { get; private set; } = [];

    public override async ValueTask<RoomReply> RunAsync(RoomTurn turn, CancellationToken ct)
    {
        var ingest = new IngestTurn(turn.Room, turn.Storage, turn.Server, turn.NowMs, mode, turn.Policy);
        turn.Take(ingest);
        Verdicts = await ingest.RunAsync(pdus, ct);
        string? last = null;
        foreach (var e in ingest.Events) if (e.Place == Storage.Events.EventPlace.Stream) last = e.Pdu.EventId;
        return new RoomReply(null, last, Certain: true);
    }
}
