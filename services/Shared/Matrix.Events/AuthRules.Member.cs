using Matrix.Primitives;

namespace Matrix.Events;

// Rule "If type is m.room.member" of each version.
public static partial class AuthRules
{
    /// <summary>More pairs of signature and key than this are not tried: each costs a verification.</summary>
    private const int MaxThirdPartyVerifications = 256;

    private static AuthVerdict CheckMember(Pdu e, in RoomView room, IAuthContext? context)
    {
        if (e.StateKey is null || e.Membership is null) return AuthVerdict.Reject("A member event needs a state key and a membership.");
        if (e.Version.RestrictedJoins && e.ContentValue("join_authorised_via_users_server"u8) is { IsEmpty: false } value)
        {
            // Whether the signature is valid was found out when the event arrived; without one there is nothing to be valid.
            if (CanonicalValue.String(value) is not { } authoriser || Utf8Text.Domain(authoriser).IsEmpty
                || !EventSigning.HasSignatureOf(e.Json.Span, Utf8Text.Domain(authoriser).ToString()))
                return AuthVerdict.Reject("The join is not signed by the authorising server.");
        }
        return e.Membership switch
        {
            Memberships.Join => CheckJoin(e, room),
            Memberships.Invite => CheckInvite(e, room, context),
            Memberships.Leave => CheckLeave(e, room),
            Memberships.Ban => CheckBan(e, room),
            Memberships.Knock when e.Version.Knocking => CheckKnock(e, room),
            _ => AuthVerdict.Reject("The membership is not known."),
        };
    }

    private static AuthVerdict CheckJoin(Pdu e, in RoomView room)
    {
        if (e.PrevEvents.Length == 1 && e.PrevEvents[0] == room.Create.EventId)
        {
            var creator = e.Version.ImplicitCreator ? room.Create.Sender : room.Create.ContentString("creator"u8);
            if (e.StateKey == creator) return AuthVerdict.Ok;
        }
        if (e.Sender != e.StateKey) return AuthVerdict.Reject("Nobody joins for somebody else.");
        var current = room.MembershipOf(e.Sender);
        if (current == Memberships.Ban) return AuthVerdict.Reject($"{e.Sender} is banned.");
        var rule = room.JoinRule;
        if (rule == "public") return AuthVerdict.Ok;
        var version = e.Version;
        if (rule == "invite" || (rule == "knock" && version.Knocking))
        {
            return current is Memberships.Invite or Memberships.Join ? AuthVerdict.Ok : AuthVerdict.Reject($"{e.Sender} is not invited.");
        }
        if ((rule == "restricted" && version.RestrictedJoins) || (rule == "knock_restricted" && version.KnockRestricted))
        {
            if (current is Memberships.Invite or Memberships.Join) return AuthVerdict.Ok;
            if (e.ContentString("join_authorised_via_users_server"u8) is not { } authoriser)
                return AuthVerdict.Reject("A restricted join names the user who authorises it.");
            if (room.MembershipOf(authoriser) != Memberships.Join) return AuthVerdict.Reject($"{authoriser} is not in the room.");
            var levels = room.Levels;
            return levels.Of(authoriser) >= levels.Invite ? AuthVerdict.Ok : AuthVerdict.Reject($"{authoriser} is not allowed to invite.");
        }
        return AuthVerdict.Reject("The join rule lets nobody join.");
    }

    private static AuthVerdict CheckInvite(Pdu e, in RoomView room, IAuthContext? context)
    {
        var thirdParty = e.ContentValue("third_party_invite"u8);
        if (!thirdParty.IsEmpty) return CheckThirdPartyInvite(e, thirdParty, room, context);
        if (room.MembershipOf(e.Sender) != Memberships.Join) return AuthVerdict.Reject($"{e.Sender} is not in the room.");
        if (room.MembershipOf(e.StateKey!) is Memberships.Join or Memberships.Ban)
            return AuthVerdict.Reject($"{e.StateKey} is in the room already or banned.");
        var levels = room.Levels;
        return levels.Of(e.Sender) >= levels.Invite ? AuthVerdict.Ok : AuthVerdict.Reject("Not allowed to invite.");
    }

