using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Matrix.ServiceDefaults.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Matrix.ServiceDefaults;

/// <summary>Where this process listens, as others reach it. Known once the server has started; ports may be chosen by the system.</summary>
public sealed class InstanceAddresses
{
    /// <summary>Scheme of an address that speaks HTTP/2 without TLS and nothing else.</summary>
    public const string MultiplexedScheme = "h2c";

    private readonly TaskCompletionSource _bound = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string? _traffic;
    private string? _internal;

    /// <summary>Completes when the addresses are known; hosted services start before that.</summary>
    public Task Bound => _bound.Task;

    /// <summary>Base address for requests of the gateway (of clients: gateway and monolith), such as <c>http://127.0.0.1:40001</c> or <c>h2c://127.0.0.1:40002</c>.</summary>
    public string Traffic => _traffic ?? throw new InvalidOperationException("The server has not started yet.");

    /// <summary>Base address of <c>/_internal</c>.</summary>
    public string Internal => _internal ?? throw new InvalidOperationException("The server has not started yet.");

    internal void Set(string traffic, string internalAddress)
    {
        _traffic = traffic;
        _internal = internalAddress;
        _bound.TrySetResult();
    }

    internal static string AddressOf(ListenOptions listener, string? advertisedHost, Binding binding)
    {
        var endpoint = (IPEndPoint)listener.EndPoint;
        var host = advertisedHost ?? HostOf(endpoint.Address);
        return string.Create(CultureInfo.InvariantCulture, $"{(binding.Multiplexed ? MultiplexedScheme : binding.Tls ? "https" : "http")}://{host}:{endpoint.Port}");
    }

    /// <summary>A process that listens on all addresses is reached at its first one that is not loopback.</summary>
    private static string HostOf(IPAddress address)
    {
        if (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any))
        {
            address = NetworkInterface.GetAllNetworkInterfaces()
                .Where(i => i.OperationalStatus == OperationalStatus.Up && i.NetworkInterfaceType != NetworkInterfaceType.Loopback)
                .SelectMany(i => i.GetIPProperties().UnicastAddresses)
                .Select(a => a.Address)
                .Where(a => a.AddressFamily == AddressFamily.InterNetwork)
                .FirstOrDefault(IPAddress.Loopback);
        }

        return address.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{address}]" : address.ToString();
    }
}
