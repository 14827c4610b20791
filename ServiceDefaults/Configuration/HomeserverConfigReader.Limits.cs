using System.Net;

namespace Matrix.ServiceDefaults.Configuration;

/// <summary><c>rc_*</c>, address ranges, <c>retention</c>.</summary>
internal sealed partial class HomeserverConfigReader
{
    /// <summary>What servers outside never live in, from the registries of special-purpose addresses (RFC 6890 and its successors).</summary>
    internal static readonly IReadOnlyList<string> PrivateRanges =
    [
        "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "192.0.0.0/24", "169.254.0.0/16", "192.88.99.0/24",
        "198.18.0.0/15", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "::1/128", "fe80::/10", "fc00::/7", "2001:db8::/32",
        "ff00::/8", "fec0::/10",
    ];

    private RateLimits ReadRateLimits()
    {
        var defaults = new RateLimits();
        var login = root.Section("rc_login");
        var joins = root.Section("rc_joins");
        var invites = root.Section("rc_invites");
        return new()
        {
            Message = ReadLimit(root, "rc_message", defaults.Message),
            Registration = ReadLimit(root, "rc_registration", defaults.Registration),
            RegistrationTokenValidity = ReadLimit(root, "rc_registration_token_validity", defaults.RegistrationTokenValidity),
            LoginAddress = ReadLimit(login, "address", defaults.LoginAddress),
            LoginAccount = ReadLimit(login, "account", defaults.LoginAccount),
            LoginFailedAttempts = ReadLimit(login, "failed_attempts", defaults.LoginFailedAttempts),
            JoinsLocal = ReadLimit(joins, "local", defaults.JoinsLocal),
            JoinsPerRoom = ReadLimit(root, "rc_joins_per_room", defaults.JoinsPerRoom),
            InvitesPerRoom = ReadLimit(invites, "per_room", defaults.InvitesPerRoom),
            InvitesPerUser = ReadLimit(invites, "per_user", defaults.InvitesPerUser),
            InvitesPerIssuer = ReadLimit(invites, "per_issuer", defaults.InvitesPerIssuer),
            ThirdPartyInvite = ReadLimit(root, "rc_third_party_invite", defaults.ThirdPartyInvite),
            ThirdPartyValidation = ReadLimit(root, "rc_3pid_validation", defaults.ThirdPartyValidation),
            RoomCreation = ReadLimit(root, "rc_room_creation", defaults.RoomCreation),
            Presence = ReadLimit(root.Section("rc_presence"), "per_user", defaults.Presence),
            DelayedEvents = ReadLimit(root, "rc_delayed_event_mgmt", defaults.DelayedEvents),
            Reports = ReadLimit(root, "rc_reports", defaults.Reports),
            UserDirectory = ReadLimit(root, "rc_user_directory", defaults.UserDirectory),
            AdminRedaction = root.Has("rc_admin_redaction") ? ReadLimit(root, "rc_admin_redaction", defaults.Message) : null,
        };
    }

    private static RateLimit ReadLimit(ConfigSection section, string key, RateLimit otherwise)
    {
        var limit = section.Section(key);
        return new(limit.Number("per_second", otherwise.PerSecond), limit.WholeNumber("burst_count", otherwise.BurstCount));
    }

    private IReadOnlyList<string>? ReadRanges(string key)
    {
        if (root.Texts(key) is not { } ranges)
        {
            return null;
        }

        foreach (var range in ranges)
        {
            if (!IPNetwork.TryParse(range, out _) && !IPAddress.TryParse(range, out _))
            {
                root.Fault(key, $"contains {range}, which is no range of addresses", $"{key}: ['10.0.0.0/8', 'fc00::/7']");
            }
        }

        return ranges;
    }

    private RetentionConfig ReadRetention()
    {
        var section = root.Section("retention");
        static TimeSpan? Optional(ConfigSection section, string key, string example) => section.Has(key) ? section.Duration(key, TimeSpan.Zero, example) : null;
        return new()
        {
            Enabled = section.Boolean("enabled", false),
            DefaultMaxLifetime = Optional(section.Section("default_policy"), "max_lifetime", "1y"),
            AllowedLifetimeMin = Optional(section, "allowed_lifetime_min", "1d"),
            AllowedLifetimeMax = Optional(section, "allowed_lifetime_max", "1y"),
        };
    }
}
