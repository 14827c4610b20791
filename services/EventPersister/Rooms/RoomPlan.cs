using System.Text.Json;
using Matrix.EventPersister.Sending;
using Matrix.EventPersister.ThirdParty;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Web.Json;

namespace Matrix.EventPersister.Rooms;

internal readonly record struct StateToSet(string Type, string StateKey, byte[] Content);

/// <summary>A request to create a room, read and checked. Spec: openapi/client-server/create_room.yaml</summary>
internal sealed record RoomPlan
{
    private const int MaxInvites = 500, MaxThirdParties = 50;

    public required RoomVersion Version { get; init; }
    public required string Creator { get; init; }
    /// <summary>The id that the room is to have; null: a new one. Not for versions where it follows from the create event.</summary>
    public string? RoomId { get; init; }
    public required bool IsPublic { get; init; }
    public required RoomPreset Preset { get; init; }
    /// <summary>Whole alias; null: none.</summary>
    public string? Alias { get; init; }
    public string? Name { get; init; }
    public string? Topic { get; init; }
    public bool IsDirect { get; init; }
    public required IReadOnlyList<string> Invites { get; init; }
    /// <summary>To be invited when the room is there: identity servers are told its id.</summary>
    public IReadOnlyList<Invitee> ThirdParties { get; init; } = [];
    public JsonElement? CreationContent { get; init; }
    public JsonElement? PowerLevelOverride { get; init; }
    public required IReadOnlyList<StateToSet> InitialState { get; init; }
    /// <summary>Power levels that take the place of the first ones when all other state is set; null: the first ones stay.</summary>
    public byte[]? LastPowerLevels { get; init; }

    public static RoomPlan Read(JsonElement o, string creator, string serverName, string defaultVersion)
    {
        var versionId = o.StringOrNull("room_version") ?? defaultVersion;
        var isPublic = o.StringOrNull("visibility") switch
        {
            null or "private" => false,
            "public" => true,
            _ => throw MatrixError.BadJson("'visibility' must be public or private").AsException(),
        };
        var creation = o.ObjectOrNull("creation_content");
        if (creation is { } given) _ = given.BoolOrNull("m.federate");
        return new RoomPlan
        {
            Version = RoomVersions.Find(versionId) ?? throw MatrixError.UnsupportedRoomVersion(versionId).AsException(),
            Creator = creator,
            IsPublic = isPublic,
            Preset = RoomPreset.Find(o.StringOrNull("preset"), isPublic),
            Alias = o.StringOrNull("room_alias_name") is { } localpart ? AliasOf(localpart, serverName) : null,
            Name = o.StringOrNull("name"),
            Topic = o.StringOrNull("topic"),
            IsDirect = o.BoolOrNull("is_direct") ?? false,
            Invites = ReadInvites(o, creator),
            ThirdParties = ReadThirdParties(o),
            CreationContent = creation,
            PowerLevelOverride = o.ObjectOrNull("power_level_content_override"),
            InitialState = ReadState(o),
        };
    }

    private static string AliasOf(string localpart, string serverName)
    {
        // Spec: appendices#room-aliases; a localpart holds no colon and no NUL. Synapse: no white space either.
        if (localpart.Length == 0 || localpart.Any(c => c is ':' or '\0' || char.IsWhiteSpace(c)))
            throw MatrixError.InvalidParam("Invalid characters in room alias").AsException();
        var alias = $"#{localpart}:{serverName}";
        return RoomAlias.TryParse(alias, null, out _) ? alias : throw MatrixError.InvalidParam("The room alias is too long").AsException();
    }

