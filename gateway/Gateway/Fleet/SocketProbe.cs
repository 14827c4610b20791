using System.Net.Sockets;
using Matrix.Replication;

namespace Matrix.Gateway.Fleet;

internal sealed class SocketProbe(HttpMessageInvoker client, TimeProvider time) : IInstanceProbe
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    public async Task<IWatchedConnection?> ConnectAsync(ServiceInstance instance, CancellationToken ct)
    {
        if (!Uri.TryCreate(instance.Address, UriKind.Absolute, out var address)) return null;
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        using var timeout = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, timeout.Token);
        try
        {
            await socket.ConnectAsync(address.IdnHost, address.Port, either.Token);
            return new Watched(socket);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            socket.Dispose();
            ct.ThrowIfCancellationRequested();
            return null;
        }
    }

    public async Task<bool> IsReadyAsync(ServiceInstance instance, CancellationToken ct)
    {
        using var timeout = new CancellationTokenSource(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, timeout.Token);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"{instance.InternalAddress.TrimEnd('/')}/_internal/health/ready");
            using var response = await client.SendAsync(request, either.Token);
            return (int)response.StatusCode < 500;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
        {
            ct.ThrowIfCancellationRequested();
            return false;
        }
    }

    private sealed class Watched(Socket socket) : IWatchedConnection
    {
        public Task Closed { get; } = WaitAsync(socket);

        public void Dispose() => socket.Dispose();

        private static async Task WaitAsync(Socket socket)
        {
            try
            {
                // Nobody sends anything here, so what ends the wait is the end.
                await socket.ReceiveAsync(new byte[1], SocketFlags.None);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Reset: the same news.
            }
        }
    }
}