    private static AuthVerdict CheckThirdPartyInvite(Pdu e, ReadOnlySpan<byte> thirdParty, in RoomView room, IAuthContext? context)
    {
        if (room.MembershipOf(e.StateKey!) == Memberships.Ban) return AuthVerdict.Reject($"{e.StateKey} is banned.");
        if (!new CanonicalObject(thirdParty).TryGet("signed"u8, out var signed)) return AuthVerdict.Reject("The third-party invite is not signed.");
        var json = new CanonicalObject(signed);
        if (json.GetString("mxid"u8) is not { } user || json.GetString("token"u8) is not { } token)
            return AuthVerdict.Reject("The signed third-party invite names no user or no token.");
        if (user != e.StateKey) return AuthVerdict.Reject("The third-party invite is for another user.");
        if (room.Get(new StateKey(EventTypes.ThirdPartyInvite, token)) is not { } invite)
            return AuthVerdict.Reject("The room has no third-party invite with that token.");
        if (invite.Sender != e.Sender) return AuthVerdict.Reject("Somebody else made the third-party invite.");
        if (context is null) return AuthVerdict.Reject("The signature of the third-party invite cannot be verified here.");

        var keys = PublicKeys(invite);
        var tried = 0;
        foreach (var (server, keyId) in EventSigning.Signatures(signed))
        {
            if (!keyId.StartsWith("ed25519:", StringComparison.Ordinal)) continue;
            foreach (var key in keys)
            {
                if (++tried > MaxThirdPartyVerifications) return AuthVerdict.Reject("Too many signatures on the third-party invite.");
                if (EventSigning.VerifyJson(signed, server, keyId, key, context.Ed25519)) return AuthVerdict.Ok;
            }
        }
        return AuthVerdict.Reject("No signature of the third-party invite is valid.");
    }

    private static List<byte[]> PublicKeys(Pdu invite)
    {
        var keys = new List<byte[]>();
        Add(invite.ContentString("public_key"u8));
        foreach (var element in new CanonicalArray(invite.ContentValue("public_keys"u8))) Add(new CanonicalObject(element).GetString("public_key"u8));
        return keys;

        void Add(string? text)
        {
            // Synapse: keys in the URL-safe alphabet, as identity servers send them, are read too.
            if (text is not null && UnpaddedBase64.TryDecodeUrl(text, out var key) && key.Length == 32) keys.Add(key);
        }
    }

    private static AuthVerdict CheckLeave(Pdu e, in RoomView room)
    {
        var own = room.MembershipOf(e.Sender);
        if (e.Sender == e.StateKey)
        {
            return own is Memberships.Invite or Memberships.Join || (own == Memberships.Knock && e.Version.Knocking)
                ? AuthVerdict.Ok : AuthVerdict.Reject($"{e.Sender} is not in the room.");
        }
        if (own != Memberships.Join) return AuthVerdict.Reject($"{e.Sender} is not in the room.");
        var levels = room.Levels;
        var level = levels.Of(e.Sender);
        if (room.MembershipOf(e.StateKey!) == Memberships.Ban && level < levels.Ban) return AuthVerdict.Reject("Not allowed to unban.");
        return level >= levels.Kick && levels.Of(e.StateKey!) < level ? AuthVerdict.Ok : AuthVerdict.Reject("Not allowed to kick that user.");
    }

    private static AuthVerdict CheckBan(Pdu e, in RoomView room)
    {
        if (room.MembershipOf(e.Sender) != Memberships.Join) return AuthVerdict.Reject($"{e.Sender} is not in the room.");
        var levels = room.Levels;
        var level = levels.Of(e.Sender);
        return level >= levels.Ban && levels.Of(e.StateKey!) < level ? AuthVerdict.Ok : AuthVerdict.Reject("Not allowed to ban that user.");
    }

    private static AuthVerdict CheckKnock(Pdu e, in RoomView room)
    {
        var rule = room.JoinRule;
        if (rule != "knock" && !(rule == "knock_restricted" && e.Version.KnockRestricted)) return AuthVerdict.Reject("The room takes no knocks.");
        if (e.Sender != e.StateKey) return AuthVerdict.Reject("Nobody knocks for somebody else.");
        return room.MembershipOf(e.Sender) is Memberships.Ban or Memberships.Invite or Memberships.Join
            ? AuthVerdict.Reject($"{e.Sender} is in the room, invited or banned.") : AuthVerdict.Ok;
    }
}
