using System.Data.Common;
using Matrix.ServiceDefaults;
using Matrix.ServiceDefaults.Configuration;

namespace Matrix.Unit.Configuration;

public sealed class ConfigReadingTests : IDisposable
{
    private readonly ConfigFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void What_is_not_written_has_the_documented_default()
    {
        var config = folder.With("");
        Assert.Equal("example.org", config.ServerName);
        Assert.Equal(Path.Combine(folder.Path, "key"), config.SigningKeyPath);
        Assert.Equal(Path.Combine(folder.Path, "media_store"), config.MediaStorePath);
        Assert.Equal(50 * 1024 * 1024, config.MaxUploadSize);
        Assert.Equal("12", config.DefaultRoomVersion);
        Assert.False(config.EnableRegistration);
        Assert.False(config.Redis.Enabled);
        Assert.True(config.EnablePresence);
        Assert.Null(config.FederationDomainWhitelist);
        Assert.Contains("10.0.0.0/8", config.IpRangeBlacklist);
        Assert.Equal("matrix.org", Assert.Single(config.TrustedKeyServers).ServerName);
        Assert.Equal(new RateLimits(), config.RateLimits);
        Assert.Equal(new PublicEndpoint(8008, ["127.0.0.1"], false, false).ToString(), Assert.Single(config.Listener.Endpoints).ToString());
    }

    [Fact]
    public void Connection_parameters_of_libpq_become_those_of_Npgsql()
    {
        var loaded = folder.Load(
            """
            server_name: example.org
            signing_key_path: key
            database:
              name: psycopg2
              args:
                host: db.example.org
                port: 5433
                user: synapse
                password: "it's; secret"
                dbname: synapse
                sslmode: verify-full
                connect_timeout: 7
                keepalives_idle: 10
                keepalives_interval: 5
                keepalives_count: 3
                cp_min: 5
                cp_max: 20
                cp_reconnect: true
            """);
        Assert.Empty(loaded.Faults);
        Assert.Empty(loaded.Warnings);
        var connection = new DbConnectionStringBuilder { ConnectionString = loaded.Config!.Database.ConnectionString };
        Assert.Equal("db.example.org", connection["Host"]);
        Assert.Equal("5433", connection["Port"]);
        Assert.Equal("synapse", connection["Username"]);
        Assert.Equal("it's; secret", connection["Password"]);
        Assert.Equal("synapse", connection["Database"]);
        Assert.Equal("VerifyFull", connection["SSL Mode"]);
        Assert.Equal("7", connection["Timeout"]);
        Assert.Equal("10", connection["TCP Keepalive Time"]);
        Assert.Equal("5", connection["TCP Keepalive Interval"]);
        Assert.Equal("5", connection["Minimum Pool Size"]);
        Assert.Equal("20", connection["Maximum Pool Size"]);
        Assert.Equal((5, 20), (loaded.Config.Database.MinPoolSize, loaded.Config.Database.MaxPoolSize));
    }

    [Fact]
    public void Connection_strings_of_the_environment_come_first()
    {
        var config = folder.With("", ("ConnectionStrings__database", "Host=other;Database=fleet"), ("ConnectionStrings__redis", "cache:6380,password=x"),
            ("ARMADA__worker_replication_secret", "s"));
        Assert.StartsWith("Host=other;Database=fleet", new DbConnectionStringBuilder { ConnectionString = config.Database.ConnectionString }.ConnectionString, StringComparison.OrdinalIgnoreCase);
        Assert.Equal((true, "cache:6380,password=x"), (config.Redis.Enabled, config.Redis.ConnectionString));
    }

    [Fact]
    public void A_single_entry_of_databases_is_the_database()
    {
        var loaded = folder.Load(
            """
            server_name: example.org
            signing_key_path: key
            databases:
              master: { data_stores: [main, state], args: { database: synapse } }
            """);
        Assert.Empty(loaded.Faults);
        Assert.Empty(loaded.Warnings);
    }

    [Fact]
    public void Redis_options_become_one_connection_string()
    {
        folder.Write("redis.secret", "hunter2\n");
        var config = folder.With("""
            redis: { enabled: true, host: cache, port: 6380, dbid: 3, password_path: redis.secret, use_tls: yes }
            worker_replication_secret: s
            """);
        Assert.Equal("cache:6380,password=hunter2,defaultDatabase=3,ssl=true", config.Redis.ConnectionString);
        Assert.Equal("example.org", config.Redis.ChannelPrefix);
    }

