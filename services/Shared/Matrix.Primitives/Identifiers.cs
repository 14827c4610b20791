using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Matrix.Primitives;

/// <summary>Grammar and limits shared by the sigil identifiers. Spec: appendices#identifier-grammar</summary>
public static class MatrixIdLimits
{
    /// <summary>Longest identifier, in bytes of UTF-8, sigil and domain included. Spec: appendices#common-identifier-format</summary>
    public const int MaxBytes = 255;

    internal static bool TrySplit(string? value, char sigil, out int colon)
    {
        colon = -1;
        if (value is null || value.Length < 2 || value[0] != sigil) return false;
        if (value.Length > MaxBytes || Encoding.UTF8.GetByteCount(value) > MaxBytes) return false;
        colon = value.IndexOf(':', StringComparison.Ordinal);
        return value.IndexOf('\0') < 0;
    }
}

/// <summary>A server name: host name or IP literal with an optional port. Spec: appendices#server-name</summary>
public readonly record struct ServerName(string Value) : IParsable<ServerName>
{
    public override string ToString() => Value;

    public static ServerName Parse(string s, IFormatProvider? provider = null) =>
        TryParse(s, provider, out var r) ? r : throw new FormatException($"'{s}' is not a server name.");

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out ServerName result)
    {
        result = default;
        if (string.IsNullOrEmpty(s) || s.Length > 230) return false;
        var host = s.AsSpan();
        int portAt;
        if (host[0] == '[')
        {
            var close = host.IndexOf(']');
            if (close < 3) return false;
            foreach (var c in host[1..close]) if (!char.IsAsciiHexDigit(c) && c is not (':' or '.')) return false;
            portAt = close + 1;
        }
        else
        {
            portAt = host.IndexOf(':');
            if (portAt < 0) portAt = host.Length;
            if (portAt == 0) return false;
            foreach (var c in host[..portAt]) if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '.')) return false;
        }
        if (portAt < host.Length)
        {
            var port = host[(portAt + 1)..];
            if (host[portAt] != ':' || port.Length is 0 or > 5) return false;
            foreach (var c in port) if (!char.IsAsciiDigit(c)) return false;
        }
        result = new ServerName(s);
        return true;
    }
}

/// <summary>A user id, <c>@localpart:server</c>. Historical localparts are accepted. Spec: appendices#user-identifiers</summary>
public readonly record struct UserId(string Value) : IParsable<UserId>
{
    public ReadOnlySpan<char> Localpart => Value.AsSpan(1, Value.IndexOf(':', StringComparison.Ordinal) - 1);
    public string Server => Value[(Value.IndexOf(':', StringComparison.Ordinal) + 1)..];
    public override string ToString() => Value;

    public static UserId Of(string localpart, string server) => new($"@{localpart}:{server}");

    public static UserId Parse(string s, IFormatProvider? provider = null) =>
        TryParse(s, provider, out var r) ? r : throw new FormatException($"'{s}' is not a user id.");

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out UserId result)
    {
        result = default;
        if (!MatrixIdLimits.TrySplit(s, '@', out var colon) || colon < 1) return false;
        if (!ServerName.TryParse(s![(colon + 1)..], null, out _)) return false;
        result = new UserId(s);
        return true;
    }
}

/// <summary>A room id: <c>!opaque:server</c>, from room version 12 on <c>!hash</c> without a server. Spec: appendices#room-ids</summary>
public readonly record struct RoomId(string Value) : IParsable<RoomId>
{
    public override string ToString() => Value;

    public static RoomId Parse(string s, IFormatProvider? provider = null) =>
        TryParse(s, provider, out var r) ? r : throw new FormatException($"'{s}' is not a room id.");

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out RoomId result)
    {
        result = default;
        if (!MatrixIdLimits.TrySplit(s, '!', out _)) return false;
        result = new RoomId(s!);
        return true;
    }
}

/// <summary>A room alias, <c>#localpart:server</c>. Spec: appendices#room-aliases</summary>
public readonly record struct RoomAlias(string Value) : IParsable<RoomAlias>
{
    public string Localpart => Value[1..Value.IndexOf(':', StringComparison.Ordinal)];
    public string Server => Value[(Value.IndexOf(':', StringComparison.Ordinal) + 1)..];
    public override string ToString() => Value;

    public static RoomAlias Parse(string s, IFormatProvider? provider = null) =>
        TryParse(s, provider, out var r) ? r : throw new FormatException($"'{s}' is not a room alias.");

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out RoomAlias result)
    {
        result = default;
        if (!MatrixIdLimits.TrySplit(s, '#', out var colon) || colon < 1) return false;
        if (!ServerName.TryParse(s![(colon + 1)..], null, out _)) return false;
        result = new RoomAlias(s);
        return true;
    }
}

/// <summary>An event id: <c>$opaque:server</c> in room versions 1 and 2, <c>$hash</c> afterwards. Spec: appendices#event-ids</summary>
public readonly record struct EventId(string Value) : IParsable<EventId>
{
    public override string ToString() => Value;

    public static EventId Parse(string s, IFormatProvider? provider = null) =>
        TryParse(s, provider, out var r) ? r : throw new FormatException($"'{s}' is not an event id.");

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out EventId result)
    {
        result = default;
        if (!MatrixIdLimits.TrySplit(s, '$', out _)) return false;
        result = new EventId(s!);
        return true;
    }
}
