using System.Net;
using System.Net.Sockets;

namespace Matrix.AppHostTests.Whole;

/// <summary>What is wrong is told before anything starts: one message, its cure, an exit code.</summary>
public sealed class FaultTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("armada-fault");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_wrong_configuration()
    {
        var file = Path.Combine(_folder.FullName, "homeserver.yaml");
        await File.WriteAllTextAsync(file, "server_name: a b\nsigning_key_path: homeserver.yaml\nmax_upload_size: big\n");
        await using var host = HostProgram.Start(_folder.FullName, "monolith", "--config", file);
        Assert.Equal(2, await host.EndAsync());
        Assert.Contains("The configuration cannot be used: 2 faults.", host.Output, StringComparison.Ordinal);
        Assert.Contains("fix server_name: example.org", host.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_in_use()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port;
        await using var host = HostProgram.Start(_folder.FullName, port, ["monolith", "--data", _folder.FullName, $"--port={port}"]);
        Assert.Equal(3, await host.EndAsync());
        Assert.Contains($"Port {port} is in use by another program.", host.Output, StringComparison.Ordinal);
        Assert.Contains($"./run --port {port + 1}", host.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(_folder.FullName, "postgres")));
    }

    [Fact]
    public async Task A_database_that_does_not_answer()
    {
        var file = Path.Combine(_folder.FullName, "homeserver.yaml");
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "key"), "ed25519 a_AbCd " + Convert.ToBase64String(new byte[32]).TrimEnd('=') + "\n");
        await File.WriteAllTextAsync(file,
            $"server_name: example.org\nsigning_key_path: key\nlisteners: [{{ port: 8008 }}]\ndatabase: {{ args: {{ host: 127.0.0.1, port: {HostProgram.FreePort()}, database: x }} }}\n");
        await using var host = HostProgram.Start(_folder.FullName, "monolith", "--config", file);
        Assert.Equal(3, await host.EndAsync());
        Assert.Contains("The database at 127.0.0.1:", host.Output, StringComparison.Ordinal);
        Assert.Contains("fix  start PostgreSQL there", host.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("cluster")]
    [InlineData("--prot=8008")]
    public async Task A_word_that_nobody_knows(string word)
    {
        await using var host = HostProgram.Start(_folder.FullName, 1, [word]);
        Assert.Equal(2, await host.EndAsync());
        Assert.Contains($"{word} is nothing that ./run knows.", host.Output, StringComparison.Ordinal);
    }
}