    [Fact]
    public void Listeners_for_clients_and_servers_are_kept_and_others_left_out()
    {
        folder.Write("cert.pem", "");
        var config = folder.With("""
            tls_certificate_path: cert.pem
            tls_private_key_path: cert.pem
            listeners:
              - { port: 9000, type: metrics, bind_addresses: ['127.0.0.1'] }
              - port: 8448
                tls: true
                x_forwarded: true
                resources: [{ names: [federation] }]
              - { port: 8008, bind_addresses: ['::1', '127.0.0.1'], resources: [{ names: [client] }] }
              - { port: 9093, resources: [{ names: [replication] }] }
            """);
        Assert.Equal([8448, 8008], config.Listener.Endpoints.Select(e => e.Port));
        Assert.Equal(["::", "0.0.0.0"], config.Listener.Endpoints[0].BindAddresses);
        Assert.Equal((8008, 8448, false), (config.Listener.Port, config.Listener.TlsPort, config.Listener.XForwarded));
        Assert.Equal(Path.Combine(folder.Path, "cert.pem"), config.Listener.TlsCertificatePath);
    }

    [Fact]
    public void Environment_variables_reach_any_key()
    {
        var config = folder.With(
            """
            listeners: [{ port: 8008 }]
            max_upload_size: 1M
            """,
            ("ARMADA__listeners__0__port", "9001"), ("ARMADA__MAX_UPLOAD_SIZE", "2G"), ("ARMADA__rc_login__account__burst_count", "7"),
            ("ARMADA__federation_domain_whitelist", "[a.example, b.example]"), ("ARMADA__trusted_key_servers__0__server_name", "keys.example"),
            ("ARMADA__registration_shared_secret", "[no yaml"), ("ARMADA_INSTANCE", "sync-1"));
        Assert.Equal(9001, config.Listener.Port);
        Assert.Equal(2L << 30, config.MaxUploadSize);
        Assert.Equal(7, config.RateLimits.LoginAccount.BurstCount);
        Assert.Equal(["a.example", "b.example"], config.FederationDomainWhitelist);
        Assert.Equal("keys.example", Assert.Single(config.TrustedKeyServers).ServerName);
        Assert.Equal("[no yaml", config.RegistrationSharedSecret);
    }

    [Fact]
    public void Later_files_replace_whole_keys_of_earlier_ones()
    {
        folder.Write("1.yaml", ConfigFolder.Minimal + "rc_message: { per_second: 1, burst_count: 2 }\n");
        folder.Write("2.yaml", "rc_message: { per_second: 3 }\n");
        var loaded = HomeserverConfigLoader.Load(new Dictionary<string, string> { ["ARMADA_CONFIG"] = folder.Path });
        Assert.Equal(new RateLimit(3, 10), loaded.Config!.RateLimits.Message);
    }

    [Fact]
    public void Stream_writers_and_routes_say_where_requests_go()
    {
        var config = folder.With("""
            stream_writers: { events: [persister-1, persister-2], typing: typing-1 }
            armada: { routes: { login: login-workers } }
            """);
        Assert.Equal(new Dictionary<string, string> { ["event_send"] = "persister-1,persister-2", ["typing"] = "typing-1", ["login"] = "login-workers" }, config.RouteGroups);
    }

    [Fact]
    public void Duties_name_their_instances()
    {
        var config = folder.With("""
            run_background_tasks_on: background-1
            federation_sender_instances: [sender-1, sender-2]
            pusher_instances: [push-1]
            """);
        Assert.Equal(["background-1"], config.Duties.BackgroundTasks);
        Assert.Equal(["sender-1", "sender-2"], config.Duties.FederationSenders);
        Assert.Equal(["push-1"], config.Duties.Pushers);
    }

    [Fact]
    public void Keys_of_Synapse_without_effect_are_listed_and_unknown_ones_warned_of_with_the_nearest()
    {
        var loaded = folder.Load(ConfigFolder.Minimal + """
            report_stats: false
            email: { smtp_host: mail, enable_notifs: true }
            caches: { global_factor: 1, expire_caches: false }
            enable_regstration: true
            rc_message: { per_secnd: 1 }
            armada: { cache_sise: 1M }
            zzz: 1
            max_upload_size: 1M
            max_upload_size: 2M
            """);
        Assert.Empty(loaded.Faults);
        Assert.Equal(["report_stats", "email.enable_notifs", "caches.expire_caches"], loaded.Config!.IgnoredKeys);
        Assert.Equal(
        [
            "max_upload_size is written twice in homeserver.yaml, lines 11 and 12: the last one counts",
            "enable_regstration (homeserver.yaml, line 7) is no known key and has no effect; did you mean enable_registration?",
            "rc_message.per_secnd (homeserver.yaml, line 8) is no known key and has no effect; did you mean rc_message.per_second?",
            "armada.cache_sise (homeserver.yaml, line 9) is no known key and has no effect; did you mean armada.cache_size?",
            "zzz (homeserver.yaml, line 10) is no known key and has no effect",
        ], loaded.Warnings);
        Assert.Equal(2 << 20, loaded.Config.MaxUploadSize);
        Assert.Equal(512 << 20, loaded.Config.CacheBudgetBytes);
    }

