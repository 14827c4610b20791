using System.Net;
using System.Net.Sockets;
using System.Text;
using Matrix.Replication;

namespace Matrix.Gateway.Tests.Proxy;

/// <summary>Bytes on the wire, seen and written by hand.</summary>
internal static class RawHttp
{
    /// <summary>Reads head and Content-Length body of one message; null when the peer hung up first.</summary>
    public static async Task<string?> ReadMessageAsync(NetworkStream stream, CancellationToken ct)
    {
        var text = new StringBuilder();
        var buffer = new byte[8192];
        while (true)
        {
            var all = text.ToString();
            var end = all.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (end >= 0)
            {
                var length = all[..end].Split("\r\n").FirstOrDefault(l => l.StartsWith("content-length:", StringComparison.OrdinalIgnoreCase));
                if (all.Length - end - 4 >= (length is null ? 0 : int.Parse(length[15..]))) return all;
            }
            var n = await stream.ReadAsync(buffer, ct);
            if (n == 0) return null;
            text.Append(Encoding.Latin1.GetString(buffer, 0, n));
        }
    }

    public static async Task<string?> SendAsync(Uri address, string message)
    {
        using var guard = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        using var client = new TcpClient();
        await client.ConnectAsync(address.Host, address.Port, guard.Token);
        await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(message), guard.Token);
        return await ReadMessageAsync(client.GetStream(), guard.Token);
    }
}

/// <summary>An instance that notes whole requests and answers what the test says; null: it hangs up.</summary>
internal sealed class RawService : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly Func<string, string?> answer;

    public RawService(string name, string service, Func<string, string?> answer)
    {
        this.answer = answer;
        listener.Start();
        var address = $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";
        Instance = new(name, service, service, address, address, 1);
        _ = AcceptAsync();
    }

    public const string Ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    public ServiceInstance Instance { get; }
    public System.Collections.Concurrent.ConcurrentQueue<string> Requests { get; } = [];

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = ServeAsync(await listener.AcceptTcpClientAsync(stop.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var _ = client;
        try
        {
            while (await RawHttp.ReadMessageAsync(client.GetStream(), stop.Token) is { } request)
            {
                var probe = request.StartsWith("GET /_internal/health/ready ", StringComparison.Ordinal);
                if (!probe) Requests.Enqueue(request);
                if ((probe ? Ok : answer(request)) is not { } text) return;
                await client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(text), stop.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Dispose();
        stop.Dispose();
    }
}
