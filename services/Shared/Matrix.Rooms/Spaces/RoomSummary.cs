using System.Text.Json;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Spaces;

namespace Matrix.Rooms.Spaces;

/// <summary>What may be said of a room to those who might enter it. Spec: openapi/client-server/definitions/room_summary.yaml</summary>
public sealed class RoomSummary
{
    private RoomVersion? version;
    private string? versionId;

    private RoomSummary(string roomId) => RoomId = roomId;

    /// <summary>Of a room of this server; its state follows with <see cref="Apply"/>.</summary>
    public RoomSummary(RoomFacts facts) : this(facts.RoomId) =>
        (RoomNid, JoinedMembers, Membership, version, versionId) = (facts.RoomNid, facts.JoinedMembers, facts.Membership, facts.Version, facts.Version.Id);

    /// <summary>0: a room that another server tells of.</summary>
    public long RoomNid { get; }
    public string RoomId { get; }
    public long JoinedMembers { get; private init; }
    /// <summary>Of the user asked for; null: none.</summary>
    public string? Membership { get; private set; }
    public string? VersionId => versionId;
    /// <summary>Whether its state is here: false when all that is known are some members.</summary>
    public bool HasState { get; private set; }
    public string? Name { get; private set; }
    public string? Topic { get; private set; }
    public string? CanonicalAlias { get; private set; }
    public string? AvatarUrl { get; private set; }
    public string? RoomType { get; private set; }
    public string JoinRule { get; private set; } = "invite";
    public string? Encryption { get; private set; }
    public bool WorldReadable { get; private set; }
    public bool GuestCanJoin { get; private set; }
    public List<string> AllowedRooms { get; } = [];

    public bool IsSpace => RoomType == "m.space";

    /// <summary>As another server tells it, canonical JSON; null: it names no room. A version that is not said is taken to know what it uses.</summary>
    public static RoomSummary? Read(ReadOnlySpan<byte> json)
    {
        var o = new CanonicalObject(json);
        if (!Primitives.RoomId.TryParse(o.GetString("room_id"u8), null, out var id)) return null;
        var versionId = o.GetString("room_version"u8);
        var room = new RoomSummary(id.Value)
        {
            JoinedMembers = o.TryGet("num_joined_members"u8, out var n) && CanonicalValue.TryInteger(n, out var count) ? Math.Max(0, count) : 0,
            versionId = versionId, version = versionId is null ? null : RoomVersions.Find(versionId), HasState = true,
            Name = o.GetString("name"u8), Topic = o.GetString("topic"u8), CanonicalAlias = o.GetString("canonical_alias"u8), AvatarUrl = o.GetString("avatar_url"u8),
            RoomType = o.GetString("room_type"u8), JoinRule = o.GetString("join_rule"u8) ?? "public", Encryption = o.GetString("encryption"u8),
            WorldReadable = IsTrue(o, "world_readable"u8), GuestCanJoin = IsTrue(o, "guest_can_join"u8),
        };
        if (!o.TryGet("allowed_room_ids"u8, out var allowed)) return room;
        foreach (var element in new CanonicalArray(allowed)) if (CanonicalValue.String(element) is { } one) room.AllowedRooms.Add(one);
        return room;
    }

    private static bool IsTrue(CanonicalObject o, ReadOnlySpan<byte> name) => o.TryGet(name, out var value) && value.SequenceEqual("true"u8);

    public void Apply(Pdu pdu)
    {
        switch (pdu.Type)
        {
            case EventTypes.Name: Name = pdu.ContentString("name"u8); break;
            case EventTypes.Topic: Topic = pdu.ContentString("topic"u8); break;
            case EventTypes.CanonicalAlias: CanonicalAlias = pdu.ContentString("alias"u8); break;
            case EventTypes.Avatar: AvatarUrl = pdu.ContentString("url"u8); break;
            case EventTypes.Create: (HasState, RoomType) = (true, pdu.ContentString("type"u8)); break;
            case EventTypes.Encryption: Encryption = pdu.ContentString("algorithm"u8); break;
            case EventTypes.HistoryVisibility: WorldReadable = HistoryVisibilities.Read(pdu.Content.Span) == HistoryVisibility.WorldReadable; break;
            case EventTypes.GuestAccess: GuestCanJoin = pdu.ContentString("guest_access"u8) == "can_join"; break;
            case EventTypes.JoinRules:
                JoinRule = pdu.ContentString("join_rule"u8) ?? "invite";
                foreach (var element in new CanonicalArray(pdu.ContentValue("allow"u8)))
                    if (CanonicalValue.IsObject(element) && new CanonicalObject(element).GetString("type"u8) == "m.room_membership"
                        && new CanonicalObject(element).GetString("room_id"u8) is { } id) AllowedRooms.Add(id);
                break;
        }
    }

    /// <summary>The same room for somebody with that membership.</summary>
    public RoomSummary For(string? membership)
    {
        var copy = (RoomSummary)MemberwiseClone();
        copy.Membership = membership;
        return copy;
    }

    private bool IsRestricted => JoinRule switch
    {
        "restricted" => version?.RestrictedJoins != false,
        "knock_restricted" => version?.KnockRestricted != false,
        _ => false,
    };

    /// <summary>Rooms of which one must have the user as a member for him to enter; empty when that is not how this room is entered.</summary>
    public IReadOnlyList<string> Required => IsRestricted ? AllowedRooms : [];

    /// <summary>Whether it may be shown. Spec: openapi/client-server/space_hierarchy.yaml, the conditions of the answer's rooms</summary>
    /// <param name="joined">Of <see cref="Required"/>, those the user is joined to.</param>
    public bool IsOpenTo(IReadOnlySet<string> joined) =>
        Membership is Memberships.Join or Memberships.Invite || IsOpenToAll || Required.Any(joined.Contains);

    /// <summary>As <see cref="IsOpenTo"/>, for those who are not known.</summary>
    public bool IsOpenToAll =>
        WorldReadable || JoinRule == "public" || (JoinRule == "knock" && version?.Knocking != false) || (JoinRule == "knock_restricted" && version?.KnockRestricted != false);

    /// <summary>The members of the object.</summary>
    public void Write(Utf8JsonWriter w)
    {
        w.WriteString("room_id"u8, RoomId);
        w.WriteNumber("num_joined_members"u8, JoinedMembers);
        w.WriteBoolean("world_readable"u8, WorldReadable);
        w.WriteBoolean("guest_can_join"u8, GuestCanJoin);
        w.WriteString("join_rule"u8, JoinRule);
        if (VersionId is not null) w.WriteString("room_version"u8, VersionId);
        if (Name is not null) w.WriteString("name"u8, Name);
        if (Topic is not null) w.WriteString("topic"u8, Topic);
        if (CanonicalAlias is not null) w.WriteString("canonical_alias"u8, CanonicalAlias);
        if (AvatarUrl is not null) w.WriteString("avatar_url"u8, AvatarUrl);
        if (RoomType is not null) w.WriteString("room_type"u8, RoomType);
        if (Encryption is not null) w.WriteString("encryption"u8, Encryption);
        if (!IsRestricted || AllowedRooms.Count == 0) return;
        w.WriteStartArray("allowed_room_ids"u8);
        foreach (var room in AllowedRooms) w.WriteStringValue(room);
        w.WriteEndArray();
    }
}
