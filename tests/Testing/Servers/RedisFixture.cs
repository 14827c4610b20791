using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Xunit;

namespace Matrix.Testing.Servers;

/// <summary>The shared Redis of ARMADA_TEST_REDIS (host:port). Each test takes a prefix of its own, so they do not see each other.</summary>
public sealed class RedisFixture
{
    public string ConnectionString => TestServers.Address("ARMADA_TEST_REDIS") ?? throw TestServers.Missing("ARMADA_TEST_REDIS is not set");

    public string NewPrefix() => "test-" + Guid.NewGuid().ToString("N")[..16];
}

/// <summary>A Redis process of one test, to be killed and started again on the same port.</summary>
public sealed class OwnRedis : IAsyncDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("armada-redis-").FullName;
    private Process? process;

    public int Port { get; } = FreePort();
    public string ConnectionString => $"127.0.0.1:{Port}";

    public async Task StartAsync()
    {
        var start = new ProcessStartInfo("redis-server")
        {
            RedirectStandardOutput = true,
            ArgumentList =
            {
                "--port", Port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder,
            },
        };
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw TestServers.Missing("redis-server is not installed");
        }
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (!line.Contains("Ready to accept connections", StringComparison.Ordinal)) continue;
            _ = process.StandardOutput.ReadToEndAsync();
            return;
        }
        Assert.Fail("redis-server did not start");
    }

    public async Task KillAsync()
    {
        if (process is null) return;
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
        process = null;
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        Directory.Delete(folder, recursive: true);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
