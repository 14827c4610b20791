using Matrix.Primitives;
using Matrix.Storage.Directory;
using Matrix.UserDirectory.Index;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.RateLimits;
using Matrix.Web.Routing;

namespace Matrix.UserDirectory.Endpoints;

/// <summary>Searching for people. Spec: client-server-api/#user-directory</summary>
internal static class SearchEndpoints
{
    private const int DefaultLimit = 10;
    private const int MaxLimit = 50;       // Synapse: the same

    public static void MapSearch(this ClientRoutes routes) =>
        routes.Post(ClientVersions.R0V3Unstable, "/user_directory/search", SearchAsync).Named("search_user_directory").RateLimited(RateLimitRules.UserDirectory);

    private static async Task<IResult> SearchAsync(JsonBody body, Requester requester, UserDirectoryStore directory, CancellationToken ct)
    {
        var request = body.AsObject();
        var term = request.RequiredString("search_term");
        var limit = (int)Math.Clamp(request.IntOrNull("limit") ?? DefaultLimit, 0, MaxLimit);
        var query = SearchWords.Query(term);
        var found = query is null || limit == 0
            ? []
            : await directory.SearchAsync(requester.UserId.Value, query, Bare(term), limit + 1, ct);
        return MatrixResults.Object(w =>
        {
            w.WriteStartArray("results");
            foreach (var entry in found.Take(limit))
            {
                w.WriteStartObject();
                w.WriteString("user_id", entry.UserId);
                if (entry.DisplayName is not null) w.WriteString("display_name", entry.DisplayName);
                if (entry.AvatarUrl is not null) w.WriteString("avatar_url", entry.AvatarUrl);
                w.WriteEndObject();
            }
            w.WriteEndArray();
            w.WriteBoolean("limited", found.Count > limit);
        });
    }

    /// <summary>PostgreSQL takes no NUL.</summary>
    private static string Bare(string term) => term.Trim().TrimStart('@').Replace("\0", "", StringComparison.Ordinal).ToLowerInvariant();
}
