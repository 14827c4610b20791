using Matrix.ServiceDefaults;

namespace Matrix.Web.RateLimits;

/// <summary>Whose bucket a request takes from.</summary>
public enum RateLimitSubject
{
    /// <summary>The user's who asks. Exempt are those whom the administrator exempts.</summary>
    User,
    /// <summary>That of the address from which the request comes.</summary>
    Address,
    /// <summary>That of the room in the path (<c>roomId</c>).</summary>
    Room,
}

/// <summary>One of Synapse's <c>rc_*</c> keys.</summary>
/// <param name="Name">Of the buckets.</param>
/// <param name="Limit">Null: it does not apply.</param>
public sealed record RateLimitRule(string Name, RateLimitSubject Subject, Func<ServiceDefaults.RateLimits, RateLimit?> Limit)
{
    /// <summary>The rule for administrators, where one is configured; null: they are treated as anybody.</summary>
    public RateLimitRule? ForAdmins { get; init; }
}

/// <summary>The rules, by the names of their keys. What depends on the body of a request is taken in handlers, by <see cref="RateLimiter"/>.</summary>
public static class RateLimitRules
{
    public static readonly RateLimitRule Message = new("message", RateLimitSubject.User, l => l.Message);
    /// <summary>As messages; administrators, who have to redact what others wrote, may have a limit of their own.</summary>
    public static readonly RateLimitRule Redaction = Message with { ForAdmins = new("admin_redaction", RateLimitSubject.User, l => l.AdminRedaction) };
    public static readonly RateLimitRule LoginAddress = new("login.address", RateLimitSubject.Address, l => l.LoginAddress);
    public static readonly RateLimitRule LoginAccount = new("login.account", RateLimitSubject.User, l => l.LoginAccount);
    public static readonly RateLimitRule LoginFailedAttempts = new("login.failed_attempts", RateLimitSubject.User, l => l.LoginFailedAttempts);
    public static readonly RateLimitRule Registration = new("registration", RateLimitSubject.Address, l => l.Registration);
    /// <summary>Applications register, and devices begin to sign in, without an account: each has a bucket of its own beside that of accounts.</summary>
    public static readonly RateLimitRule OAuthClients = new("oauth.register", RateLimitSubject.Address, l => l.Registration);
    public static readonly RateLimitRule OAuthDevices = new("oauth.device_authorization", RateLimitSubject.Address, l => l.Registration);
    public static readonly RateLimitRule RegistrationTokenValidity = new("registration_token_validity", RateLimitSubject.Address, l => l.RegistrationTokenValidity);
    public static readonly RateLimitRule JoinsLocal = new("joins.local", RateLimitSubject.User, l => l.JoinsLocal);
    public static readonly RateLimitRule JoinsPerRoom = new("joins_per_room", RateLimitSubject.Room, l => l.JoinsPerRoom);
    public static readonly RateLimitRule InvitesPerRoom = new("invites.per_room", RateLimitSubject.Room, l => l.InvitesPerRoom);
    public static readonly RateLimitRule InvitesPerUser = new("invites.per_user", RateLimitSubject.User, l => l.InvitesPerUser);
    public static readonly RateLimitRule InvitesPerIssuer = new("invites.per_issuer", RateLimitSubject.User, l => l.InvitesPerIssuer);
    public static readonly RateLimitRule ThirdPartyInvite = new("third_party_invite", RateLimitSubject.User, l => l.ThirdPartyInvite);
    public static readonly RateLimitRule ThirdPartyValidation = new("3pid_validation", RateLimitSubject.Address, l => l.ThirdPartyValidation);
    public static readonly RateLimitRule RoomCreation = new("room_creation", RateLimitSubject.User, l => l.RoomCreation);
    public static readonly RateLimitRule Presence = new("presence.per_user", RateLimitSubject.User, l => l.Presence);
    public static readonly RateLimitRule DelayedEvents = new("delayed_event_mgmt", RateLimitSubject.User, l => l.DelayedEvents);
    public static readonly RateLimitRule Reports = new("reports", RateLimitSubject.User, l => l.Reports);
    public static readonly RateLimitRule UserDirectory = new("user_directory", RateLimitSubject.User, l => l.UserDirectory);
}
