using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>What the rules ask beyond state. Third-party invites need signatures, restricted joins the servers that signed.</summary>
public interface IAuthContext
{
    IEd25519 Ed25519 { get; }
}

/// <summary>The authorisation rules of every room version, over any view of state. Pure. Spec: rooms/v*#authorization-rules</summary>
public static partial class AuthRules
{
    internal static readonly StateKey CreateKey = new(EventTypes.Create, "");
    internal static readonly StateKey PowerLevelsKey = new(EventTypes.PowerLevels, "");
    internal static readonly StateKey JoinRulesKey = new(EventTypes.JoinRules, "");

    /// <summary>
    /// Rules that need the event alone and its auth events: duplicates, entries that the selection algorithm would not choose,
    /// rejected ones, wrong room, a create event missing. <paramref name="authEvents"/> in the order of the event's list; null when unknown.
    /// </summary>
    public static AuthVerdict CheckAuthEvents(Pdu e, IReadOnlyList<Pdu?> authEvents, Func<string, bool> isRejected)
    {
        if (e.Type == EventTypes.Create) return AuthVerdict.Ok;
        var selected = SelectKeys(e.Type, e.StateKey, e.Sender, e.Content.Span, e.Version);
        var hasCreate = false;
        for (var i = 0; i < authEvents.Count; i++)
        {
            if (authEvents[i] is not { } auth) return AuthVerdict.Reject("An auth event is not known.");
            if (auth.StateKey is null) return AuthVerdict.Reject($"The auth event {auth.EventId} is no state event.");
            var key = auth.StatePair;
            for (var j = 0; j < i; j++)
            {
                if (authEvents[j]!.StatePair == key) return AuthVerdict.Reject($"Two auth events for {key}.");
            }
            if (!Contains(selected, key)) return AuthVerdict.Reject($"An auth event for {key}, which does not authorise such an event.");
            if (isRejected(auth.EventId)) return AuthVerdict.Reject($"The auth event {auth.EventId} was rejected.");
            if (auth.RoomId != e.RoomId) return AuthVerdict.Reject($"The auth event {auth.EventId} belongs to another room.");
            hasCreate |= key == CreateKey;
        }
        return hasCreate || e.Version.RoomIdIsCreateHash ? AuthVerdict.Ok : AuthVerdict.Reject("The create event is not among the auth events.");
    }

    /// <summary>The state-dependent rules against that state (the state before the event, the current state, or the auth events' state).</summary>
    public static AuthVerdict Check(Pdu e, IStateView state, IAuthContext? context = null)
    {
        if (e.Type == EventTypes.Create) return CheckCreate(e);
        var version = e.Version;
        if (state.Get(CreateKey) is not { } create) return AuthVerdict.Reject("The room has no create event.");
        // Version 12 names the create event in the room id; before it, all events of a state share their room.
        if (version.RoomIdIsCreateHash ? !IsRoomOf(e.RoomId, create.EventId) : e.RoomId != create.RoomId)
            return AuthVerdict.Reject("The event belongs to another room than the create event.");
        if (create.ContentValue("m.federate"u8).SequenceEqual("false"u8)
            && !Utf8Text.Domain(e.Sender).SequenceEqual(Utf8Text.Domain(create.Sender)))
            return AuthVerdict.Reject("The room does not federate.");

        if (version.SpecialAliasesAuth && e.Type == EventTypes.Aliases)
        {
            return e.StateKey is not null && Utf8Text.Domain(e.Sender).SequenceEqual(e.StateKey)
                ? AuthVerdict.Ok : AuthVerdict.Reject("Aliases belong to the sender's server.");
        }
        var room = new RoomView(create, state);
        if (e.Type == EventTypes.Member) return CheckMember(e, room, context);

        if (room.MembershipOf(e.Sender) != Memberships.Join) return AuthVerdict.Reject($"{e.Sender} is not in the room.");
        var levels = room.Levels;
        var senderLevel = levels.Of(e.Sender);
        if (e.Type == EventTypes.ThirdPartyInvite)
            return senderLevel >= levels.Invite ? AuthVerdict.Ok : AuthVerdict.Reject("Not allowed to invite.");
        if (levels.ToSend(e.Type, e.IsState) > senderLevel) return AuthVerdict.Reject($"Not allowed to send {e.Type}.");
        if (e.StateKey is ['@', ..] && e.StateKey != e.Sender) return AuthVerdict.Reject("The state key names another user.");
        if (e.Type == EventTypes.PowerLevels) return CheckPowerLevels(e, room, senderLevel);
        if (version.RedactionAuthRule && e.Type == EventTypes.Redaction)
        {
            return senderLevel >= levels.Redact
                || (e.Redacts is not null && Utf8Text.Domain(e.EventId).SequenceEqual(Utf8Text.Domain(e.Redacts)))
                ? AuthVerdict.Ok : AuthVerdict.Reject("Not allowed to redact that event.");
        }
        return AuthVerdict.Ok;
    }

