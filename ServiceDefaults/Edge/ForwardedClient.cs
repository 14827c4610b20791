using System.Net;
using Microsoft.AspNetCore.Http;

namespace Matrix.ServiceDefaults.Edge;

/// <summary>Who asks, as the listener in front of this process tells it.</summary>
public static class ForwardedClient
{
    public const string ForHeader = "X-Forwarded-For";
    public const string ProtoHeader = "X-Forwarded-Proto";

    /// <summary>Takes client address and scheme from the headers. Only where whoever connects is trusted: behind a proxy, or behind the gateway.</summary>
    public static void Apply(HttpContext context)
    {
        var headers = context.Request.Headers;
        // Synapse: the first address of the header counts; the proxy in front must replace what clients send.
        if (headers[ForHeader] is [{ Length: > 0 } list, ..] && Parse(FirstOf(list)) is { } client) context.Connection.RemoteIpAddress = client;
        if (headers[ProtoHeader] is [{ } proto, ..])
        {
            var first = FirstOf(proto);
            if (first.Equals("https", StringComparison.OrdinalIgnoreCase)) context.Request.Scheme = "https";
            else if (first.Equals("http", StringComparison.OrdinalIgnoreCase)) context.Request.Scheme = "http";
        }
    }

    /// <summary>As it stands in the header; an IPv4 client on a dual-stack socket is an IPv4 client.</summary>
    public static string Text(IPAddress address) => (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).ToString();

    private static ReadOnlySpan<char> FirstOf(string list)
    {
        var comma = list.IndexOf(',', StringComparison.Ordinal);
        return (comma < 0 ? list.AsSpan() : list.AsSpan(0, comma)).Trim();
    }

    private static IPAddress? Parse(ReadOnlySpan<char> text)
    {
        if (IPAddress.TryParse(text, out var plain)) return plain;
        return IPEndPoint.TryParse(text, out var withPort) ? withPort.Address : null;
    }
}
