namespace Matrix.ServiceDefaults;

/// <summary>How accounts and sessions come to be and end. Names and defaults are Synapse's.</summary>
public sealed record AccountsConfig
{
    /// <summary>Media, email or msisdn, that a registration must prove.</summary>
    public IReadOnlyList<string> RegistrationsRequire3pid { get; init; } = [];
    public bool DisableMsisdnRegistration { get; init; }
    /// <summary>Empty: every address may be used.</summary>
    public IReadOnlyList<AllowedThreepid> AllowedLocal3pids { get; init; } = [];
    public bool Enable3pidChanges { get; init; } = true;
    /// <summary>Addresses are looked up and bound at identity servers.</summary>
    public bool Enable3pidLookup { get; init; } = true;
    /// <summary>Base address of the server that sends text messages for us (<c>account_threepid_delegates.msisdn</c>); null: none.</summary>
    public string? MsisdnDelegate { get; init; }
    /// <summary>A request for a token does not tell whether the address is known here.</summary>
    public bool InhibitThreepidErrors { get; init; }
    public bool RegistrationRequiresToken { get; init; }
    public bool AllowUnderscorePrefix { get; init; }
    /// <summary>Whether a name is taken is told at the end of a registration only (<c>inhibit_user_in_use_error</c>).</summary>
    public bool InhibitUserInUse { get; init; }
    /// <summary>For how long a proof (<c>ui_auth.session_timeout</c>) counts with the device that it was made with; zero: for one operation.</summary>
    public TimeSpan ProofLifetime { get; init; }
    /// <summary>Devices that were not used for that long are logged out (<c>delete_stale_devices_after</c>); null: none.</summary>
    public TimeSpan? DeleteDevicesAfter { get; init; }
    public AutoJoinConfig AutoJoin { get; init; } = new();
    public ProfileConfig Profiles { get; init; } = new();
    public CaptchaConfig Captcha { get; init; } = new();
    public SessionConfig Sessions { get; init; } = new();
    public LoginTokenConfig LoginTokens { get; init; } = new();
    public JwtConfig? Jwt { get; init; }
    public PasswordConfig Passwords { get; init; } = new();
    public ConsentConfig? Consent { get; init; }
    /// <summary>Null: no mail is sent.</summary>
    public EmailConfig? Email { get; init; }
    public TurnConfig Turn { get; init; } = new();
    /// <summary>How long an account lasts after it was made (<c>account_validity.period</c>); null: for ever.</summary>
    public TimeSpan? AccountValidity { get; init; }
    /// <summary>How long before the end of an account its user is asked by mail to renew it (<c>account_validity.renew_at</c>); null: he is not.</summary>
    public TimeSpan? RenewAt { get; init; }
    public string RenewSubject { get; init; } = "Renew your %(app)s account";
}

/// <summary>Who may read and change profiles.</summary>
public sealed record ProfileConfig
{
    /// <summary>Nobody without a token reads them (<c>require_auth_for_profile_requests</c>).</summary>
    public bool RequireAuth { get; init; }
    /// <summary>Only who shares a room reads them (<c>limit_profile_requests_to_users_who_share_rooms</c>).</summary>
    public bool SharedRoomsOnly { get; init; }
    /// <summary>Other servers read them (<c>allow_profile_lookup_over_federation</c>).</summary>
    public bool OverFederation { get; init; } = true;
    /// <summary>Other servers are told the names of devices (<c>allow_device_name_lookup_over_federation</c>).</summary>
    public bool DeviceNamesOverFederation { get; init; }
    /// <summary><c>enable_set_displayname</c>.</summary>
    public bool SetDisplayName { get; init; } = true;
    /// <summary><c>enable_set_avatar_url</c>.</summary>
    public bool SetAvatarUrl { get; init; } = true;
    /// <summary>The event of an invite shows who is invited (<c>include_profile_data_on_invite</c>).</summary>
    public bool OnInvite { get; init; } = true;
    /// <summary>Bytes (<c>max_avatar_size</c>); null: any size.</summary>
    public long? MaxAvatarSize { get; init; }
    /// <summary><c>allowed_avatar_mimetypes</c>; empty: any.</summary>
    public IReadOnlyList<string> AvatarTypes { get; init; } = [];
}

/// <param name="Pattern">Regular expression that the whole address begins with.</param>
public sealed record AllowedThreepid(string Medium, string Pattern);

