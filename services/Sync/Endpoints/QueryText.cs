using System.Globalization;
using Matrix.Primitives;

namespace Matrix.Sync.Endpoints;

/// <summary>Query parameters with the error codes of the specification.</summary>
internal readonly struct QueryText(IQueryCollection query)
{
    /// <summary>Longest wait; proxies in front give up on idle requests in any case.</summary>
    private static readonly TimeSpan MaxTimeout = TimeSpan.FromMinutes(3);

    /// <summary>Null: absent.</summary>
    public string? Of(string name) => query.TryGetValue(name, out var value) && value.Count > 0 ? value[^1] : null;

    public bool Bool(string name) => Bool(name, Of(name));

    public static bool Bool(string name, string? text) => text switch
    {
        null or "" or "false" => false,
        "true" => true,
        _ => throw MatrixError.InvalidParam($"'{name}' must be true or false.").AsException(),
    };

    /// <summary>Null: absent.</summary>
    public int? Number(string name)
    {
        if (Of(name) is not { Length: > 0 } text) return null;
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            throw MatrixError.InvalidParam($"'{name}' must be a number.").AsException();
        return number;
    }

    public TimeSpan Timeout(string name)
    {
        if (Of(name) is not { Length: > 0 } text) return TimeSpan.Zero;
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var ms))
            throw MatrixError.InvalidParam($"'{name}' must be a number of milliseconds.").AsException();
        return Bounded(ms);
    }

    public static TimeSpan Bounded(long ms) => TimeSpan.FromMilliseconds(Math.Clamp(ms, 0, (long)MaxTimeout.TotalMilliseconds));

    public string Presence(string name) => PresenceState(name, Of(name));

    public static string PresenceState(string name, string? text) => text switch
    {
        null or "" => "online",
        "online" or "offline" or "unavailable" => text,
        _ => throw MatrixError.InvalidParam($"'{name}' must be online, offline or unavailable.").AsException(),
    };
}
