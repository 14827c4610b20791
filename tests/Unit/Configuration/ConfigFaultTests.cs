using Matrix.ServiceDefaults.Configuration;

namespace Matrix.Unit.Configuration;

public sealed class ConfigFaultTests : IDisposable
{
    private readonly ConfigFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void All_faults_come_at_once_with_key_value_place_and_cure()
    {
        var loaded = folder.Load(
            """
            server_name: https://example.org
            public_baseurl: example.org
            database:
              name: sqlite3
              args: { cp_min: 20, cp_max: many, sslmode: perhaps }
            redis: { enabled: true, path: /run/redis.sock }
            listeners:
              - { port: 80000, type: http, bind_addresses: [example.org] }
            max_upload_size: 50 MB
            default_room_version: 13
            enable_registration: true
            rc_message: { per_second: -1 }
            rc_reports: { burst_count: 1x }
            ip_range_blacklist: [10.0.0.0/99]
            signing_key_path: nowhere.key
            tls_certificate_path: [a, b]
            presence: off
            """);
        Assert.Null(loaded.Config);
        Assert.Equal(
            """
            The configuration cannot be used: 20 faults.

              server_name: https://example.org is not a server name: a host name or an address, and a port if need be, without https:// and without spaces
                  in  homeserver.yaml, line 1
                  fix server_name: example.org

              redis.path: /run/redis.sock is a Unix socket, which the Redis client of this server does not know
                  in  homeserver.yaml, line 6
                  fix host: localhost   and   port: 6379

              public_baseurl: example.org is not an http or https address
                  in  homeserver.yaml, line 2
                  fix public_baseurl: https://matrix.example.org/

              database.name: sqlite3 keeps data in a file that many processes cannot share
                  in  homeserver.yaml, line 4
                  fix name: psycopg2   with a PostgreSQL under  args  (docs/running.md tells how to move)

              database.args.cp_max: many is not a whole number
                  in  homeserver.yaml, line 5
                  fix cp_max: 10

              database.args.cp_min: 20 is more than database.args.cp_max (10)
                  in  homeserver.yaml, line 5
                  fix cp_min: 1

              database.args.sslmode: perhaps is not a mode of TLS
                  in  homeserver.yaml, line 5
                  fix sslmode: disable, allow, prefer, require, verify-ca or verify-full

              database.args.database is missing: nothing says which PostgreSQL database to use
                  fix database: { name: psycopg2, args: { host: localhost, user: armada, password: ..., database: armada } }

              tls_certificate_path: [...] is not a single value
                  in  homeserver.yaml, line 16
                  fix write one value on the line

              listeners[0].port: 80000 is not between 0 and 65535
                  in  homeserver.yaml, line 8
                  fix port: 8008

              listeners[0].bind_addresses: [...] contains example.org, which is no address of this machine
                  in  homeserver.yaml, line 8
                  fix bind_addresses: ['127.0.0.1']   or   ['::', '0.0.0.0']   for all

              signing_key_path: nowhere.key names no file (/etc/armada/nowhere.key)
                  in  homeserver.yaml, line 15
                  fix copy the key of the server that you move from, or make a new one:  ./run key PATH

              max_upload_size: 50 MB is not a size (a number of bytes, or a number with K, M, G or T)
                  in  homeserver.yaml, line 9
                  fix max_upload_size: 50M

              worker_replication_secret is missing, and the services of a fleet prove themselves to each other with it
                  fix worker_replication_secret: "some long random text"   (the same for all services)

              default_room_version: 13 is no room version
                  in  homeserver.yaml, line 10
                  fix default_room_version: "12"   (1 to 12)

              presence: off is not a section
                  in  homeserver.yaml, line 17
                  fix write the keys of presence on lines of their own, indented by two spaces

              rc_message.per_second: -1 is not a number of 0 or more
                  in  homeserver.yaml, line 12
                  fix per_second: 0.2

              rc_reports.burst_count: 1x is not a whole number
                  in  homeserver.yaml, line 13
                  fix burst_count: 5

              ip_range_blacklist: [...] contains 10.0.0.0/99, which is no range of addresses
                  in  homeserver.yaml, line 14
                  fix ip_range_blacklist: ['10.0.0.0/8', 'fc00::/7']

              enable_registration: true lets anybody make accounts without any check
                  in  homeserver.yaml, line 11
                  fix enable_registration: false,   or   registration_requires_token: true,   or, if it is meant so, enable_registration_without_verification: true

            """,
            ConfigFault.Format(loaded.Faults).Replace(folder.Path, "/etc/armada", StringComparison.Ordinal));
    }

