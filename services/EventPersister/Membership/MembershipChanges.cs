using System.Text.Json;
using Matrix.Crypto;
using Matrix.EventPersister.Actors;
using Matrix.EventPersister.Profiles;
using Matrix.EventPersister.Rooms;
using Matrix.EventPersister.ThirdParty;
using Matrix.Primitives;
using Matrix.Rooms.Writing;
using Matrix.Storage.Rooms;
using Matrix.Web.Auth;
using Matrix.Web.Json;

namespace Matrix.EventPersister.Membership;

/// <summary>Changes memberships on behalf of users of this server.</summary>
internal sealed partial class MembershipChanges(
    RoomActors actors, ProfileCache profiles, ServerIdentity server, RoomBlocks blocks, RoomSuccession succession, ThirdPartyExchange exchange,
    InviteRules invites, ILogger<MembershipChanges> log)
{
    /// <summary>Id of the member event, and its position (0: it was there already). Throws what the client hears.</summary>
    public async Task<(string EventId, long Position)> ChangeAsync(string roomId, MembershipRequest request, CancellationToken ct)
    {
        if (!server.IsMine(request.Target) && request.Action is MembershipAction.Invite)
            throw MatrixError.Custom(400, "M_UNSUPPORTED", "Users of other servers cannot be invited yet.").AsException();
        if (request.Action is MembershipAction.Join or MembershipAction.Invite or MembershipAction.Knock && await blocks.IsBlockedAsync(roomId, ct))
            throw MatrixError.Forbidden("This room has been blocked on this server").AsException();
        if (request.Action is MembershipAction.Invite) await invites.RequireAsync(request.Sender, [request.Target], ct);
        var command = new MembershipCommand(request, ct);
        var reply = await actors.RunAsync(roomId, command);
        if (reply.Error is { } error) throw error.AsException();
        if (request.Action is MembershipAction.Join && command is { Position: > 0, Predecessor: { } old }) await FollowAsync(request.Target, old, roomId);
        return (reply.EventId!, command.Position);
    }

    /// <summary>He is in, whatever becomes of his settings.</summary>
    private async Task FollowAsync(string userId, string oldRoom, string roomId)
    {
        try
        {
            await succession.AfterJoinAsync(userId, oldRoom, roomId, CancellationToken.None);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            LogNotCarriedOver(log, e, userId, roomId);
        }
    }

    [LoggerMessage(5032, LogLevel.Warning, "What {UserId} had set for a room was not carried over to {RoomId}, which replaces it")]
    private static partial void LogNotCarriedOver(ILogger log, Exception e, string userId, string roomId);

    public async Task<string> ChangeAsync(
        string roomId, Requester requester, MembershipAction action, string target, JsonElement body, string? txnId, CancellationToken ct)
    {
        if (action is MembershipAction.Join) await AcceptAsync(roomId, target, body, ct);
        var request = new MembershipRequest(action, requester.UserId.Value, target, await profiles.ForAsync(action, target, ct))
        {
            DeviceId = requester.DeviceId, IsGuest = requester.IsGuest, Reason = body.StringOrNull("reason"),
            TxnId = OfAction(action, txnId), Undeclinable = invites.NoticesUser,
        };
        return (await ChangeAsync(roomId, request, ct)).EventId;
    }

    /// <summary>A join may bring the proof that its user has the address which the room invited.</summary>
    private async Task AcceptAsync(string roomId, string user, JsonElement body, CancellationToken ct)
    {
        if (body.ObjectOrNull("third_party_signed") is { } signed)
            await exchange.ExchangeAsync(new ThirdPartyExchangeWrite(roomId, signed.RequiredString("sender"), user, signed), ct);
    }

    /// <summary>A send of the same room may have the same identifier.</summary>
    public static string? OfAction(MembershipAction action, string? txnId) => txnId is null ? null : $"{action}/{txnId}";

    /// <summary>Synapse: what else is in the body of a join by id or alias goes into the member event.</summary>
    public async Task JoinAsync(string roomId, Requester requester, JsonElement body, string? txnId, CancellationToken ct)
    {
        var user = requester.UserId.Value;
        await AcceptAsync(roomId, user, body, ct);
        var hasContent = body.EnumerateObject().Any(m => !m.NameEquals("reason") && !m.NameEquals("third_party_signed"));
        var request = new MembershipRequest(MembershipAction.Join, user, user, await profiles.GetAsync(user, ct))
        {
            DeviceId = requester.DeviceId, IsGuest = requester.IsGuest, Reason = body.StringOrNull("reason"), Content = hasContent ? body : default,
            TxnId = OfAction(MembershipAction.Join, txnId),
        };
        await ChangeAsync(roomId, request, ct);
    }

    /// <summary>A member event that a client writes itself. Synapse: it is taken for the action that it amounts to.</summary>
    public async Task<string> SetAsync(string roomId, Requester requester, string target, JsonElement content, CancellationToken ct)
    {
        if (!UserId.TryParse(target, null, out _)) throw MatrixError.BadJson("The state key of a member event is a user id").AsException();
        var action = content.StringOrNull("membership") switch
        {
            "join" => MembershipAction.Join,
            "invite" => MembershipAction.Invite,
            "ban" => MembershipAction.Ban,
            "knock" => MembershipAction.Knock,
            "leave" => target == requester.UserId.Value ? MembershipAction.Leave : MembershipAction.Kick,
            null => throw MatrixError.BadJson("A member event needs a membership").AsException(),
            _ => throw MatrixError.BadJson("Invalid membership").AsException(),
        };
        var request = new MembershipRequest(action, requester.UserId.Value, target, await profiles.ForAsync(action, target, ct))
        {
            DeviceId = requester.DeviceId, IsGuest = requester.IsGuest, Content = content, Undeclinable = invites.NoticesUser,
        };
        return (await ChangeAsync(roomId, request, ct)).EventId;
    }
}
