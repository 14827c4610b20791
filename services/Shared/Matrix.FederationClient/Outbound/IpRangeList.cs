using System.Net;
using System.Net.Sockets;

namespace Matrix.FederationClient.Outbound;

/// <summary>CIDR ranges, IPv4 and IPv6. An IPv4 address that comes in IPv6 clothes is judged as the IPv4 address it is.</summary>
public sealed class IpRangeList
{
    private readonly List<IPNetwork> networks;
    private readonly List<IPNetwork> exceptions;

    /// <summary>Each entry a network or a single address; throws <see cref="FormatException"/> naming what is neither.</summary>
    /// <param name="except">Ranges that are not meant, though they lie in the others.</param>
    public IpRangeList(IEnumerable<string> ranges, IEnumerable<string>? except = null)
    {
        networks = [.. ranges.Select(Parse)];
        exceptions = [.. (except ?? []).Select(Parse)];
    }

    public bool Contains(IPAddress address)
    {
        var plain = Unwrap(address);
        return IsIn(networks, plain) && !IsIn(exceptions, plain);
    }

    private static bool IsIn(List<IPNetwork> list, IPAddress address)
    {
        foreach (var network in list) if (network.BaseAddress.AddressFamily == address.AddressFamily && network.Contains(address)) return true;
        return false;
    }

    private static IPNetwork Parse(string range)
    {
        var slash = range.IndexOf('/', StringComparison.Ordinal);
        var text = slash < 0 ? range : range[..slash];
        if (!IPAddress.TryParse(text, out var address)) throw new FormatException($"'{range}' is no IP range");
        var bits = address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
        if (slash >= 0 && (!int.TryParse(range.AsSpan(slash + 1), out var given) || given < 0 || given > bits)) throw new FormatException($"'{range}' is no IP range");
        var prefix = slash < 0 ? bits : int.Parse(range.AsSpan(slash + 1), System.Globalization.CultureInfo.InvariantCulture);
        return new IPNetwork(Masked(address, prefix), prefix);
    }

    /// <summary>IPNetwork refuses a base address with host bits; administrators write them.</summary>
    private static IPAddress Masked(IPAddress address, int prefix)
    {
        var bytes = address.GetAddressBytes();
        for (var i = 0; i < bytes.Length; i++)
        {
            var keep = Math.Clamp(prefix - i * 8, 0, 8);
            bytes[i] &= (byte)(0xFF << (8 - keep));
        }
        return new IPAddress(bytes);
    }

    /// <summary>IPv4-mapped (::ffff:0:0/96), NAT64 (64:ff9b::/96) and 6to4 (2002::/16) addresses reach an IPv4 host.</summary>
    private static IPAddress Unwrap(IPAddress address)
    {
        if (address.AddressFamily != AddressFamily.InterNetworkV6) return address;
        if (address.IsIPv4MappedToIPv6) return address.MapToIPv4();
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        if (bytes[..12].SequenceEqual((ReadOnlySpan<byte>)[0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0])) return new IPAddress(bytes[12..]);
        if (bytes[0] == 0x20 && bytes[1] == 0x02) return new IPAddress(bytes[2..6]);
        return address;
    }
}
