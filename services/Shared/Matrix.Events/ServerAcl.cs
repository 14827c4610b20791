using System.Net;
using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>
/// Which servers may take part in a room. Spec: client-server-api/#server-access-control-lists-acls-for-rooms, event-schemas/schema/m.room.server_acl.yaml
/// </summary>
public sealed class ServerAcl
{
    private readonly string[] allow, deny;
    private readonly bool allowIpLiterals;

    private ServerAcl(string[] allow, string[] deny, bool allowIpLiterals) => (this.allow, this.deny, this.allowIpLiterals) = (allow, deny, allowIpLiterals);

    /// <summary>From the content of the room's event, canonical JSON. What is no list counts as an empty one: without <c>allow</c> nobody is allowed.</summary>
    public static ServerAcl Read(ReadOnlySpan<byte> content)
    {
        var o = new CanonicalObject(content);
        var literals = !o.TryGet("allow_ip_literals"u8, out var value) || !value.SequenceEqual("false"u8);
        return new ServerAcl(Patterns(o, "allow"u8), Patterns(o, "deny"u8), literals);
    }

    private static string[] Patterns(CanonicalObject o, ReadOnlySpan<byte> name)
    {
        var patterns = new List<string>();
        if (!o.TryGet(name, out var list)) return [];
        foreach (var element in new CanonicalArray(list)) if (CanonicalValue.String(element) is { } pattern) patterns.Add(pattern);
        return [.. patterns];
    }

    /// <param name="serverName">With or without a port, which does not count. What is no server name is not allowed.</param>
    public bool Allows(string serverName)
    {
        if (!ServerName.TryParse(serverName, null, out _)) return false;
        var host = serverName.AsSpan(0, serverName[0] == '[' ? serverName.IndexOf(']', StringComparison.Ordinal) + 1 : PortAt(serverName));
        if (!allowIpLiterals && IsIpLiteral(host)) return false;
        foreach (var pattern in deny) if (Glob.Matches(pattern, host, ignoreCase: true)) return false;
        foreach (var pattern in allow) if (Glob.Matches(pattern, host, ignoreCase: true)) return true;
        return false;
    }

    private static int PortAt(string name) => name.IndexOf(':', StringComparison.Ordinal) is >= 0 and var i ? i : name.Length;

    private static bool IsIpLiteral(ReadOnlySpan<char> host) =>
        host[0] == '[' || (IPAddress.TryParse(host, out var address) && address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork && host.Count('.') == 3);
}
