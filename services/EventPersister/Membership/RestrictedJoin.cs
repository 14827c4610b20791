using Matrix.EventPersister.Actors;
using Matrix.Events;
using Matrix.Primitives;

namespace Matrix.EventPersister.Membership;

/// <summary>Joins that membership in another room allows. Spec: client-server-api/#restricted-rooms</summary>
internal static class RestrictedJoin
{
    /// <summary>Members that are looked at for one who may invite.</summary>
    private const int MaxCandidates = 200;

    /// <summary>Who authorises the join (null: the room does not ask for it), or why nobody does. The user is neither joined nor invited.</summary>
    public static async ValueTask<(MatrixError? Error, string? Authoriser)> AuthoriseAsync(RoomTurn turn, string userId, CancellationToken ct)
    {
        var rules = await turn.GetAsync(new StateKey(EventTypes.JoinRules, ""), ct);
        var rule = rules?.ContentString("join_rule"u8);
        var version = turn.Room.Version;
        if (!((rule == "restricted" && version.RestrictedJoins) || (rule == "knock_restricted" && version.KnockRestricted))) return (null, null);

        var allowing = AllowingRooms(rules!);
        if (allowing.Length == 0 || !await turn.Storage.Loader.IsJoinedToAnyAsync(userId, allowing, ct))
            return (MatrixError.Forbidden("You do not belong to any of the required rooms/spaces to join this room."), null);
        return await AuthoriserAsync(turn, ct) is { } authoriser
            ? (null, authoriser)
            : (MatrixError.Custom(400, "M_UNABLE_TO_GRANT_JOIN", "Nobody of this server may let you in."), null);
    }

    private static string[] AllowingRooms(Pdu rules)
    {
        var rooms = new List<string>();
        foreach (var element in new CanonicalArray(rules.ContentValue("allow"u8)))
        {
            if (!CanonicalValue.IsObject(element)) continue;
            var allow = new CanonicalObject(element);
            if (allow.GetString("type"u8) == "m.room_membership" && allow.GetString("room_id"u8) is { } room) rooms.Add(room);
        }
        return [.. rooms];
    }

    /// <summary>A joined user of this server with the power to invite: those with stated power first.</summary>
    private static async ValueTask<string?> AuthoriserAsync(RoomTurn turn, CancellationToken ct)
    {
        var levels = turn.PowerLevels;
        var create = await turn.GetAsync(new StateKey(EventTypes.Create, ""), ct);
        var stated = levels.Users.Keys.Append(create!.Sender).Where(u => turn.Server.IsMine(u)).OrderByDescending(levels.Of);
        foreach (var user in stated)
            if (levels.Of(user) >= levels.Invite && await turn.MembershipAsync(user, ct) == Memberships.Join) return user;
        foreach (var user in await turn.Storage.Loader.JoinedOfServerAsync(turn.Room.RoomNid, turn.Server.ServerName, MaxCandidates, ct))
            if (levels.Of(user) >= levels.Invite && await turn.MembershipAsync(user, ct) == Memberships.Join) return user;
        return null;
    }
}
