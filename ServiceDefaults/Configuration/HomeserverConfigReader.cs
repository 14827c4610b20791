using System.Text.RegularExpressions;

namespace Matrix.ServiceDefaults.Configuration;

/// <summary>From keys to <see cref="HomeserverConfig"/>. One method for each group of keys; the databases, listeners and limits have files of their own.</summary>
internal sealed partial class HomeserverConfigReader(
    ConfigSection root, string folder, IReadOnlyDictionary<string, string> environment, List<string> warnings)
{
    private static readonly string[] RoomVersions = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"];

    public bool NamesDatabase { get; private set; }
    public bool NamesRedis { get; private set; }

    public HomeserverConfig Read()
    {
        var serverName = ReadServerName();
        var redis = ReadRedis(serverName);
        var ours = root.Section("armada");
        var config = new HomeserverConfig
        {
            ServerName = serverName,
            PublicBaseUrl = ReadPublicBaseUrl(),
            Database = ReadDatabase(),
            Redis = redis,
            Listener = ReadListener(ours),
            SigningKeyPath = ReadSigningKeyPath(serverName),
            MediaStorePath = FullPath(root.Text("media_store_path") ?? "media_store"),
            MaxUploadSize = root.Size("max_upload_size", 50 << 20, "50M"),
            AllowGuestAccess = root.Boolean("allow_guest_access", false),
            RegistrationSharedSecret = ReadSecret(root, "registration_shared_secret", makeFile: true),
            WorkerReplicationSecret = ReadReplicationSecret(redis.Enabled),
            MacaroonSecretKey = ReadSecret(root, "macaroon_secret_key"),
            DefaultRoomVersion = ReadRoomVersion(),
            Retention = ReadRetention(),
            MaxEventDelay = root.Duration("max_event_delay_duration", TimeSpan.FromDays(1), "24h"),
            PasswordHashIterations = ReadHashIterations(ours),
            AllowPublicRoomsWithoutAuth = root.Boolean("allow_public_rooms_without_auth", false),
            AllowPublicRoomsOverFederation = root.Boolean("allow_public_rooms_over_federation", false),
            EnablePresence = ReadPresence(),
            RateLimitsEnabled = ours.Boolean("rate_limits_enabled", true),
            RateLimits = ReadRateLimits(),
            FederationVerifyCertificates = root.Boolean("federation_verify_certificates", true),
            OutboundVerifyCertificates = ours.Boolean("outbound_verify_certificates", true),
            FederationCustomCaList = ReadFiles("federation_custom_ca_list", "certificate"),
            FederationDomainWhitelist = root.Texts("federation_domain_whitelist"),
            IpRangeBlacklist = ReadRanges("ip_range_blacklist") ?? ReadRanges("federation_ip_range_blacklist") ?? PrivateRanges,
            IpRangeWhitelist = ReadRanges("ip_range_whitelist") ?? [],
            TrustedKeyServers = ReadTrustedKeyServers(),
            AppServiceConfigFiles = ReadFiles("app_service_config_files", "registration"),
            RouteGroups = ReadRouteGroups(ours),
            RoomAffinity = ours.Boolean("room_affinity", true),
            Duties = ReadDuties(),
            CacheBudgetBytes = ReadCacheBudget(ours),
            EnableMetrics = root.Boolean("enable_metrics", false),
            TraceSampling = ours.Number("trace_sampling", 1, 0, 1),
            Sso = ReadSso(),
            OAuth = ReadOAuth(ours),
            Accounts = ReadAccounts(),
            ServerNotices = ReadServerNotices(),
            Usage = ReadUsage(),
            TraceSamplingPolls = ours.Number("trace_sampling_polls", 0.1, 0, 1),
        };
        return ReadRegistration(config);
    }

    private string ReadServerName()
    {
        if (root.Text("server_name") is not { Length: > 0 } name)
        {
            root.Fault("server_name", root.Has("server_name") ? "is empty" : "is missing",
                "server_name: example.org   (the part of user ids after the colon; it cannot be changed later)");
            return "";
        }

        if (!ServerName().IsMatch(name) || name.Length > 230)
        {
            root.Fault("server_name", "is not a server name: a host name or an address, and a port if need be, without https:// and without spaces",
                "server_name: example.org");
        }

        return name;
    }

    private string? ReadPublicBaseUrl()
    {
        if (root.Text("public_baseurl") is not { } text)
        {
            return null;
        }

        if (Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" && url is { Query: "", Fragment: "" })
        {
            return text.EndsWith('/') ? text : text + "/";
        }

        root.Fault("public_baseurl", "is not an http or https address", "public_baseurl: https://matrix.example.org/");
        return null;
    }

    private string ReadSigningKeyPath(string serverName)
    {
        var path = FullPath(root.Text("signing_key_path") ?? $"{serverName.Replace(':', '_')}.signing.key");
        if (serverName.Length > 0 && !File.Exists(path))
        {
            root.Fault("signing_key_path", root.Has("signing_key_path") ? $"names no file ({path})" : $"is missing, and {path} does not exist",
                "copy the key of the server that you move from, or make a new one:  ./run key PATH");
        }

        return path;
    }

    private HomeserverConfig ReadRegistration(HomeserverConfig config)
    {
        var isOpen = root.Boolean("enable_registration", false);
        var withoutVerification = root.Boolean("enable_registration_without_verification", false);
        var accounts = config.Accounts;
        var verified = accounts.RegistrationsRequire3pid.Count > 0 || accounts.Captcha.AtRegistration || accounts.RegistrationRequiresToken;
        if (isOpen && !withoutVerification && !verified)
        {
            // Synapse: refuses to start as well, because such servers are found and used by spammers.
            root.Fault("enable_registration", "lets anybody make accounts without any check",
                "enable_registration: false,   or   registration_requires_token: true,   or, if it is meant so, enable_registration_without_verification: true");
        }

        return config with { EnableRegistration = isOpen, EnableRegistrationWithoutVerification = withoutVerification };
    }

    private string ReadReplicationSecret(bool isFleet)
    {
        var secret = ReadSecret(root, "worker_replication_secret");
        if (secret is null && isFleet)
        {
            root.Fault("worker_replication_secret", "is missing, and the services of a fleet prove themselves to each other with it",
                "worker_replication_secret: \"some long random text\"   (the same for all services)");
        }

        return secret ?? "";
    }

    /// <summary>A secret is given as text, or in a file by the same key with <c>_path</c>, not both.</summary>
    private string? ReadSecret(ConfigSection section, string key, bool makeFile = false)
    {
        var text = section.Text(key);
        var pathKey = key + "_path";
        if (section.Text(pathKey) is not { } path)
        {
            return text is "" ? null : text;
        }

        if (text is not null)
        {
            section.Fault(pathKey, $"is given, and {key} too", $"keep one of  {key}  and  {pathKey}");
            return text;
        }

        try
        {
            var file = FullPath(path);
            if (makeFile && !File.Exists(file))
            {
                // Synapse: makes registration_shared_secret_path when it is not there.
                ConfigGenerator.WriteSecretFile(file, ConfigGenerator.NewSecret());
            }

            return File.ReadAllText(file).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            section.Fault(pathKey, $"cannot be read: {e.Message}", "put the secret into that file and make it readable for the server");
            return null;
        }
    }

    private string ReadRoomVersion()
    {
        if (root.Text("default_room_version") is not { } version)
        {
            return "12";
        }

        if (!RoomVersions.Contains(version))
        {
            root.Fault("default_room_version", "is no room version", "default_room_version: \"12\"   (1 to 12)");
        }

        return version;
    }

    /// <summary>bcrypt's rounds are powers of two; its usual 12 stands for our usual count.</summary>
    private int ReadHashIterations(ConfigSection ours)
    {
        var rounds = root.WholeNumber("bcrypt_rounds", 12, 4, 31);
        var mapped = Math.ScaleB(new HomeserverConfig { ServerName = "", Database = new() { ConnectionString = "" } }.PasswordHashIterations, rounds - 12);
        return ours.WholeNumber("password_hash_iterations", (int)Math.Clamp(mapped, 1, 10_000_000), 1, 10_000_000);
    }

    private bool ReadPresence()
    {
        var section = root.Section("presence");
        var legacy = root.Boolean("use_presence", true);
        // Synapse: "untracked" keeps the API and drops the state, which is as good as off for clients.
        if (section.Text("enabled") is "untracked")
        {
            return false;
        }

        return section.Boolean("enabled", legacy);
    }

    private TrustedKeyServer[] ReadTrustedKeyServers()
    {
        if (root.Sections("trusted_key_servers") is not { } sections)
        {
            // Synapse: this is its default too.
            return root.Has("trusted_key_servers") ? [] : [new("matrix.org", new Dictionary<string, string>())];
        }

        return [.. sections.Select(section =>
        {
            var name = section.Text("server_name");
            if (name is null)
            {
                section.Fault("server_name", "is missing", "server_name: matrix.org");
            }

            _ = section.Boolean("accept_keys_insecurely", false);
            var keys = section.Section("verify_keys");
            return new TrustedKeyServer(name ?? "", keys.Keys.ToDictionary(k => k, k => keys.Text(k) ?? ""));
        })];
    }

    private long ReadCacheBudget(ConfigSection ours)
    {
        var caches = root.Section("caches");
        var factor = caches.Number("global_factor", 0.5, 0.01, 1000);
        var otherwise = (long)(factor / 0.5 * 256 * 1024 * 1024);
        var tuned = caches.Section("cache_autotuning").Size("max_cache_memory_usage", otherwise, "1024M");
        return Math.Max(ours.Size("cache_size", tuned, "256M"), 8 << 20);
    }

    private List<string> ReadFiles(string key, string what)
    {
        var files = (root.Texts(key) ?? []).Select(FullPath).ToList();
        foreach (var file in files.Where(f => !File.Exists(f)))
        {
            root.Fault(key, $"names a {what} file that does not exist: {file}", $"correct the path, or take it out of {key}");
        }

        return files;
    }

    private string FullPath(string path) => Path.GetFullPath(path, folder);

    [GeneratedRegex(@"^([0-9A-Za-z._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$")]
    private static partial Regex ServerName();
}
