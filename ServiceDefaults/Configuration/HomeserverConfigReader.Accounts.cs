using System.Text.RegularExpressions;

namespace Matrix.ServiceDefaults.Configuration;

/// <summary>Registration, sessions, passwords, JWT, consent, mail, TURN.</summary>
internal sealed partial class HomeserverConfigReader
{
    private static readonly string[] JwtAlgorithms =
        ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"];

    private AccountsConfig ReadAccounts()
    {
        var validity = root.Section("account_validity");
        return new()
        {
            RegistrationsRequire3pid = ReadMedia("registrations_require_3pid"),
            DisableMsisdnRegistration = root.Boolean("disable_msisdn_registration", false),
            AllowedLocal3pids = ReadAllowedThreepids(),
            Enable3pidChanges = root.Boolean("enable_3pid_changes", true),
            Enable3pidLookup = root.Boolean("enable_3pid_lookup", true),
            MsisdnDelegate = ReadAddress(root.Section("account_threepid_delegates"), "msisdn"),
            InhibitThreepidErrors = root.Boolean("request_token_inhibit_3pid_errors", false),
            RegistrationRequiresToken = root.Boolean("registration_requires_token", false),
            AllowUnderscorePrefix = root.Boolean("allow_underscore_prefixed_registration", false),
            InhibitUserInUse = root.Boolean("inhibit_user_in_use_error", false),
            ProofLifetime = root.Section("ui_auth").Duration("session_timeout", TimeSpan.Zero, "15s"),
            DeleteDevicesAfter = ReadPeriod(root, "delete_stale_devices_after"),
            AutoJoin = ReadAutoJoin(),
            Profiles = new()
            {
                RequireAuth = root.Boolean("require_auth_for_profile_requests", false),
                SharedRoomsOnly = root.Boolean("limit_profile_requests_to_users_who_share_rooms", false),
                OverFederation = root.Boolean("allow_profile_lookup_over_federation", true),
                DeviceNamesOverFederation = root.Boolean("allow_device_name_lookup_over_federation", false),
                SetDisplayName = root.Boolean("enable_set_displayname", true),
                SetAvatarUrl = root.Boolean("enable_set_avatar_url", true),
                OnInvite = root.Boolean("include_profile_data_on_invite", true),
                MaxAvatarSize = root.Has("max_avatar_size") ? root.Size("max_avatar_size", 10 << 20, "10M") : null,
                AvatarTypes = root.Texts("allowed_avatar_mimetypes") ?? [],
            },
            Captcha = ReadCaptcha(),
            Sessions = ReadSessions(),
            LoginTokens = ReadLoginTokens(),
            Jwt = ReadJwt(),
            Passwords = ReadPasswords(),
            Consent = ReadConsent(),
            Email = ReadEmail(),
            Turn = ReadTurn(),
            AccountValidity = validity.Boolean("enabled", false) ? ReadPeriod(validity, "period") ?? TimeSpan.FromDays(365) : null,
            RenewAt = ReadPeriod(validity, "renew_at"),
            RenewSubject = validity.Text("renew_email_subject") ?? new AccountsConfig().RenewSubject,
        };
    }

    private List<string> ReadMedia(string key)
    {
        var media = (root.Texts(key) ?? []).ToList();
        if (media.Any(m => m is not ("email" or "msisdn"))) root.Fault(key, "names something that is neither email nor msisdn", $"{key}: [email]");
        return media;
    }

    private List<AllowedThreepid> ReadAllowedThreepids()
    {
        var allowed = new List<AllowedThreepid>();
        foreach (var entry in root.Sections("allowed_local_3pids") ?? [])
        {
            var (medium, pattern) = (entry.Text("medium"), entry.Text("pattern"));
            if (medium is not ("email" or "msisdn")) entry.Fault("medium", "is neither email nor msisdn", "medium: email");
            if (pattern is null || !IsPattern(pattern)) entry.Fault("pattern", "is not a regular expression that can be used", @"pattern: '^[^@]+@example\.org$'");
            else allowed.Add(new(medium ?? "", pattern));
        }
        return allowed;
    }