    [Fact]
    public void Profiles_are_told_to_other_servers_and_names_of_devices_are_not_unless_said_otherwise()
    {
        var (unsaid, said) = (folder.With("").Accounts.Profiles, folder.With("allow_profile_lookup_over_federation: false\nallow_device_name_lookup_over_federation: true").Accounts.Profiles);
        Assert.Equal((true, false), (unsaid.OverFederation, unsaid.DeviceNamesOverFederation));
        Assert.Equal((false, true), (said.OverFederation, said.DeviceNamesOverFederation));
    }

    [Fact]
    public void Further_well_known_content_becomes_json() =>
        Assert.Equal("""{"org.example":{"enabled":true,"name":"a \u0022b\u0022","limits":[1,"2",null]}}""",
            folder.With("""extra_well_known_client_content: { org.example: { enabled: yes, name: 'a "b"', limits: [1, "2", ~] } }""").Listener.ExtraClientWellKnownJson);

    [Fact]
    public void A_secret_file_that_is_not_there_is_made_once()
    {
        var first = folder.With("registration_shared_secret_path: reg").RegistrationSharedSecret;
        Assert.True(first!.Length > 30);
        Assert.Equal(first, folder.With("registration_shared_secret_path: reg").RegistrationSharedSecret);
    }

    [Theory]
    [InlineData(4, 390)]
    [InlineData(12, 100_000)]
    [InlineData(13, 200_000)]
    public void Rounds_of_bcrypt_become_iterations(int rounds, int iterations) =>
        Assert.Equal(iterations, folder.With($"bcrypt_rounds: {rounds}").PasswordHashIterations);

    [Theory]
    [InlineData("presence: { enabled: false }", false)]
    [InlineData("presence: { enabled: untracked }", false)]
    [InlineData("use_presence: false", false)]
    [InlineData("presence: { enabled: true }", true)]
    public void Presence_has_three_spellings(string yaml, bool expected) => Assert.Equal(expected, folder.With(yaml).EnablePresence);

    [Fact]
    public void Anchors_and_merges_of_yaml_work()
    {
        var config = folder.With("""
            rc_message: &wide { per_second: 5, burst_count: 50 }
            rc_registration: *wide
            rc_room_creation: { <<: *wide, burst_count: 9 }
            """);
        Assert.Equal(new RateLimit(5, 50), config.RateLimits.Registration);
        Assert.Equal(new RateLimit(5, 9), config.RateLimits.RoomCreation);
    }

    [Fact]
    public void What_is_generated_for_a_local_run_is_in_order()
    {
        var lines = ConfigGenerator.WriteLocal(folder.Path, "localhost", 8123);
        Assert.Equal(3, lines.Count);
        var loaded = HomeserverConfigLoader.LoadFiles([Path.Combine(folder.Path, "homeserver.yaml")],
            new Dictionary<string, string> { ["ConnectionStrings__database"] = "Host=x;Database=y", ["ConnectionStrings__redis"] = "x" });
        Assert.Empty(loaded.Faults);
        Assert.Empty(loaded.Warnings);
        Assert.Empty(loaded.Config!.IgnoredKeys);
        Assert.Equal((8123, "127.0.0.1"), (loaded.Config.Listener.Port, Assert.Single(loaded.Config.Listener.BindAddresses)));
        Assert.True(loaded.Config.EnableRegistration);
        Assert.Equal("http://localhost:8123/", loaded.Config.PublicBaseUrl);
        Assert.Equal(3, new[] { loaded.Config.WorkerReplicationSecret, loaded.Config.RegistrationSharedSecret, loaded.Config.MacaroonSecretKey }.Distinct().Count());
        Assert.Matches("^ed25519 a_[A-Za-z]{4} [A-Za-z0-9+/]{43}\n$", folder.Read("localhost.signing.key"));
    }

    [Fact]
    public void A_signing_key_that_is_there_is_kept()
    {
        folder.Write("localhost.signing.key", "mine");
        ConfigGenerator.WriteLocal(folder.Path, "localhost", 8123);
        Assert.Equal("mine", folder.Read("localhost.signing.key"));
    }
}