/// <summary><c>recaptcha_*</c>.</summary>
public sealed record CaptchaConfig
{
    /// <summary>Wanted of everybody who registers.</summary>
    public bool AtRegistration { get; init; }
    public string? PublicKey { get; init; }
    public string? PrivateKey { get; init; }
    public string VerifyAddress { get; init; } = "https://www.recaptcha.net/recaptcha/api/siteverify";
}

/// <summary>Lifetimes; null: without end.</summary>
public sealed record SessionConfig
{
    /// <summary>Of everything, counted from the login.</summary>
    public TimeSpan? SessionLifetime { get; init; }
    /// <summary>Of an access token that can be refreshed; null: no refresh tokens are given.</summary>
    public TimeSpan? RefreshableAccessToken { get; init; } = TimeSpan.FromMinutes(5);
    /// <summary>Of a refresh token that is not used.</summary>
    public TimeSpan? RefreshToken { get; init; }
    public TimeSpan? NonRefreshableAccessToken { get; init; }
}

/// <summary><c>login_via_existing_session</c>.</summary>
public sealed record LoginTokenConfig
{
    public bool Enabled { get; init; }
    public bool RequireUiAuth { get; init; } = true;
    public TimeSpan Lifetime { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary><c>jwt_config</c>.</summary>
/// <param name="Secret">The shared secret of the HS family, the public key in PEM of the others.</param>
/// <param name="Audiences">Empty: a token that names an audience is refused.</param>
public sealed record JwtConfig(string Secret, string Algorithm)
{
    public string SubjectClaim { get; init; } = "sub";
    public string? DisplayNameClaim { get; init; }
    public string? Issuer { get; init; }
    public IReadOnlyList<string> Audiences { get; init; } = [];
}

/// <summary><c>password_config</c>.</summary>
public sealed record PasswordConfig
{
    /// <summary>Passwords log in.</summary>
    public bool LoginEnabled { get; init; } = true;
    /// <summary>Passwords are proof in user-interactive authentication.</summary>
    public bool ReauthEnabled { get; init; } = true;
    /// <summary>Appended to every password before it is hashed.</summary>
    public string Pepper { get; init; } = "";
    /// <summary>Null: nothing is demanded of passwords.</summary>
    public PasswordPolicy? Policy { get; init; }
}

public sealed record PasswordPolicy(int MinimumLength, bool RequireDigit, bool RequireSymbol, bool RequireLowercase, bool RequireUppercase);

/// <summary><c>user_consent</c>.</summary>
/// <param name="TemplateFolder">Holds the policy as <c>en/VERSION.html</c>.</param>
public sealed record ConsentConfig(string Version, string TemplateFolder)
{
    public string PolicyName { get; init; } = "Privacy Policy";
    public bool AtRegistration { get; init; }
    /// <summary>Said to users who have not agreed when they send something; null: they may.</summary>
    public string? BlockEventsError { get; init; }
    /// <summary>Content of the server notice for users who have not agreed, a JSON object; null: they are sent none.</summary>
    public string? NoticeContent { get; init; }
    /// <summary>Guests are sent it too.</summary>
    public bool NoticeToGuests { get; init; }
    /// <summary>Signs the links by which users agree (<c>form_secret</c>); null: there are none.</summary>
    public string? FormSecret { get; init; }
}

/// <summary><c>email</c>.</summary>
/// <param name="From">Who writes, such as <c>Example &lt;noreply@example.org&gt;</c>; <c>%(app)s</c> is the name of the application.</param>
public sealed record EmailConfig(string From)
{
    public string Host { get; init; } = "localhost";
    public int Port { get; init; } = 25;
    public string? User { get; init; }
    public string? Password { get; init; }
    /// <summary>STARTTLS is used when the server offers it.</summary>
    public bool EnableTls { get; init; } = true;
    /// <summary>Without TLS nothing is sent.</summary>
    public bool RequireTls { get; init; }
    public string AppName { get; init; } = "Matrix";
    public TimeSpan TokenLifetime { get; init; } = TimeSpan.FromHours(1);
    /// <summary>Folder with templates in the place of the built-in ones; null: none.</summary>
    public string? TemplateFolder { get; init; }
    public string PasswordResetSubject { get; init; } = "[%(server_name)s] Password reset";
    public string ValidationSubject { get; init; } = "[%(server_name)s] Validate your email";
}

/// <summary><c>turn_*</c>.</summary>
public sealed record TurnConfig
{
    public IReadOnlyList<string> Uris { get; init; } = [];
    public string? SharedSecret { get; init; }
    public string? Username { get; init; }
    public string? Password { get; init; }
    public TimeSpan UserLifetime { get; init; } = TimeSpan.FromHours(1);
    public bool AllowGuests { get; init; } = true;
}