    private static List<string> ReadInvites(JsonElement o, string creator)
    {
        var invites = new List<string>();
        if (o.ArrayOrNull("invite") is not { } list) return invites;
        if (list.GetArrayLength() > MaxInvites) throw MatrixError.InvalidParam($"At most {MaxInvites} users can be invited with a new room").AsException();
        foreach (var item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.String || !UserId.TryParse(item.GetString(), null, out var user))
                throw MatrixError.InvalidParam("'invite' holds something that is no user id").AsException();
            if (user.Value != creator && !invites.Contains(user.Value)) invites.Add(user.Value);
        }
        return invites;
    }

    private static List<Invitee> ReadThirdParties(JsonElement o)
    {
        var invitees = new List<Invitee>();
        if (o.ArrayOrNull("invite_3pid") is not { } list) return invitees;
        if (list.GetArrayLength() > MaxThirdParties) throw MatrixError.InvalidParam($"At most {MaxThirdParties} addresses can be invited with a new room").AsException();
        foreach (var item in list.EnumerateArray())
            invitees.Add(item.ValueKind == JsonValueKind.Object ? Invitee.Read(item) : throw MatrixError.BadJson("'invite_3pid' must hold objects").AsException());
        return invitees;
    }

    private static List<StateToSet> ReadState(JsonElement o)
    {
        var state = new List<StateToSet>();
        if (o.ArrayOrNull("initial_state") is not { } list) return state;
        foreach (var item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson("'initial_state' must hold objects").AsException();
            var type = item.StringOrNull("type") ?? throw MatrixError.BadJson("An event of 'initial_state' has no type").AsException();
            var content = item.ObjectOrNull("content") ?? throw MatrixError.BadJson("An event of 'initial_state' has no content").AsException();
            state.Add(new StateToSet(type, item.StringOrNull("state_key") ?? "", System.Text.Encoding.UTF8.GetBytes(content.GetRawText())));
        }
        return state;
    }

    /// <summary>Whom the room begins with inviting, by whatever member of the request.</summary>
    public IEnumerable<string> Invited() => Invites.Concat(InitialState.Where(s => s.Type == EventTypes.Member && IsInvite(s.Content)).Select(s => s.StateKey));

    private static bool IsInvite(byte[] content)
    {
        using var document = JsonDocument.Parse(content);
        return document.RootElement.TryGetProperty("membership", out var m) && m.ValueKind == JsonValueKind.String && m.ValueEquals(Memberships.Invite);
    }

    /// <summary>The state after the creator's join and before the invites, in the order of the specification.</summary>
    public IEnumerable<StateToSet> State()
    {
        var given = InitialState.Select(s => (s.Type, s.StateKey)).ToHashSet();
        var levels = InitialState.FirstOrDefault(s => s is { Type: EventTypes.PowerLevels, StateKey: "" });
        yield return new StateToSet(EventTypes.PowerLevels, "", levels.Content ?? PowerLevelContent());
        if (Alias is not null) yield return new StateToSet(EventTypes.CanonicalAlias, "", EventContent.Write("alias", Alias));
        if (!given.Contains((EventTypes.JoinRules, ""))) yield return new StateToSet(EventTypes.JoinRules, "", EventContent.Write("join_rule", Preset.JoinRule));
        if (!given.Contains((EventTypes.HistoryVisibility, "")))
            yield return new StateToSet(EventTypes.HistoryVisibility, "", EventContent.Write("history_visibility", "shared"));
        if (Preset.GuestsMayJoin && !given.Contains((EventTypes.GuestAccess, "")))
            yield return new StateToSet(EventTypes.GuestAccess, "", EventContent.Write("guest_access", "can_join"));
        foreach (var s in InitialState)
        {
            var overridden = s.StateKey.Length == 0
                && (s.Type is EventTypes.PowerLevels || (s.Type is EventTypes.Name && Name is not null) || (s.Type is EventTypes.Topic && Topic is not null)
                    || (s.Type is EventTypes.CanonicalAlias && Alias is not null));
            if (!overridden) yield return s;
        }
        if (Name is not null) yield return new StateToSet(EventTypes.Name, "", EventContent.Write("name", Name));
        if (Topic is not null) yield return new StateToSet(EventTypes.Topic, "", TopicContent(Topic));
        if (LastPowerLevels is not null) yield return new StateToSet(EventTypes.PowerLevels, "", LastPowerLevels);
    }

    public byte[] CreateContent() => EventContent.Write(w =>
    {
        w.WriteString("room_version", Version.Id);
        if (!Version.ImplicitCreator) w.WriteString("creator", Creator);
        var addsCreators = Version.PrivilegedCreators && Preset.InviteesAreEqual && Invites.Count > 0;
        if (CreationContent is { } given)
        {
            if (addsCreators) EventContent.CopyMembers(w, given, "room_version", "creator", "additional_creators");
            else EventContent.CopyMembers(w, given, "room_version", "creator");
        }
        if (!addsCreators) return;
        w.WriteStartArray("additional_creators");
        foreach (var user in GivenCreators().Union(Invites)) w.WriteStringValue(user);
        w.WriteEndArray();
    });

    private IEnumerable<string> GivenCreators()
    {
        if (CreationContent is not { } content || content.ArrayOrNull("additional_creators") is not { } list) yield break;
        foreach (var item in list.EnumerateArray())
            yield return item.ValueKind == JsonValueKind.String && UserId.TryParse(item.GetString(), null, out var user)
                ? user.Value : throw MatrixError.InvalidParam("'additional_creators' holds something that is no user id").AsException();
    }

    /// <summary>Synapse: its defaults, so that rooms made here feel like rooms made there.</summary>
    private byte[] PowerLevelContent() => EventContent.Write(w =>
    {
        var given = PowerLevelOverride;
        bool Own(string name) => given is not { } o || !o.TryGetProperty(name, out _);
        if (Own("users"))
        {
            w.WriteStartObject("users");
            if (!Version.PrivilegedCreators)
            {
                w.WriteNumber(Creator, 100);
                if (Preset.InviteesAreEqual) foreach (var user in Invites) w.WriteNumber(user, 100);
            }
            w.WriteEndObject();
        }
        if (Own("events"))
        {
            w.WriteStartObject("events");
            foreach (var (type, level) in (ReadOnlySpan<(string, int)>)
                [(EventTypes.Name, 50), (EventTypes.PowerLevels, 100), (EventTypes.HistoryVisibility, 100), (EventTypes.CanonicalAlias, 50),
                 (EventTypes.Avatar, 50), (EventTypes.Tombstone, Version.PrivilegedCreators ? 150 : 100), (EventTypes.ServerAcl, 100), (EventTypes.Encryption, 100)])
                w.WriteNumber(type, level);
            w.WriteEndObject();
        }
        foreach (var (name, level) in (ReadOnlySpan<(string, int)>)
            [("users_default", 0), ("events_default", 0), ("state_default", 50), ("ban", 50), ("kick", 50), ("redact", 50),
             ("invite", Preset.AnyoneInvites ? 0 : 50), ("historical", 100)])
            if (Own(name)) w.WriteNumber(name, level);
        if (given is { } more) EventContent.CopyMembers(w, more);
    });

    /// <summary>Spec: client-server-api/#mroomtopic, with the extensible form beside the plain one.</summary>
    public static byte[] TopicContent(string topic) => EventContent.Write(w =>
    {
        w.WriteString("topic", topic);
        w.WriteStartObject("m.topic");
        w.WriteStartArray("m.text");
        w.WriteStartObject();
        w.WriteString("body", topic);
        w.WriteString("mimetype", "text/plain");
        w.WriteEndObject();
        w.WriteEndArray();
        w.WriteEndObject();
    });
}

/// <summary>Spec: openapi/client-server/create_room.yaml, the table of presets.</summary>
internal sealed record RoomPreset(string Name, string JoinRule, bool GuestsMayJoin, bool InviteesAreEqual, bool AnyoneInvites)
{
    private static readonly RoomPreset PrivateChat = new("private_chat", "invite", GuestsMayJoin: true, InviteesAreEqual: false, AnyoneInvites: true);
    private static readonly RoomPreset TrustedPrivateChat = new("trusted_private_chat", "invite", GuestsMayJoin: true, InviteesAreEqual: true, AnyoneInvites: true);
    private static readonly RoomPreset PublicChat = new("public_chat", "public", GuestsMayJoin: false, InviteesAreEqual: false, AnyoneInvites: false);

    public static RoomPreset Find(string? name, bool isPublic) => name switch
    {
        null => isPublic ? PublicChat : PrivateChat,
        "private_chat" => PrivateChat,
        "trusted_private_chat" => TrustedPrivateChat,
        "public_chat" => PublicChat,
        _ => throw MatrixError.BadJson($"'{name}' is not a valid preset").AsException(),
    };
}
