using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Matrix.ServiceDefaults.Edge;

/// <summary>The listener that the world sees: of the gateway, or of the monolith. Requests know whether they came through it.</summary>
public static class PublicListener
{
    /// <summary>A sync filter may stand in the query.</summary>
    private const int MaxRequestLineBytes = 64 * 1024;

    private sealed class Mark
    {
        public static readonly Mark Instance = new();
    }

    /// <summary>Whether the connection came to the public listener, not to the internal one.</summary>
    public static bool IsPublic(HttpContext context) => context.Features.Get<Mark>() is not null;

    /// <summary>Adds the endpoints of <see cref="HomeserverConfig.Listener"/>; with TLS when a certificate is configured.</summary>
    /// <exception cref="InvalidDataException">The certificate cannot be used; the message says why.</exception>
    public static void ConfigurePublicListener(this WebApplicationBuilder builder, HomeserverConfig config)
    {
        var listener = config.Listener;
        var certificate = listener.TlsCertificatePath is { } path
            ? new CertificateFiles(path, listener.TlsPrivateKeyPath ?? path, TimeProvider.System)
            : null;
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestLineSize = MaxRequestLineBytes;
            kestrel.Limits.MaxRequestHeadersTotalSize = 2 * MaxRequestLineBytes;
            kestrel.Limits.MaxRequestBufferSize = Math.Max(kestrel.Limits.MaxRequestBufferSize ?? 0, 4 * MaxRequestLineBytes);
            kestrel.Limits.MaxRequestBodySize = BodyLimits.Client;
            if (certificate is not null) certificate.Log = kestrel.ApplicationServices.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(CertificateFiles));
            foreach (var address in Addresses(listener.BindAddresses))
            {
                if (listener.TlsPort is not null || certificate is null) Listen(kestrel, address, listener.Port, null);
                if (certificate is not null) Listen(kestrel, address, listener.TlsPort ?? listener.Port, certificate);
            }
        });
    }

    private static void Listen(KestrelServerOptions kestrel, IPAddress address, int port, CertificateFiles? certificate)
    {
        if (address.Equals(IPAddress.IPv6Any)) kestrel.ListenAnyIP(port, Configure);
        else kestrel.Listen(address, port, Configure);

        void Configure(ListenOptions listen)
        {
            listen.Protocols = certificate is null ? HttpProtocols.Http1 : HttpProtocols.Http1AndHttp2;
            listen.Use(next => connection =>
            {
                connection.Features.Set(Mark.Instance);
                return next(connection);
            });
            if (certificate is not null) listen.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = _ => ValueTask.FromResult(certificate.Current()) });
        }
    }

    // Synapse's usual pair of '::' and '0.0.0.0' is one socket here: that of '::' takes both.
    private static IEnumerable<IPAddress> Addresses(IReadOnlyList<string> configured)
    {
        var parsed = configured.Select(a => a switch
        {
            "*" or "" => IPAddress.IPv6Any,
            "localhost" => IPAddress.Loopback,
            _ => IPAddress.TryParse(a.Trim('[', ']'), out var address) ? address : throw new InvalidDataException($"listeners.bind_addresses: '{a}' is not an IP address."),
        }).Distinct().ToList();
        return parsed.Contains(IPAddress.IPv6Any) ? parsed.Where(a => !a.Equals(IPAddress.Any)) : parsed;
    }
}
