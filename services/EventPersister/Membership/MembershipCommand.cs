using System.Text.Json;
using Matrix.EventPersister.Actors;
using Matrix.EventPersister.Sending;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Storage.Profiles;

namespace Matrix.EventPersister.Membership;

internal enum MembershipAction { Join, Invite, Leave, Kick, Ban, Unban, Knock }

/// <summary>A change of somebody's membership that a client asks for.</summary>
internal sealed record MembershipRequest(MembershipAction Action, string Sender, string Target, Profile Profile)
{
    public string? DeviceId { get; init; }
    /// <summary>Null: not given; a repetition is then what the membership makes of it.</summary>
    public string? TxnId { get; init; }
    public string? Reason { get; init; }
    public bool IsGuest { get; init; }
    public bool IsDirect { get; init; }
    /// <summary>Whose invites cannot be turned down; null: nobody's.</summary>
    public string? Undeclinable { get; init; }
    /// <summary>Members of the event that the client gave itself (by way of the state); undefined: none.</summary>
    public JsonElement Content { get; init; }

    public string Membership => Action switch
    {
        MembershipAction.Join => Memberships.Join,
        MembershipAction.Invite => Memberships.Invite,
        MembershipAction.Ban => Memberships.Ban,
        MembershipAction.Knock => Memberships.Knock,
        _ => Memberships.Leave,
    };

    /// <summary>Content of the member event. Profiles go with those who are, or come, in.</summary>
    public byte[] ToContent(string? authoriser) => EventContent.Write(w =>
    {
        var hasContent = Content.ValueKind == JsonValueKind.Object;
        w.WriteString("membership", Membership);
        if (hasContent) EventContent.CopyMembers(w, Content, "membership", "join_authorised_via_users_server", "third_party_signed");
        if (authoriser is not null) w.WriteString("join_authorised_via_users_server", authoriser);
        if (IsGuest && Action is MembershipAction.Join) w.WriteString("kind", "guest");
        if (Reason is not null && !(hasContent && Content.TryGetProperty("reason", out _))) w.WriteString("reason", Reason);
        if (IsDirect) w.WriteBoolean("is_direct", true);
        if (Action is not (MembershipAction.Join or MembershipAction.Invite or MembershipAction.Knock)) return;
        if (Profile.DisplayName is { } name && !(hasContent && Content.TryGetProperty("displayname", out _))) w.WriteString("displayname", name);
        if (Profile.AvatarUrl is { } avatar && !(hasContent && Content.TryGetProperty("avatar_url", out _))) w.WriteString("avatar_url", avatar);
    });
}

/// <summary>Joins, invites, removes. Spec: client-server-api/#room-membership</summary>
internal sealed class MembershipCommand(MembershipRequest request, CancellationToken cancelled) : RoomCommand(request.Sender, cancelled), ITransactional
{
    public string? DeviceId => request.DeviceId;
    public string? TxnId => request.TxnId;
    /// <summary>The room that this one replaces, by its create event; null: none. Known with the reply.</summary>
    public string? Predecessor { get; private set; }
    public override StateKey? FurtherKey => new StateKey(EventTypes.Member, request.Target);

    // Synapse: nobody here is in that room (any more) and nobody said who is.
    public override MatrixError UnknownRoom => request.Action is MembershipAction.Join or MembershipAction.Knock
        ? MatrixError.NotFound("No known servers are in the room") : base.UnknownRoom;

