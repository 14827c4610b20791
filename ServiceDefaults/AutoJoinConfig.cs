namespace Matrix.ServiceDefaults;

/// <summary>Rooms that new accounts are joined to (<c>auto_join_rooms</c> and what belongs to it).</summary>
public sealed record AutoJoinConfig
{
    /// <summary>Aliases.</summary>
    public IReadOnlyList<string> Rooms { get; init; } = [];
    /// <summary>The first real user of the server makes those that are missing (<c>autocreate_auto_join_rooms</c>).</summary>
    public bool Create { get; init; } = true;
    /// <summary>Users of other servers may join rooms that are made so (<c>autocreate_auto_join_rooms_federated</c>).</summary>
    public bool Federated { get; init; } = true;
    /// <summary><c>autocreate_auto_join_room_preset</c>.</summary>
    public string Preset { get; init; } = "public_chat";
    /// <summary>Of the user who makes the rooms and invites to those that are not public (<c>auto_join_mxid_localpart</c>); null: nobody invites.</summary>
    public string? Localpart { get; init; }
    /// <summary><c>auto_join_rooms_for_guests</c>.</summary>
    public bool ForGuests { get; init; } = true;
}
