using Matrix.EventPersister.Actors;
using Matrix.EventPersister.Membership;
using Matrix.EventPersister.Profiles;
using Matrix.Primitives;
using Matrix.Rooms.Writing;

namespace Matrix.EventPersister.Rpc;

/// <summary>Writes through the actors of this process.</summary>
internal sealed class LocalRoomWriter(RoomActors actors, MembershipChanges memberships, ProfileCache profiles) : IRoomWriter
{
    public async Task<RoomWriteResult> SendAsync(RoomWrite write, CancellationToken ct)
    {
        var command = new SeriesCommand(write, ct);
        var reply = await actors.RunAsync(write.RoomId, command);
        return reply.Error is { } error ? throw error.AsException() : new RoomWriteResult(command.EventIds, command.Position);
    }

    public async Task<RoomWriteResult> ChangeMembershipAsync(MembershipWrite write, CancellationToken ct)
    {
        if (!Enum.TryParse<MembershipAction>(write.Action, ignoreCase: true, out var action))
            throw MatrixError.InvalidParam($"No such membership action: {write.Action}").AsException();
        var request = new MembershipRequest(action, write.Sender, write.Target, await profiles.GetAsync(write.Target, ct)) { Reason = write.Reason };
        var (id, position) = await memberships.ChangeAsync(write.RoomId, request, ct);
        return new RoomWriteResult([id], position);
    }

    /// <summary>All of them or none.</summary>
    private sealed class SeriesCommand(RoomWrite write, CancellationToken cancelled) : RoomCommand(write.Sender, cancelled)
    {
        public List<string> EventIds { get; } = [];

        public override async ValueTask<RoomReply> RunAsync(RoomTurn turn, CancellationToken ct)
        {
            EventIds.Clear();
            foreach (var e in write.Events)
            {
                var appended = await turn.AppendAsync(new EventIntent(e.Type, e.StateKey, write.Sender, e.Content), ct);
                if (appended.Error is { } error) return error;
                EventIds.Add(appended.EventId!);
            }
            return new RoomReply(null, EventIds.Count > 0 ? EventIds[^1] : null);
        }
    }
}
