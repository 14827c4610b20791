namespace Matrix.ServiceDefaults;

/// <summary>
/// <c>homeserver.yaml</c> with Synapse's key names, after validation. Environment variables override it (docs/configuration.md).
/// A service reads this and nothing else.
/// </summary>
public sealed record HomeserverConfig
{
    public required string ServerName { get; init; }
    /// <summary>Base of URLs that are handed out, with a slash at the end; null when not configured.</summary>
    public string? PublicBaseUrl { get; init; }
    public required DatabaseConfig Database { get; init; }
    public RedisConfig Redis { get; init; } = new();
    public string SigningKeyPath { get; init; } = "";
    public string MediaStorePath { get; init; } = "";
    /// <summary>Bytes.</summary>
    public long MaxUploadSize { get; init; } = 50 * 1024 * 1024;
    public bool EnableRegistration { get; init; }
    public bool EnableRegistrationWithoutVerification { get; init; }
    public bool AllowGuestAccess { get; init; }
    public string? RegistrationSharedSecret { get; init; }
    /// <summary>Secret of /_internal; every process of a fleet has the same.</summary>
    public string WorkerReplicationSecret { get; init; } = "";
    public string? MacaroonSecretKey { get; init; }
    public string DefaultRoomVersion { get; init; } = "12";
    public RetentionConfig Retention { get; init; } = new();
    /// <summary>Delayed events that one user may have scheduled at a time.</summary>
    public const int MaxScheduledEvents = 100;
    /// <summary>Longest delay of delayed events (MSC4140); zero: there are none.</summary>
    public TimeSpan MaxEventDelay { get; init; } = TimeSpan.FromDays(1);
    /// <summary>PBKDF2 iterations of new password hashes (bcrypt_rounds of Synapse is mapped onto it).</summary>
    public int PasswordHashIterations { get; init; } = 100_000;
    public bool AllowPublicRoomsWithoutAuth { get; init; }
    public bool AllowPublicRoomsOverFederation { get; init; }
    public bool EnablePresence { get; init; } = true;
    /// <summary>Off: no rc_* limit is applied (load tests, conformance).</summary>
    public bool RateLimitsEnabled { get; init; } = true;
    public RateLimits RateLimits { get; init; } = new();
    /// <summary>Certificates of servers outside are verified; a switch for tests only.</summary>
    public bool FederationVerifyCertificates { get; init; } = true;
    public IReadOnlyList<string> FederationCustomCaList { get; init; } = [];
    /// <summary>Certificates of push gateways, application services and the like are verified; a switch for tests only.</summary>
    public bool OutboundVerifyCertificates { get; init; } = true;
    public IReadOnlyList<string>? FederationDomainWhitelist { get; init; }
    public IReadOnlyList<string> IpRangeBlacklist { get; init; } = [];
    public IReadOnlyList<TrustedKeyServer> TrustedKeyServers { get; init; } = [];
    public IReadOnlyList<string> AppServiceConfigFiles { get; init; } = [];
    /// <summary>
    /// Route class to service group, from stream_writers and armada.routes. Several groups or instance names are separated by commas; a group
    /// without a living instance is served by the class's usual service.
    /// </summary>
    public IReadOnlyDictionary<string, string> RouteGroups { get; init; } = new Dictionary<string, string>();
    /// <summary>Requests of a room go to one and the same instance. A switch for tests only: without it persisters fight for every room.</summary>
    public bool RoomAffinity { get; init; } = true;
    /// <summary>One memory budget for all caches of a process, in bytes.</summary>
    public long CacheBudgetBytes { get; init; } = 256L * 1024 * 1024;
    public ListenerConfig Listener { get; init; } = new();
    /// <summary>Which instances do a duty, by name; empty: all that run.</summary>
    public WorkerDuties Duties { get; init; } = new();
    /// <summary>Exceptions from <see cref="IpRangeBlacklist"/>.</summary>
    public IReadOnlyList<string> IpRangeWhitelist { get; init; } = [];
    /// <summary>Also count requests, connections and queries of the platform at /_internal/metrics (own metrics are there always).</summary>
    public bool EnableMetrics { get; init; }
    /// <summary>Share of traces that are kept, 0 to 1.</summary>
    public double TraceSampling { get; init; } = 1;
    public SsoConfig Sso { get; init; } = new();
    public OAuthConfig OAuth { get; init; } = new();
    public AccountsConfig Accounts { get; init; } = new();
    /// <summary>Null: no server notices are sent.</summary>
    public ServerNoticesConfig? ServerNotices { get; init; }
    public UsageConfig Usage { get; init; } = new();
    /// <summary>Share of those that begin with a client's poll (<c>/sync</c>), 0 to 1; multiplied with <see cref="TraceSampling"/>.</summary>
    public double TraceSamplingPolls { get; init; } = 0.1;
    /// <summary>Keys of Synapse that were read and have no effect, for the log.</summary>
    public IReadOnlyList<string> IgnoredKeys { get; init; } = [];
}

