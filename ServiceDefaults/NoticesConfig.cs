namespace Matrix.ServiceDefaults;

/// <summary><c>server_notices</c>.</summary>
/// <param name="Localpart">Of the user whom notices come from.</param>
public sealed record ServerNoticesConfig(string Localpart)
{
    public string? DisplayName { get; init; }
    public string? AvatarUrl { get; init; }
    public string RoomName { get; init; } = "Server Notices";
    public string? RoomAvatarUrl { get; init; }
    public string? RoomTopic { get; init; }
    /// <summary>Users are joined to the room instead of invited.</summary>
    public bool AutoJoin { get; init; }
}

/// <summary><c>hs_disabled</c>, <c>limit_usage_by_mau</c> and what belongs to them.</summary>
public sealed record UsageConfig
{
    /// <summary>Told to users, with whom to talk to; null: nobody.</summary>
    public string? AdminContact { get; init; }
    /// <summary>What users hear of a server that serves nobody; null: it does.</summary>
    public string? DisabledMessage { get; init; }
    /// <summary>Most users that may be active in a month; null: any number.</summary>
    public int? MaxMonthlyUsers { get; init; }
    /// <summary>Users count from then on after they were made.</summary>
    public TimeSpan Trial { get; init; }
    /// <summary>Active users are told, by a server notice, that the limit is reached.</summary>
    public bool Alerts { get; init; } = true;
    /// <summary>Addresses of users who are let in whatever the number.</summary>
    public IReadOnlyList<ReservedThreepid> Reserved { get; init; } = [];
}

public sealed record ReservedThreepid(string Medium, string Address);
