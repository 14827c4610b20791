using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Matrix.ServiceDefaults.Edge;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Matrix.ServiceDefaults.Hosting;

/// <summary>Which listener a connection came in by; absent in a test server.</summary>
/// <param name="TrustsForwarded">Who connects may say for whom: a proxy in front (x_forwarded), or the gateway.</param>
internal sealed record ListenerFeature(bool IsInternal, bool TrustsForwarded);

/// <summary>One socket to listen on.</summary>
/// <param name="Multiplexed">HTTP/2 without TLS, and nothing else: for the gateway, which keeps the requests that wait on few connections.</param>
internal sealed record Binding(IPAddress Address, int Port, bool Tls, bool IsInternal, bool TrustsForwarded = false, bool Multiplexed = false);

/// <summary>What this process listens on, and the Kestrel that does it.</summary>
internal sealed class Listeners
{
    /// <summary>Its requests wait for minutes. A connection each would cost the two ends some 16 kB a poll (docs/performance.md).</summary>
    private const string PollService = "sync";

    private readonly List<(ListenOptions Options, Binding Binding)> _bound = [];
    private readonly IReadOnlyList<Binding> _bindings;
    private readonly string? _advertisedHost;
    private readonly CertificateFiles? _certificate;

    private Listeners(IReadOnlyList<Binding> bindings, string? advertisedHost, CertificateFiles? certificate)
    {
        _bindings = bindings;
        _advertisedHost = advertisedHost;
        _certificate = certificate;
    }

    /// <summary>Gateway and monolith listen where the configuration says; every other service on one port of the environment.</summary>
    /// <exception cref="InvalidDataException">The certificate cannot be used; the message says why.</exception>
    public static Listeners Plan(string service, HomeserverConfig config, IReadOnlyDictionary<string, string> environment)
    {
        var bind = ParseAddress(environment.GetValueOrDefault("ARMADA_BIND", "127.0.0.1"));
        var bindings = new List<Binding>();
        if (service is "gateway" or "monolith")
        {
            foreach (var endpoint in config.Listener.Endpoints)
            {
                bindings.AddRange(AddressesOf(endpoint.BindAddresses).Select(a =>
                    new Binding(a, endpoint.Port, endpoint.Tls, IsInternal: false, endpoint.XForwarded)));
            }
        }
        else
        {
            bindings.Add(new(bind, PortOf(environment, "ARMADA_HTTP_PORT"), Tls: false, IsInternal: false, TrustsForwarded: true, Multiplexed: service == PollService));
        }

        bindings.Add(new(bind, PortOf(environment, "ARMADA_INTERNAL_PORT"), Tls: false, IsInternal: true));
        var certificate = bindings.Any(b => b.Tls)
            ? new CertificateFiles(config.Listener.TlsCertificatePath!, config.Listener.TlsPrivateKeyPath!, TimeProvider.System)
            : null;
        return new(bindings, environment.GetValueOrDefault("ARMADA_ADVERTISE_HOST"), certificate);
    }

    /// <summary>Null when everything can be bound; otherwise what to tell the person who started this.</summary>
    public string? FindConflict()
    {
        foreach (var binding in _bindings.Where(b => b.Port != 0))
        {
            using var socket = new Socket(binding.Address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Bind(new IPEndPoint(binding.Address, binding.Port));
                socket.Listen(1);
            }
            catch (SocketException e)
            {
                var port = binding.Port.ToString(CultureInfo.InvariantCulture);
                return e.SocketErrorCode switch
                {
                    SocketError.AddressAlreadyInUse => $"""
                        Port {port} on {binding.Address} is in use by another program.
                          fix  stop that program (ss -ltnp shows it), or choose another port: listeners in homeserver.yaml, or ./run --port N
                        """,
                    SocketError.AccessDenied => $"""
                        Port {port} on {binding.Address} may not be opened by this user.
                          fix  choose a port from 1024 up, or give the process the capability CAP_NET_BIND_SERVICE
                        """,
                    SocketError.AddressNotAvailable => $"""
                        {binding.Address} is no address of this machine.
                          fix  correct bind_addresses of listeners in homeserver.yaml (127.0.0.1, or 0.0.0.0 for all)
                        """,
                    SocketError.AddressFamilyNotSupported => null,
                    _ => $"Port {port} on {binding.Address} cannot be opened: {e.Message}",
                };
            }
        }

        return null;
    }

