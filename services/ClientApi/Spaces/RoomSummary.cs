using System.Text.Json;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;
using Matrix.Storage.Spaces;

namespace Matrix.ClientApi.Spaces;

/// <summary>What may be said of a room to those who might enter it. Spec: openapi/client-server/definitions/room_summary.yaml</summary>
internal sealed class RoomSummary(RoomFacts facts)
{
    public RoomFacts Facts { get; } = facts;
    public string RoomId => Facts.RoomId;
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
    private bool IsRestricted =>
        (JoinRule == "restricted" && Facts.Version.RestrictedJoins) || (JoinRule == "knock_restricted" && Facts.Version.KnockRestricted);

    public void Apply(StoredEvent e)
    {
        var pdu = e.Pdu;
        switch (pdu.Type)
        {
            case EventTypes.Name: Name = pdu.ContentString("name"u8); break;
            case EventTypes.Topic: Topic = pdu.ContentString("topic"u8); break;
            case EventTypes.CanonicalAlias: CanonicalAlias = pdu.ContentString("alias"u8); break;
            case EventTypes.Avatar: AvatarUrl = pdu.ContentString("url"u8); break;
            case EventTypes.Create: RoomType = pdu.ContentString("type"u8); break;
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

    /// <summary>Rooms of which one must have the user as a member for him to enter; empty when that is not how this room is entered.</summary>
    public IReadOnlyList<string> Required => IsRestricted ? AllowedRooms : [];

    /// <summary>Whether it may be shown. Spec: openapi/client-server/space_hierarchy.yaml, the conditions of the answer's rooms</summary>
    /// <param name="joined">Of <see cref="Required"/>, those the user is joined to.</param>
    public bool IsOpenTo(IReadOnlySet<string> joined) =>
        Facts.Membership is Memberships.Join or Memberships.Invite || IsOpenToAll || Required.Any(joined.Contains);

    /// <summary>As <see cref="IsOpenTo"/>, for those who are not known.</summary>
    public bool IsOpenToAll =>
        WorldReadable || JoinRule == "public" || (JoinRule == "knock" && Facts.Version.Knocking) || (JoinRule == "knock_restricted" && Facts.Version.KnockRestricted);

    public void Write(Utf8JsonWriter w)
    {
        w.WriteString("room_id"u8, RoomId);
        w.WriteNumber("num_joined_members"u8, Facts.JoinedMembers);
        w.WriteBoolean("world_readable"u8, WorldReadable);
        w.WriteBoolean("guest_can_join"u8, GuestCanJoin);
        w.WriteString("join_rule"u8, JoinRule);
        w.WriteString("room_version"u8, Facts.Version.Id);
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

/// <summary>Describes rooms of this server for a user.</summary>
internal sealed class RoomSummaries(RoomFactsReader facts, RoomReader rooms)
{
    private static readonly StateKey[] Keys =
    [
        new(EventTypes.Name, ""), new(EventTypes.Topic, ""), new(EventTypes.CanonicalAlias, ""), new(EventTypes.Avatar, ""), new(EventTypes.Create, ""),
        new(EventTypes.JoinRules, ""), new(EventTypes.HistoryVisibility, ""), new(EventTypes.GuestAccess, ""), new(EventTypes.Encryption, ""),
    ];

    /// <summary>Rooms that are not known here, or that the user (null: anybody) may not know of, are omitted. Three queries.</summary>
    public async Task<List<RoomSummary>> VisibleAsync(IReadOnlyCollection<string> roomIds, string? userId, CancellationToken ct)
    {
        var known = (await facts.OfAsync(roomIds, userId, ct)).ConvertAll(f => new RoomSummary(f));
        var byNid = known.ToDictionary(r => r.Facts.RoomNid);
        foreach (var e in await rooms.CurrentStateAsync(byNid.Keys, Keys, ct)) byNid[e.RoomNid].Apply(e);
        if (userId is null) return known.FindAll(r => r.IsOpenToAll);
        var joined = await facts.JoinedOfAsync(userId, [.. known.SelectMany(r => r.Required).Distinct(StringComparer.Ordinal)], ct);
        return known.FindAll(r => r.IsOpenTo(joined));
    }
}
