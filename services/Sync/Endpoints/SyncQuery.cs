using Matrix.Primitives;
using Matrix.Sync.Engine;

namespace Matrix.Sync.Endpoints;

/// <summary>Query parameters of /sync. Spec: openapi/client-server/sync.yaml</summary>
internal sealed record SyncQuery(string? Filter, Positions? Since, bool FullState, string SetPresence, TimeSpan Timeout, bool UseStateAfter)
{
    private const string OldUseStateAfter = "org.matrix.msc4222.use_state_after";

    /// <summary>Asked for by the name of the proposal only.</summary>
    public bool StateAfterByOldName { get; init; }

    public static ValueTask<SyncQuery> BindAsync(HttpContext context)
    {
        var query = new QueryText(context.Request.Query);
        return ValueTask.FromResult(new SyncQuery(
            query.Of("filter"),
            query.Of("since") is { Length: > 0 } since ? Positions.Of(StreamToken.FromClient(since, "since")) : null,
            query.Bool("full_state"),
            query.Presence("set_presence"),
            query.Timeout("timeout"),
            QueryText.Bool("use_state_after", query.Of("use_state_after") ?? query.Of(OldUseStateAfter)))
        {
            StateAfterByOldName = query.Of("use_state_after") is null && query.Of(OldUseStateAfter) is not null,
        });
    }
}
