using System.Globalization;
using Matrix.Primitives;
using Matrix.Sync.Engine;

namespace Matrix.Sync.Endpoints;

/// <summary>Query parameters of /sync. Spec: openapi/client-server/sync.yaml</summary>
internal sealed record SyncQuery(string? Filter, Positions? Since, bool FullState, string SetPresence, TimeSpan Timeout, bool UseStateAfter)
{
    private const string OldUseStateAfter = "org.matrix.msc4222.use_state_after";

    /// <summary>Asked for by the name of the proposal only.</summary>
    public bool StateAfterByOldName { get; init; }

    /// <summary>Longest wait; proxies in front give up on idle requests in any case.</summary>
    private static readonly TimeSpan MaxTimeout = TimeSpan.FromMinutes(3);

    public static ValueTask<SyncQuery> BindAsync(HttpContext context)
    {
        var query = context.Request.Query;
        string? Of(string name) => query.TryGetValue(name, out var value) && value.Count > 0 ? value[^1] : null;
        return ValueTask.FromResult(new SyncQuery(
            Of("filter"),
            Of("since") is { Length: > 0 } since ? Positions.Of(StreamToken.FromClient(since, "since")) : null,
            Bool("full_state", Of("full_state")),
            Presence(Of("set_presence")),
            Milliseconds(Of("timeout")),
            Bool("use_state_after", Of("use_state_after") ?? Of(OldUseStateAfter)))
        {
            StateAfterByOldName = Of("use_state_after") is null && Of(OldUseStateAfter) is not null,
        });
    }

    private static bool Bool(string name, string? text) => text switch
    {
        null or "" or "false" => false,
        "true" => true,
        _ => throw MatrixError.InvalidParam($"'{name}' must be true or false.").AsException(),
    };

    private static string Presence(string? text) => text switch
    {
        null or "" => "online",
        "online" or "offline" or "unavailable" => text,
        _ => throw MatrixError.InvalidParam("'set_presence' must be online, offline or unavailable.").AsException(),
    };

    private static TimeSpan Milliseconds(string? text)
    {
        if (string.IsNullOrEmpty(text)) return TimeSpan.Zero;
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var ms))
            throw MatrixError.InvalidParam("'timeout' must be a number of milliseconds.").AsException();
        return TimeSpan.FromMilliseconds(Math.Min(ms, MaxTimeout.TotalMilliseconds));
    }
}