    private static bool IsPattern(string pattern)
    {
        try
        {
            _ = new Regex(pattern, RegexOptions.NonBacktracking);
            return true;
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return false;
        }
    }

    private static string? ReadAddress(ConfigSection section, string key)
    {
        if (section.Text(key) is not { Length: > 0 } text) return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https") return text.TrimEnd('/');
        section.Fault(key, "is not an http or https address", $"{key}: https://sms.example.org");
        return null;
    }

    private CaptchaConfig ReadCaptcha()
    {
        var defaults = new CaptchaConfig();
        var captcha = new CaptchaConfig
        {
            AtRegistration = root.Boolean("enable_registration_captcha", false),
            PublicKey = ReadSecret(root, "recaptcha_public_key"),
            PrivateKey = ReadSecret(root, "recaptcha_private_key"),
            VerifyAddress = ReadAddress(root, "recaptcha_siteverify_api") ?? defaults.VerifyAddress,
        };
        if (captcha.AtRegistration && (captcha.PublicKey is null || captcha.PrivateKey is null))
            root.Fault("enable_registration_captcha", "needs the keys of a reCAPTCHA", "recaptcha_public_key: ...   and   recaptcha_private_key: ...");
        return captcha;
    }

    private SessionConfig ReadSessions()
    {
        var session = ReadPeriod(root, "session_lifetime");
        var refreshable = ReadPeriod(root, "refreshable_access_token_lifetime");
        // Synapse: with a lifetime of sessions there are refresh tokens only when they are asked for.
        if (refreshable is null && session is null && !root.Keys.Contains("refreshable_access_token_lifetime")) refreshable = new SessionConfig().RefreshableAccessToken;
        return new()
        {
            SessionLifetime = session,
            RefreshableAccessToken = refreshable,
            RefreshToken = ReadPeriod(root, "refresh_token_lifetime"),
            NonRefreshableAccessToken = ReadPeriod(root, "nonrefreshable_access_token_lifetime"),
        };
    }

    private static TimeSpan? ReadPeriod(ConfigSection section, string key)
    {
        if (!section.Has(key)) return null;
        var period = section.Duration(key, TimeSpan.FromHours(24), "24h");
        if (period > TimeSpan.Zero) return period;
        section.Fault(key, "is no time at all", $"{key}: 24h");
        return null;
    }

    private LoginTokenConfig ReadLoginTokens()
    {
        var section = root.Section("login_via_existing_session");
        var defaults = new LoginTokenConfig();
        return new()
        {
            Enabled = section.Boolean("enabled", defaults.Enabled),
            RequireUiAuth = section.Boolean("require_ui_auth", defaults.RequireUiAuth),
            Lifetime = section.Duration("token_timeout", defaults.Lifetime, "5m"),
        };
    }

    private JwtConfig? ReadJwt()
    {
        var section = root.Section("jwt_config");
        var isEnabled = section.Boolean("enabled", false);
        var secret = section.Text("secret") ?? "";
        var algorithm = section.Text("algorithm") ?? "";
        var config = new JwtConfig(secret, algorithm)
        {
            SubjectClaim = section.Text("subject_claim") ?? "sub",
            DisplayNameClaim = section.Text("display_name_claim"),
            Issuer = section.Text("issuer"),
            Audiences = section.Texts("audiences") ?? [],
        };
        if (!isEnabled) return null;
        if (secret.Length == 0) section.Fault("secret", "is missing", "secret: the shared secret, or for RS256 and its kind the public key in PEM");
        if (!JwtAlgorithms.Contains(algorithm)) section.Fault("algorithm", "is no algorithm that this server verifies", $"algorithm: HS256   (one of {string.Join(' ', JwtAlgorithms)})");
        return config;
    }

