using Matrix.EventPersister.Actors;
using Matrix.EventPersister.Membership;
using Matrix.EventPersister.Profiles;
using Matrix.EventPersister.Rooms;
using Matrix.EventPersister.Sending;
using Matrix.EventPersister.ThirdParty;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms.Writing;

namespace Matrix.EventPersister.Rpc;

/// <summary>Writes through the actors of this process.</summary>
internal sealed class LocalRoomWriter(
    RoomActors actors, MembershipChanges memberships, ThirdPartyExchange exchange, ProfileCache profiles, InviteRules invites, RoomCreation creation) : IRoomWriter
{
    public async Task<RoomWriteResult> SendAsync(RoomWrite write, CancellationToken ct)
    {
        var command = new SeriesCommand(write, ct);
        var reply = await actors.RunAsync(write.RoomId, command);
        if (reply.Error is { } error) throw error.AsException();
        // A repetition did not run: only its last event is known.
        return new RoomWriteResult(command.EventIds.Count > 0 ? command.EventIds : [reply.EventId!], command.Position);
    }

    public async Task<RoomWriteResult> ChangeMembershipAsync(MembershipWrite write, CancellationToken ct)
    {
        if (!Enum.TryParse<MembershipAction>(write.Action, ignoreCase: true, out var action))
            throw MatrixError.InvalidParam($"No such membership action: {write.Action}").AsException();
        var request = new MembershipRequest(action, write.Sender, write.Target, await profiles.ForAsync(action, write.Target, ct)) { Reason = write.Reason };
        var (id, position) = await memberships.ChangeAsync(write.RoomId, request, ct);
        return new RoomWriteResult([id], position);
    }

    public async Task<RoomWriteResult> ExchangeThirdPartyInviteAsync(ThirdPartyExchangeWrite write, CancellationToken ct)
    {
        // Whoever shows the proof himself, joining, has asked to come in.
        await invites.RequireAsync(write.Sender, [write.Target], ct);
        var (id, position) = await exchange.ExchangeAsync(write, ct);
        return new RoomWriteResult([id], position);
    }

    public async Task<RoomCreated> CreateRoomAsync(RoomCreationWrite write, CancellationToken ct)
    {
        var server = actors.Tools.Server.ServerName;
        return new RoomCreated(await creation.CreateAsync(RoomPlan.Read(write.Options, write.Creator, server, write.RoomVersion), ct));
    }

    /// <summary>All of them or none.</summary>
    private sealed class SeriesCommand(RoomWrite write, CancellationToken cancelled) : RoomCommand(write.Sender, cancelled), ITransactional
    {
        public List<string> EventIds { get; } = [];
        public string? DeviceId => write.DeviceId;
        public string? TxnId => write.TxnId;

        public override async ValueTask<RoomReply> RunAsync(RoomTurn turn, CancellationToken ct)
        {
            EventIds.Clear();
            for (var i = 0; i < write.Events.Count; i++)
            {
                var e = write.Events[i];
                // The last event stands for all of them.
                var isLast = i == write.Events.Count - 1;
                var intent = new EventIntent(e.Type, e.StateKey, write.Sender, e.Content)
                {
                    DeviceId = isLast ? write.DeviceId : null, TxnId = isLast ? write.TxnId : null, OriginServerTs = write.OriginServerTs,
                    Reads = write.IsByHand, ReadRoot = write.IsByHand ? await RootAsync(turn, e.Content, ct) : null,
                };
                var reply = RedactCommand.TargetOf(intent) is { } target
                    ? await RedactCommand.RedactAsync(turn, intent with { Redacts = target, Content = RedactCommand.WithoutTarget(e.Content) }, ct) : RoomReply.Of(await turn.AppendAsync(intent, ct));
                if (reply.Error is not null) return reply;
                EventIds.Add(reply.EventId!);
            }
            return new RoomReply(null, EventIds.Count > 0 ? EventIds[^1] : null);
        }

        private static async ValueTask<string?> RootAsync(RoomTurn turn, ReadOnlyMemory<byte> content, CancellationToken ct) =>
            CanonicalJson.ToArray(content.Span, out _, strict: false) is { } canonical && EventRelation.OfContent(canonical) is { } relation
                ? await turn.ThreadRootAsync(relation, await turn.FindEventAsync(relation.ParentId, ct), ct) : null;
    }
}
