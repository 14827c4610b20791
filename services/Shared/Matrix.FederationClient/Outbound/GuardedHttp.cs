using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;

namespace Matrix.FederationClient.Outbound;

/// <summary>An address that the configuration forbids to connect to.</summary>
public sealed class BlockedAddressException(string host) : IOException($"'{host}' has no address that may be connected to");

/// <summary>
/// HTTP to places that others chose (federation, push gateways, previews): the address is judged after the name was resolved and is the one that is
/// connected to, so a name that changes its address in between gains nothing. Redirects are not followed and proxies are not used.
/// </summary>
public static class GuardedHttp
{
    public static SocketsHttpHandler CreateHandler(IpRangeList blocked, bool verifyCertificates, IReadOnlyList<string> customCaFiles)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.GZip,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),     // addresses of names change
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
            ConnectTimeout = TimeSpan.FromSeconds(10),
            MaxConnectionsPerServer = 16,
            ConnectCallback = (context, ct) => ConnectAsync(context.DnsEndPoint, blocked, ct),
        };
        handler.SslOptions = SslOptions(verifyCertificates, customCaFiles);
        return handler;
    }

    private static SslClientAuthenticationOptions SslOptions(bool verifyCertificates, IReadOnlyList<string> customCaFiles)
    {
        var options = new SslClientAuthenticationOptions();
        if (!verifyCertificates)
        {
            options.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
        }
        else if (customCaFiles.Count > 0)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            foreach (var file in customCaFiles) policy.CustomTrustStore.ImportFromPemFile(file);
            options.CertificateChainPolicy = policy;
        }
        return options;
    }

    private static async ValueTask<Stream> ConnectAsync(DnsEndPoint target, IpRangeList blocked, CancellationToken ct)
    {
        var addresses = IPAddress.TryParse(target.Host, out var literal) ? [literal] : await Dns.GetHostAddressesAsync(target.Host, ct);
        Exception? last = null;
        foreach (var address in addresses)
        {
            if (blocked.Contains(address)) continue;
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(address, target.Port, ct);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch (SocketException e)
            {
                socket.Dispose();
                last = e;       // the next address may answer; the last fault is what the caller sees
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
        throw last ?? new BlockedAddressException(target.Host);
    }

    /// <summary>Reads a whole body; null when it is longer than <paramref name="limit"/> bytes.</summary>
    public static async Task<byte[]?> ReadBoundedAsync(HttpContent content, int limit, CancellationToken ct)
    {
        if (content.Headers.ContentLength > limit) return null;
        await using var stream = await content.ReadAsStreamAsync(ct);
        using var body = new MemoryStream();
        var chunk = new byte[8192];
        int n;
        while ((n = await stream.ReadAsync(chunk, ct)) > 0)
        {
            if (body.Length + n > limit) return null;
            body.Write(chunk, 0, n);
        }
        return body.ToArray();
    }
}