    private PasswordConfig ReadPasswords()
    {
        var section = root.Section("password_config");
        var reauthOnly = section.Text("enabled") is "only_for_reauth";
        var isEnabled = reauthOnly || section.Boolean("enabled", true);
        var local = section.Boolean("localdb_enabled", true);
        var policy = section.Section("policy");
        var demands = new PasswordPolicy(policy.WholeNumber("minimum_length", 0, 0, 512), policy.Boolean("require_digit", false),
            policy.Boolean("require_symbol", false), policy.Boolean("require_lowercase", false), policy.Boolean("require_uppercase", false));
        return new()
        {
            LoginEnabled = isEnabled && local && !reauthOnly,
            ReauthEnabled = isEnabled && local,
            Pepper = section.Text("pepper") ?? "",
            Policy = policy.Boolean("enabled", false) ? demands : null,
        };
    }

    private ConsentConfig? ReadConsent()
    {
        var section = root.Section("user_consent");
        if (!section.Exists) return null;
        if (section.Text("version") is not { Length: > 0 } version)
        {
            section.Fault("version", "is missing", "version: 1.0   (the policy is the file VERSION.html of the template folder)");
            version = "";
        }
        var secret = ReadSecret(root, "form_secret");
        foreach (var key in (ReadOnlySpan<string>)["block_events_error", "server_notice_content"])
        {
            if (!section.Has(key)) continue;
            if (secret is null) root.Fault("form_secret", $"is missing, and with user_consent.{key} users need links to agree by", "form_secret: a long random text");
            if (!root.Has("public_baseurl")) root.Fault("public_baseurl", $"is missing, and with user_consent.{key} users need links to agree by", "public_baseurl: https://matrix.example.org/");
        }
        if (section.Has("server_notice_content") && !root.Has("server_notices"))
            root.Fault("server_notices", "is missing, and user_consent.server_notice_content needs it", "system_mxid_localpart: notices   below server_notices");
        return new(version, FullPath(section.Text("template_dir") ?? "privacy"))
        {
            PolicyName = section.Text("policy_name") ?? "Privacy Policy",
            AtRegistration = section.Boolean("require_at_registration", false),
            BlockEventsError = section.Text("block_events_error"),
            NoticeContent = ReadJsonObject(section, "server_notice_content"),
            NoticeToGuests = section.Boolean("send_server_notice_to_guests", false),
            FormSecret = secret,
        };
    }

    private EmailConfig? ReadEmail()
    {
        var section = root.Section("email");
        if (!section.Exists) return null;
        var defaults = new EmailConfig("");
        var subjects = section.Section("subjects");
        var templates = section.Text("template_dir") ?? root.Section("templates").Text("custom_template_directory");
        if (section.Boolean("force_tls", false))
            section.Fault("force_tls", "asks for TLS from the first byte, which this server does not speak", "force_tls: false   with   require_transport_security: true   and the port of STARTTLS (587)");
        var server = root.Text("server_name") ?? "localhost";
        return new(section.Text("notif_from") is { Length: > 0 } from ? from : $"%(app)s <noreply@{server.Split(':')[0]}>")
        {
            Host = section.Text("smtp_host") ?? defaults.Host,
            Port = section.WholeNumber("smtp_port", defaults.Port, 1, 65535),
            User = section.Text("smtp_user"),
            Password = ReadSecret(section, "smtp_pass"),
            EnableTls = section.Boolean("enable_tls", defaults.EnableTls),
            RequireTls = section.Boolean("require_transport_security", defaults.RequireTls),
            AppName = section.Text("app_name") ?? defaults.AppName,
            TokenLifetime = section.Duration("validation_token_lifetime", defaults.TokenLifetime, "1h"),
            TemplateFolder = templates is null ? null : FullPath(templates),
            PasswordResetSubject = subjects.Text("password_reset") ?? defaults.PasswordResetSubject,
            ValidationSubject = subjects.Text("email_validation") ?? defaults.ValidationSubject,
        };
    }

    private TurnConfig ReadTurn() => new()
    {
        Uris = root.Texts("turn_uris") ?? [],
        SharedSecret = ReadSecret(root, "turn_shared_secret"),
        Username = root.Text("turn_username"),
        Password = root.Text("turn_password"),
        UserLifetime = root.Duration("turn_user_lifetime", new TurnConfig().UserLifetime, "1h"),
        AllowGuests = root.Boolean("turn_allow_guests", true),
    };
}
