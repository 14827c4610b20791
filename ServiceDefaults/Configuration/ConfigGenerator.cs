using System.Security.Cryptography;
using System.Text;

namespace Matrix.ServiceDefaults.Configuration;

/// <summary>Writes a configuration that works at once on one machine, and the secrets that it needs.</summary>
public static class ConfigGenerator
{
    public const string FileName = "homeserver.yaml";

    /// <summary>
    /// Writes <c>homeserver.yaml</c> and the signing key below <paramref name="folder"/>. A key that is there is kept: a server that loses its key
    /// loses its name.
    /// </summary>
    /// <returns>Sentences that tell what was chosen and why.</returns>
    public static IReadOnlyList<string> WriteLocal(string folder, string serverName, int port)
    {
        Directory.CreateDirectory(folder);
        var keyPath = Path.Combine(folder, $"{serverName.Replace(':', '_')}.signing.key");
        var hadKey = File.Exists(keyPath);
        if (!hadKey)
        {
            WriteSecretFile(keyPath, NewSigningKey());
        }

        WriteSecretFile(Path.Combine(folder, FileName), LocalYaml(serverName, port, Path.GetFileName(keyPath), NewSecret(), NewSecret(), NewSecret()));
        return
        [
            $"wrote {Path.Combine(folder, FileName)}: server name {serverName}, port {port} on loopback only",
            "anybody on this machine may register; before you open the port, set enable_registration_without_verification to false",
            hadKey ? $"kept the signing key {keyPath}" : $"made the signing key {keyPath}; keep a copy, it is the identity of this server",
        ];
    }

    public static string LocalYaml(string serverName, int port, string signingKeyPath, string replicationSecret, string registrationSecret, string macaroonSecret) =>
        $$"""
        # Configuration of a local run; docs/configuration.md lists all keys. Names and meanings are those of Synapse.
        server_name: "{{serverName}}"
        public_baseurl: "http://localhost:{{port}}/"

        listeners:
          - port: {{port}}
            type: http
            bind_addresses: ["127.0.0.1"]
            x_forwarded: false
            resources:
              - names: [client, federation]

        # A local run starts a PostgreSQL and a Redis of its own. To use yours instead:
        # database:
        #   name: psycopg2
        #   args: { host: localhost, port: 5432, user: armada, password: secret, database: armada, cp_min: 1, cp_max: 10 }
        # redis: { enabled: true, host: localhost, port: 6379 }

        signing_key_path: "{{signingKeyPath}}"
        media_store_path: "media"
        trusted_key_servers: []

        # Loopback only, so anybody who reaches the port may make an account.
        enable_registration: true
        enable_registration_without_verification: true
        registration_shared_secret: "{{registrationSecret}}"
        worker_replication_secret: "{{replicationSecret}}"
        macaroon_secret_key: "{{macaroonSecret}}"

        # One person plays many users here, and load scenarios drive them hard. Take these lines out before you open the port: the rc_* limits hold then.
        armada:
          rate_limits_enabled: false

        """;

    /// <summary>A line of Synapse's signing key file: algorithm, version, the 32-byte seed in unpadded base64.</summary>
    public static string NewSigningKey()
    {
        var version = RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", 4);
        return $"ed25519 a_{version} {Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)).TrimEnd('=')}\n";
    }

    public static string NewSecret() => RandomNumberGenerator.GetString("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 43);

    /// <summary>Readable for its owner only, and complete or not there at all.</summary>
    public static void WriteSecretFile(string path, string text)
    {
        var unfinished = $"{path}.{Environment.ProcessId}";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using (var file = new FileStream(unfinished, options))
        {
            file.Write(Encoding.UTF8.GetBytes(text));
        }

        File.Move(unfinished, path, overwrite: true);
    }
}