    [Fact]
    public void Text_that_is_no_yaml_is_one_fault_with_its_place() =>
        Assert.Equal(
            """
            The configuration cannot be used: 1 fault.

              configuration is not valid YAML: While parsing a block mapping, did not find expected key.
                  in  homeserver.yaml, line 2, column 1
                  fix mend the line; indentation counts, and a value with  : # { [ * &  needs quotes

            """,
            ConfigFault.Format(folder.Load("server_name: a\nb\nc: d\n").Faults));

    [Fact]
    public void A_file_that_is_not_there_is_the_only_fault()
    {
        var loaded = HomeserverConfigLoader.Load(new Dictionary<string, string> { ["ARMADA_CONFIG"] = "/nowhere/homeserver.yaml" });
        Assert.Equal(("/nowhere/homeserver.yaml", "does not exist"), (Assert.Single(loaded.Faults).Value, loaded.Faults[0].Problem));
    }

    [Fact]
    public void Without_ARMADA_CONFIG_the_fault_names_it() =>
        Assert.Contains("ARMADA_CONFIG", Assert.Single(HomeserverConfigLoader.Load(new Dictionary<string, string>()).Faults).Fix, StringComparison.Ordinal);

    [Theory]
    [InlineData("redis: { enabled: true, password: 'a,secret' }\nworker_replication_secret: x", "redis.password: (hidden)")]
    [InlineData("registration_shared_secret: [secret]", "registration_shared_secret: [...]")]
    public void Secrets_never_appear(string yaml, string shown)
    {
        var text = folder.FaultsWith(yaml);
        Assert.Contains(shown, text, StringComparison.Ordinal);
        Assert.DoesNotContain("a,secret", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_value_from_the_environment_is_told_by_its_variable() =>
        Assert.Contains("      in  environment variable ARMADA__database__args__cp_max\n", folder.FaultsWith("", ("ARMADA__database__args__cp_max", "many")), StringComparison.Ordinal);

    [Fact]
    public void A_secret_and_its_file_together_are_a_fault()
    {
        folder.Write("secret", "x");
        Assert.Contains("registration_shared_secret_path: secret is given, and registration_shared_secret too",
            folder.FaultsWith("registration_shared_secret: a\nregistration_shared_secret_path: secret"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("listeners: []", "listeners: [...] has no entry that serves clients")]
    [InlineData("listeners: [{ port: 9000, type: metrics }]", "listeners: [...] has no entry that serves clients")]
    [InlineData("listeners: [{ port: 8448, tls: true }]", "tls_private_key_path is missing, and a listener has  tls: true")]
    [InlineData("listeners: [{ port: 8448, bind_addresses: ['::'] }, { port: 8448, bind_addresses: ['::'] }]", "listeners: [...] name port 8448 twice on the same address")]
    [InlineData("app_service_config_files: [bridge.yaml]", "app_service_config_files: [...] names a registration file that does not exist: /etc/armada/bridge.yaml")]
    [InlineData("extra_well_known_client_content: text", "extra_well_known_client_content: text is not a section")]
    [InlineData("trusted_key_servers: [{ verify_keys: {} }]", "trusted_key_servers[0].server_name is missing")]
    [InlineData("bcrypt_rounds: 40", "bcrypt_rounds: 40 is not between 4 and 31")]
    [InlineData("armada: { trace_sampling: 2 }", "armada.trace_sampling: 2 is not a number between 0 and 1")]
    public void What_is_wrong_is_said(string yaml, string expected) => Assert.Contains("  " + expected + "\n", folder.FaultsWith(yaml), StringComparison.Ordinal);
}
