using System.Net;
using System.Net.Sockets;
using System.Text;
using Npgsql;

namespace Matrix.ServiceTests.EventPersister;

/// <summary>
/// Stands between a client and PostgreSQL. The first time that the client says <paramref name="marker"/> the server gets to answer in full, but the
/// client loses its connection instead of hearing it.
/// </summary>
public sealed class CuttingRelay : IAsyncDisposable
{
    /// <summary>ReadyForQuery, not in a transaction: whatever was sent has been committed.</summary>
    private static readonly byte[] Ready = [(byte)'Z', 0, 0, 0, 5, (byte)'I'];
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly byte[] marker;
    private readonly (string Host, int Port) server;
    private int cut;

    public CuttingRelay(string connectionString, string marker)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString);
        server = (settings.Host!, settings.Port);
        this.marker = Encoding.UTF8.GetBytes(marker);
        listener.Start();
        (settings.Host, settings.Port) = ("127.0.0.1", ((IPEndPoint)listener.LocalEndpoint).Port);
        settings.SslMode = SslMode.Disable;
        ConnectionString = settings.ConnectionString;
        _ = AcceptAsync();
    }

    public string ConnectionString { get; }
    public int Cut => cut;

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _ = RelayAsync(await listener.AcceptTcpClientAsync(stop.Token));
        }
        catch (OperationCanceledException)
        {
            listener.Stop();
        }
    }

    private async Task RelayAsync(TcpClient client)
    {
        using (client)
        using (var upstream = new TcpClient())
        {
            await upstream.ConnectAsync(server.Host, server.Port, stop.Token);
            var armed = false;
            var up = PumpAsync(client.GetStream(), upstream.GetStream(), bytes =>
            {
                if (bytes.AsSpan().IndexOf(marker) >= 0 && Interlocked.CompareExchange(ref cut, 1, 0) == 0) Volatile.Write(ref armed, true);
                return true;
            }, close: false);
            var down = PumpAsync(upstream.GetStream(), client.GetStream(), bytes => !Volatile.Read(ref armed), close: true);
            await Task.WhenAny(up, down);
        }
    }

    /// <param name="close">True: what must not pass is swallowed until the server is done, then the pump ends, and with it the connection.</param>
    private async Task PumpAsync(NetworkStream from, NetworkStream to, Func<byte[], bool> pass, bool close)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            int n;
            while ((n = await from.ReadAsync(buffer, stop.Token)) > 0)
            {
                var bytes = buffer[..n];
                if (pass(bytes)) await to.WriteAsync(bytes, stop.Token);
                else if (close && bytes.AsSpan().EndsWith(Ready)) return;
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // One side has gone: so does the other.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Stop();
    }
}