    public void Apply(WebApplicationBuilder builder, HomeserverConfig config)
    {
        builder.WebHost.UseKestrelCore();
        if (_bindings.Any(b => b.Tls))
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        builder.Services.Configure<KestrelServerOptions>(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // Endpoints set lower limits; this one only stops what no endpoint takes.
            kestrel.Limits.MaxRequestBodySize = Math.Max(config.MaxUploadSize, 64 << 20) + (64 << 10);
            // Filters and tokens travel in the request line.
            kestrel.Limits.MaxRequestLineSize = 64 << 10;
            kestrel.Limits.MaxRequestBufferSize = 1 << 20;
            kestrel.Limits.MaxRequestHeadersTotalSize = 64 << 10;
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(30);
            if (_bindings.Any(b => b.Multiplexed))
            {
                // What the gateway has let through as a line and headers comes here as headers alone, with those that the gateway adds.
                kestrel.Limits.Http2.MaxRequestHeaderFieldSize = 64 << 10;
                kestrel.Limits.MaxRequestHeadersTotalSize = 192 << 10;
            }

            kestrel.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(120);
            if (_certificate is not null)
            {
                _certificate.Log = kestrel.ApplicationServices.GetRequiredService<ILoggerFactory>().CreateLogger("Armada.Certificate");
            }

            foreach (var binding in _bindings)
            {
                kestrel.Listen(binding.Address, binding.Port, options => Set(options, binding));
            }
        });
    }

    /// <summary>After the start: the ports that the system chose are known.</summary>
    public void Publish(InstanceAddresses addresses)
    {
        var traffic = _bound.Find(b => !b.Binding.IsInternal);
        var inside = _bound.Find(b => b.Binding.IsInternal);
        // A test server binds nothing; the addresses then say so rather than fail.
        addresses.Set(
            traffic.Options is null ? "http://localhost" : InstanceAddresses.AddressOf(traffic.Options, _advertisedHost, traffic.Binding),
            inside.Options is null ? "http://localhost" : InstanceAddresses.AddressOf(inside.Options, _advertisedHost, inside.Binding));
    }

    private void Set(ListenOptions options, Binding binding)
    {
        _bound.Add((options, binding));
        options.Protocols = binding switch
        {
            { Multiplexed: true } => HttpProtocols.Http2,
            { Tls: true } => HttpProtocols.Http1AndHttp2,
            _ => HttpProtocols.Http1,
        };
        var feature = new ListenerFeature(binding.IsInternal, binding.TrustsForwarded);
        options.Use(next => connection =>
        {
            connection.Features.Set(feature);
            return next(connection);
        });
        if (binding.Tls)
        {
            options.UseHttps(new TlsHandshakeCallbackOptions { OnConnection = _ => ValueTask.FromResult(_certificate!.Current()) });
        }
    }

    /// <summary>All addresses together are one socket: an IPv6 socket for every address takes IPv4 as well.</summary>
    private static IEnumerable<IPAddress> AddressesOf(IReadOnlyList<string> names)
    {
        var addresses = names.SelectMany(n => n == "localhost" ? Localhost() : [ParseAddress(n)]).Distinct().ToList();
        if (addresses.Contains(IPAddress.IPv6Any) && Socket.OSSupportsIPv6)
        {
            return [IPAddress.IPv6Any];
        }

        return addresses.Contains(IPAddress.Any) || addresses.Contains(IPAddress.IPv6Any) ? [IPAddress.Any] : addresses;
    }

    private static IPAddress[] Localhost() => Socket.OSSupportsIPv6 ? [IPAddress.Loopback, IPAddress.IPv6Loopback] : [IPAddress.Loopback];

    private static IPAddress ParseAddress(string text) =>
        text.Length == 0 ? IPAddress.Any : text == "localhost" ? IPAddress.Loopback : IPAddress.Parse(text);

    private static int PortOf(IReadOnlyDictionary<string, string> environment, string name) =>
        environment.TryGetValue(name, out var text) && text.Length > 0 ? int.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture) : 0;
}
