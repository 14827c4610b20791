using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Matrix.ServiceDefaults.Configuration;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Matrix.AppHost.Fleet;

/// <summary>A Redis for this run alone. It carries hints and keeps nothing: what is lost with it is found in the database.</summary>
internal sealed record LocalRedis(string Command, string[] Arguments, int Port, string Password)
{
    public static LocalRedis Prepare(string dataFolder, int port)
    {
        var command = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/bin").Append("/usr/local/bin")
            .Select(p => Path.Combine(p, "redis-server")).FirstOrDefault(File.Exists)
            ?? throw new RunFault("Redis is not installed, and the configuration names none.\n  fix  apt-get install redis-server   (./run does it as root), or set redis in homeserver.yaml");
        var folder = Path.Combine(dataFolder, "redis");
        Directory.CreateDirectory(folder);
        var password = ConfigGenerator.NewSecret();
        // In a file, because arguments are there for everybody to see.
        var file = Path.Combine(folder, "redis.conf");
        ConfigGenerator.WriteSecretFile(file, string.Create(CultureInfo.InvariantCulture, $"""
            bind 127.0.0.1
            port {port}
            requirepass {password}
            dir {folder}
            save ""
            appendonly no
            daemonize no

            """));
        return new(command, [file], port, password);
    }

    public async Task<HealthCheckResult> CheckAsync(CancellationToken ct)
    {
        try
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync("127.0.0.1", Port, ct);
            await socket.SendAsync(Encoding.ASCII.GetBytes($"AUTH {Password}\r\nPING\r\n"), ct);
            var answer = new byte[64];
            var length = 0;
            while (length < answer.Length && await socket.ReceiveAsync(answer.AsMemory(length), ct) is > 0 and var n)
            {
                length += n;
                if (Encoding.ASCII.GetString(answer, 0, length).Contains("PONG", StringComparison.Ordinal))
                {
                    return HealthCheckResult.Healthy();
                }
            }

            return HealthCheckResult.Unhealthy(Encoding.ASCII.GetString(answer, 0, length));
        }
        catch (SocketException e)
        {
            return HealthCheckResult.Unhealthy(e.Message);
        }
    }
}