    public override async ValueTask<RoomReply> RunAsync(RoomTurn turn, CancellationToken ct)
    {
        // His own key of state is needed for the event anyhow: looked for and made at once. Those of others are made when the event may be.
        if (request.Sender == request.Target) await turn.Storage.StateKeys.GetOrAddAsync([new StateKey(EventTypes.Member, request.Target)], ct);
        var member = await turn.GetAsync(new StateKey(EventTypes.Member, request.Target), ct);
        var membership = member?.Membership;
        if (Refusal(membership, member?.Sender) is { } refusal) return refusal;
        // Who is in already need not come in again, whatever his profile says by now.
        if (request.Action == MembershipAction.Join && membership == Memberships.Join && request.Content.ValueKind == JsonValueKind.Undefined)
            return new RoomReply(null, member!.EventId);
        // Who is not in the room does not know what became of it: only who is may let somebody in, and of this server there is nobody.
        if (request.Action is MembershipAction.Join or MembershipAction.Knock && membership != Memberships.Join && !await IsResidentAsync(turn, ct)) return UnknownRoom;

        string? authoriser = null;
        if (request.Action == MembershipAction.Join && membership is not (Memberships.Join or Memberships.Invite))
        {
            if (request.IsGuest && !await GuestsMayJoinAsync(turn, ct)) return MatrixError.Custom(403, "M_GUEST_ACCESS_FORBIDDEN", "Guest access not allowed");
            var (error, by) = await RestrictedJoin.AuthoriseAsync(turn, request.Target, ct);
            if (error is not null) return error;
            authoriser = by;
        }
        if (request.Action == MembershipAction.Join && await turn.GetAsync(new StateKey(EventTypes.Create, ""), ct) is { } create) Predecessor = StateContent.Predecessor(create);
        return RoomReply.Of(await turn.AppendAsync(
            new EventIntent(EventTypes.Member, request.Target, request.Sender, request.ToContent(authoriser)) { DeviceId = request.DeviceId, TxnId = request.TxnId }, ct));
    }

    /// <summary>What the client hears better than from the room's rules. Synapse: the same codes.</summary>
    private MatrixError? Refusal(string? membership, string? by) => request.Action switch
    {
        MembershipAction.Join when request.Sender != request.Target => MatrixError.Forbidden("Nobody joins for somebody else."),
        MembershipAction.Join when membership == Memberships.Ban => MatrixError.Forbidden("You are banned from this room"),
        MembershipAction.Unban when membership != Memberships.Ban => Bad($"Cannot unban user who was not banned (membership={membership ?? "none"})"),
        MembershipAction.Invite when membership == Memberships.Ban => Bad("Cannot invite user who was banned"),
        MembershipAction.Invite when membership == Memberships.Join => MatrixError.Forbidden($"{request.Target} is already in the room."),
        MembershipAction.Kick when membership == Memberships.Ban => Bad("Cannot kick user who was banned"),
        MembershipAction.Kick when membership is not (Memberships.Join or Memberships.Invite or Memberships.Knock) =>
            MatrixError.Forbidden("The target user is not in the room"),
        // Spec: client-server-api/#server-notices
        MembershipAction.Leave when membership == Memberships.Invite && by == request.Undeclinable =>
            MatrixError.Custom(403, "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM", "You cannot reject this invite"),
        MembershipAction.Leave when membership == Memberships.Ban => MatrixError.Forbidden("You are banned from this room"),
        _ => null,
    };

    private static MatrixError Bad(string message) => MatrixError.BadState(message) with { Status = 403 };

    /// <summary>Somebody of this server is in the room. Asked of the database only when who was known to be there has left.</summary>
    private static async ValueTask<bool> IsResidentAsync(RoomTurn turn, CancellationToken ct)
    {
        var likely = turn.Room.Resident ?? (await turn.GetAsync(new StateKey(EventTypes.Create, ""), ct))!.Sender;
        if (turn.Server.IsMine(likely) && await turn.MembershipAsync(likely, ct) == Memberships.Join) return true;
        turn.Room.Resident = (await turn.Storage.Loader.JoinedOfServerAsync(turn.Room.RoomNid, turn.Server.ServerName, 1, ct)).FirstOrDefault();
        return turn.Room.Resident is not null;
    }

    private static async ValueTask<bool> GuestsMayJoinAsync(RoomTurn turn, CancellationToken ct) =>
        (await turn.GetAsync(new StateKey(EventTypes.GuestAccess, ""), ct))?.ContentString("guest_access"u8) == "can_join";
}