    /// <summary>
    /// Whether a redaction event that stands in the room may take effect on another event of it (version 3 and later; in versions 1 and 2 the
    /// auth rules have decided). Spec: rooms/v3#handling-redactions
    /// </summary>
    public static bool MayRedact(Pdu redaction, Pdu target, PowerLevels levels) =>
        redaction.RoomId == target.RoomId
        && (redaction.Version.RedactionAuthRule || levels.Of(redaction.Sender) >= levels.Redact
            || Utf8Text.Domain(redaction.Sender).SequenceEqual(Utf8Text.Domain(target.Sender)));

    /// <summary>
    /// Keys of the state that authorises such an event: the auth events selection algorithm. Version 12 leaves out the create event.
    /// Spec: server-server-api/#auth-events-selection
    /// </summary>
    public static IReadOnlyList<StateKey> SelectKeys(string type, string? stateKey, string sender, ReadOnlySpan<byte> content, RoomVersion version)
    {
        if (type == EventTypes.Create) return [];
        var keys = new List<StateKey>(6);
        if (!version.RoomIdIsCreateHash) keys.Add(CreateKey);
        keys.Add(PowerLevelsKey);
        keys.Add(new StateKey(EventTypes.Member, sender));
        if (type != EventTypes.Member || stateKey is null) return keys;

        if (stateKey != sender) keys.Add(new StateKey(EventTypes.Member, stateKey));
        using var canonical = CanonicalPdu.TryOf(content);
        if (canonical is null) return keys;
        var json = new CanonicalObject(canonical.Written);
        var membership = json.GetString("membership"u8);
        if (membership is Memberships.Join or Memberships.Invite or Memberships.Knock) keys.Add(JoinRulesKey);
        if (membership == Memberships.Invite && json.TryGet("third_party_invite"u8, out var invite)
            && new CanonicalObject(invite).TryGet("signed"u8, out var signed) && new CanonicalObject(signed).GetString("token"u8) is { } token)
        {
            keys.Add(new StateKey(EventTypes.ThirdPartyInvite, token));
        }
        if (membership == Memberships.Join && version.RestrictedJoins
            && json.GetString("join_authorised_via_users_server"u8) is { } authoriser && authoriser != sender && authoriser != stateKey)
        {
            keys.Add(new StateKey(EventTypes.Member, authoriser));
        }
        return keys;
    }

    internal static bool IsRoomOf(string roomId, string createEventId) =>
        roomId.Length == createEventId.Length && roomId.Length > 1 && roomId[0] == '!' && createEventId[0] == '$'
        && roomId.AsSpan(1).SequenceEqual(createEventId.AsSpan(1));

    private static bool Contains(IReadOnlyList<StateKey> keys, StateKey key)
    {
        foreach (var k in keys)
        {
            if (k == key) return true;
        }
        return false;
    }

    private static AuthVerdict CheckCreate(Pdu e)
    {
        if (e.StateKey is not "") return AuthVerdict.Reject("A create event has an empty state key.");
        if (e.PrevEvents.Length > 0) return AuthVerdict.Reject("A create event is the first event of its room.");
        if (e.Version.RoomIdIsCreateHash)
        {
            if (!IsRoomOf(e.RoomId, e.EventId)) return AuthVerdict.Reject("A create event of this room version has no room_id.");
        }
        else
        {
            var domain = Utf8Text.Domain(e.RoomId);
            if (e.RoomId is not ['!', ..] || e.Sender is not ['@', ..] || domain.IsEmpty || !domain.SequenceEqual(Utf8Text.Domain(e.Sender)))
                return AuthVerdict.Reject("The room id belongs to another server than the sender.");
        }
        var version = e.ContentValue("room_version"u8);
        if (!version.IsEmpty && (CanonicalValue.String(version) is not { } id || RoomVersions.Find(id) is null))
            return AuthVerdict.Reject("The room version is not known.");
        if (!e.Version.ImplicitCreator && e.ContentValue("creator"u8).IsEmpty) return AuthVerdict.Reject("The create event names no creator.");
        if (e.Version.PrivilegedCreators)
        {
            var creators = e.ContentValue("additional_creators"u8);
            if (!creators.IsEmpty && !CanonicalValue.IsArray(creators)) return AuthVerdict.Reject("additional_creators is not an array.");
            foreach (var element in new CanonicalArray(creators))
            {
                if (!UserId.TryParse(CanonicalValue.String(element), null, out _))
                    return AuthVerdict.Reject("additional_creators holds something that is no user id.");
            }
        }
        return AuthVerdict.Ok;
    }

    /// <summary>The parts of the state that the rules read.</summary>
    private readonly struct RoomView(Pdu create, IStateView state)
    {
        public Pdu Create => create;
        public Pdu? PowerLevelsEvent => state.Get(PowerLevelsKey);
        public PowerLevels Levels => PowerLevels.Read(create, PowerLevelsEvent);
        public Pdu? Get(StateKey key) => state.Get(key);

        /// <summary>Null: no member event.</summary>
        public string? MembershipOf(string userId) => state.Get(new StateKey(EventTypes.Member, userId))?.Membership;

        /// <summary>Without a join_rules event a room is by invitation. Spec: event-schemas/schema/m.room.join_rules.yaml</summary>
        public string JoinRule => state.Get(JoinRulesKey)?.ContentString("join_rule"u8) ?? "invite";
    }
}