/// <summary><c>database.args</c>.</summary>
public sealed record DatabaseConfig
{
    public required string ConnectionString { get; init; }
    public int MinPoolSize { get; init; } = 1;
    public int MaxPoolSize { get; init; } = 10;
    public bool AllowUnsafeLocale { get; init; }
}

public sealed record RedisConfig
{
    public bool Enabled { get; init; }
    /// <summary>StackExchange.Redis form: host:port,password=...</summary>
    public string ConnectionString { get; init; } = "127.0.0.1:6379";
    /// <summary>Prefix of channels and keys; the server name by default, so that several homeservers can share a Redis.</summary>
    public string ChannelPrefix { get; init; } = "";
}

public sealed record TrustedKeyServer(string ServerName, IReadOnlyDictionary<string, string> VerifyKeys);

/// <summary>Public listener of the gateway or the monolith.</summary>
public sealed record ListenerConfig
{
    public int Port { get; init; } = 8008;
    public IReadOnlyList<string> BindAddresses { get; init; } = ["127.0.0.1"];
    public string? TlsCertificatePath { get; init; }
    public string? TlsPrivateKeyPath { get; init; }
    public int? TlsPort { get; init; }
    public bool XForwarded { get; init; }
    /// <summary>m.homeserver base URL of /.well-known/matrix/client; PublicBaseUrl when null.</summary>
    public bool ServeServerWellKnown { get; init; }
    public string? ExtraClientWellKnownJson { get; init; }
    /// <summary>The JSON object of /.well-known/matrix/support; null when not configured.</summary>
    public string? SupportWellKnownJson { get; init; }
    /// <summary>Everything to listen on; the properties above describe the first plain and the first TLS one.</summary>
    public IReadOnlyList<PublicEndpoint> Endpoints { get; init; } = [new(8008, ["127.0.0.1"], false, false)];
}

/// <summary>One listener of <c>listeners</c> that serves clients or servers.</summary>
public sealed record PublicEndpoint(int Port, IReadOnlyList<string> BindAddresses, bool Tls, bool XForwarded);

/// <summary>A token bucket: tokens a second, and how many may gather.</summary>
public sealed record RateLimit(double PerSecond, int BurstCount);

/// <summary>Synapse's <c>rc_*</c> keys with its defaults; those only that limit something here.</summary>
public sealed record RateLimits
{
    public RateLimit Message { get; init; } = new(0.2, 10);
    public RateLimit Registration { get; init; } = new(0.17, 3);
    public RateLimit LoginAddress { get; init; } = new(0.003, 5);
    public RateLimit LoginAccount { get; init; } = new(0.003, 5);
    public RateLimit LoginFailedAttempts { get; init; } = new(0.17, 3);
    public RateLimit JoinsLocal { get; init; } = new(0.1, 10);
    public RateLimit InvitesPerRoom { get; init; } = new(0.3, 10);
    public RateLimit InvitesPerUser { get; init; } = new(0.003, 5);
    public RateLimit RoomCreation { get; init; } = new(0.016, 10);
    public RateLimit JoinsPerRoom { get; init; } = new(1, 10);
    public RateLimit InvitesPerIssuer { get; init; } = new(0.3, 10);
    public RateLimit ThirdPartyInvite { get; init; } = new(0.2, 10);
    public RateLimit ThirdPartyValidation { get; init; } = new(0.003, 5);
    public RateLimit RegistrationTokenValidity { get; init; } = new(0.1, 5);
    public RateLimit Presence { get; init; } = new(0.1, 1);
    public RateLimit DelayedEvents { get; init; } = new(1, 5);
    public RateLimit Reports { get; init; } = new(1, 5);
    public RateLimit UserDirectory { get; init; } = new(0.016, 200);
    /// <summary>Null: redactions of administrators count as messages.</summary>
    public RateLimit? AdminRedaction { get; init; }
}

/// <summary><c>run_background_tasks_on</c> and its kind: names of instances; empty means every instance of the service.</summary>
public sealed record WorkerDuties
{
    public IReadOnlyList<string> BackgroundTasks { get; init; } = [];
    public IReadOnlyList<string> FederationSenders { get; init; } = [];
    public IReadOnlyList<string> Pushers { get; init; } = [];
    public IReadOnlyList<string> AppServices { get; init; } = [];
    public IReadOnlyList<string> UserDirectory { get; init; } = [];
    public IReadOnlyList<string> MediaBackground { get; init; } = [];
}

/// <summary>Who this process is, from its environment (docs/running.md).</summary>
/// <param name="Service">Service name, lower case: sync, eventpersister, monolith ...</param>
/// <param name="Name">Instance name, unique in the fleet: sync-1.</param>
/// <param name="Group">Group that the gateway routes to; the service unless ARMADA_GROUP says otherwise.</param>
public sealed record InstanceIdentity(string Service, string Name, string Group);

/// <summary><c>retention</c>: how long messages are shown. Null: no bound.</summary>
public sealed record RetentionConfig
{
    public bool Enabled { get; init; }
    /// <summary>For rooms that do not say it.</summary>
    public TimeSpan? DefaultMaxLifetime { get; init; }
    public TimeSpan? AllowedLifetimeMin { get; init; }
    public TimeSpan? AllowedLifetimeMax { get; init; }
}
