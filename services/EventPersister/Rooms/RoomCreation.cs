using System.Security.Cryptography;
using Matrix.Crypto;
using Matrix.EventPersister.Actors;
using Matrix.EventPersister.Membership;
using Matrix.EventPersister.Profiles;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;

namespace Matrix.EventPersister.Rooms;

/// <summary>Makes rooms: all events of one are one transaction, so a room is there whole or not at all.</summary>
internal sealed class RoomCreation(RoomActors actors, RoomReader rooms, ProfileCache profiles, InviteRules invites)
{
    private const string Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    private const int MaxAttempts = 8;

    private long lastCreateTs;

    private ActorTools Tools => actors.Tools;

    /// <summary>The new room's id. Throws what the client hears.</summary>
    public async Task<string> CreateAsync(RoomPlan plan, CancellationToken ct)
    {
        var server = Tools.Server;
        if (plan.Invites.Any(u => !server.IsMine(u)))
            throw MatrixError.Custom(400, "M_UNSUPPORTED", "Users of other servers cannot be invited yet.").AsException();
        await invites.RequireAsync(plan.Creator, [.. plan.Invited()], ct);
        if (plan.Alias is not null && await rooms.AliasAsync(plan.Alias, ct) is not null) throw AliasTaken();

        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var id = plan.Version.RoomIdIsCreateHash ? null : plan.RoomId ?? NewRoomId();
            var room = new RoomState(await Tools.Storage.Numbers.Rooms.NextAsync(ct), id, plan.Version);
            var turn = new RoomTurn(room, Tools.Storage, server, Tools.Clock);
            await BuildAsync(turn, plan, ct);

            var commit = await turn.SealAsync(new NewRoom(room.RoomId, plan.Version.Id, plan.IsPublic, plan.Alias, plan.Creator), ct);
            var outcome = await Tools.Committer.CommitAsync(commit);
            switch (outcome.Kind)
            {
                case CommitKind.Committed:
                    turn.Advance(commit);
                    actors.Adopt(room);
                    return room.RoomId;
                case CommitKind.AliasTaken: throw AliasTaken();
                case CommitKind.RoomTaken when plan.RoomId is null: continue;
                default: throw new InvalidOperationException($"A new room cannot end as {outcome.Kind}.");
            }
        }
        throw MatrixError.Unavailable("No free room id was found.").AsException();
    }

    /// <summary>For versions whose rooms are not named by their create event.</summary>
    public string NewRoomId() => $"!{RandomNumberGenerator.GetString(Letters, 18)}:{Tools.Server.ServerName}";

    /// <summary>
    /// From version 12 on the room id is the hash of the create event: the same user creating two rooms in one millisecond would create one. So
    /// within a process no two create events have the same time; another process is met by trying again.
    /// </summary>
    private long NextCreateTs(long now)
    {
        while (true)
        {
            var last = Interlocked.Read(ref lastCreateTs);
            var next = Math.Max(now, last + 1);
            if (Interlocked.CompareExchange(ref lastCreateTs, next, last) == last) return next;
        }
    }

    private async Task BuildAsync(RoomTurn turn, RoomPlan plan, CancellationToken ct)
    {
        var state = plan.State().ToList();
        // All keys that are new at once: the events below then find them.
        await Tools.Storage.StateKeys.GetOrAddAsync(
            [new(EventTypes.Create, ""), .. plan.Invites.Append(plan.Creator).Select(u => new StateKey(EventTypes.Member, u)), .. state.Select(s => new StateKey(s.Type, s.StateKey))], ct);

        Require(await turn.AppendAsync(
            new EventIntent(EventTypes.Create, "", plan.Creator, plan.CreateContent()) { OriginServerTs = NextCreateTs(turn.NowMs) }, ct), EventTypes.Create);
        await AppendAsync(turn, plan, EventTypes.Member, plan.Creator, await MemberAsync(plan, MembershipAction.Join, plan.Creator, ct), ct);
        foreach (var s in state) await AppendAsync(turn, plan, s.Type, s.StateKey, s.Content, ct);
        foreach (var user in plan.Invites)
            await AppendAsync(turn, plan, EventTypes.Member, user, await MemberAsync(plan, MembershipAction.Invite, user, ct), ct);
    }

    private async Task<byte[]> MemberAsync(RoomPlan plan, MembershipAction action, string user, CancellationToken ct) =>
        new MembershipRequest(action, plan.Creator, user, await profiles.ForAsync(action, user, ct)) { IsDirect = plan.IsDirect && action == MembershipAction.Invite }.ToContent(null);

    private static async Task AppendAsync(RoomTurn turn, RoomPlan plan, string type, string stateKey, byte[] content, CancellationToken ct) =>
        Require(await turn.AppendAsync(new EventIntent(type, stateKey, plan.Creator, content), ct), type);

    private static void Require(Appended appended, string type)
    {
        if (appended.Error is not { } error) return;
        // What the request itself made impossible. Spec: openapi/client-server/create_room.yaml, M_INVALID_ROOM_STATE
        throw (error.Status == 403 ? MatrixError.Custom(400, "M_INVALID_ROOM_STATE", $"{type}: {error.Message}") : error).AsException();
    }

    private static MatrixException AliasTaken() => MatrixError.RoomInUse("Room alias already taken").AsException();
}
