namespace Matrix.ServiceDefaults.Configuration;

/// <summary><c>server_notices</c>, <c>hs_disabled</c>, <c>limit_usage_by_mau</c>.</summary>
internal sealed partial class HomeserverConfigReader
{
    private ServerNoticesConfig? ReadServerNotices()
    {
        var section = root.Section("server_notices");
        if (!section.Exists) return null;
        var localpart = section.Text("system_mxid_localpart") ?? "";
        if (localpart.Length == 0 || !IsLocalpart(localpart))
            section.Fault("system_mxid_localpart", "is no name of a user", "system_mxid_localpart: notices");
        return new(localpart)
        {
            DisplayName = NonEmpty(section.Text("system_mxid_display_name")),
            AvatarUrl = NonEmpty(section.Text("system_mxid_avatar_url")),
            RoomName = section.Text("room_name") ?? new ServerNoticesConfig("").RoomName,
            RoomAvatarUrl = NonEmpty(section.Text("room_avatar_url")),
            RoomTopic = NonEmpty(section.Text("room_topic")),
            AutoJoin = section.Boolean("auto_join", false),
        };
    }

    private static string? NonEmpty(string? text) => text is { Length: > 0 } ? text : null;

    private UsageConfig ReadUsage()
    {
        var isDisabled = root.Boolean("hs_disabled", false);
        var message = root.Text("hs_disabled_message") is { Length: > 0 } text ? text : "This homeserver is disabled.";
        var isLimited = root.Boolean("limit_usage_by_mau", false);
        var most = root.WholeNumber("max_mau_value", 0);
        if (isLimited && most == 0) root.Fault("max_mau_value", "is missing, and limit_usage_by_mau needs it", "max_mau_value: 50");
        var reserved = new List<ReservedThreepid>();
        foreach (var entry in root.Sections("mau_limit_reserved_threepids") ?? [])
        {
            if (entry.Text("medium") is { Length: > 0 } medium && entry.Text("address") is { Length: > 0 } address) reserved.Add(new(medium, address.ToLowerInvariant()));
            else entry.Fault("address", "is missing, or its medium is", "medium: email   and   address: admin@example.org");
        }
        return new()
        {
            AdminContact = NonEmpty(root.Text("admin_contact")),
            DisabledMessage = isDisabled ? message : null,
            MaxMonthlyUsers = isLimited ? most : null,
            Trial = TimeSpan.FromDays(root.WholeNumber("mau_trial_days", 0)),
            Alerts = root.Boolean("mau_limit_alerting", true),
            Reserved = reserved,
        };
    }
}
