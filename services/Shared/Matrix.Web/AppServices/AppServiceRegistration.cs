using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Matrix.Web.Auth;

namespace Matrix.Web.AppServices;

/// <summary>A part of a namespace: ids that match are the application service's business.</summary>
/// <param name="IsExclusive">Nobody else may make such ids.</param>
public sealed record AppServiceNamespace(bool IsExclusive, Regex Pattern);

/// <summary>An application service as its registration file describes it. Spec: application-service-api/#registration</summary>
/// <param name="Url">Null: it wants nothing sent.</param>
/// <param name="Sender">Its own user, from sender_localpart.</param>
public sealed record AppServiceRegistration(
    string Id, Uri? Url, string AsToken, string HsToken, string Sender, bool IsRateLimited, bool ReceivesEphemeral, IReadOnlyList<string> Protocols,
    IReadOnlyList<AppServiceNamespace> Users, IReadOnlyList<AppServiceNamespace> Aliases, IReadOnlyList<AppServiceNamespace> Rooms)
{
    /// <summary>Whether a local user is its own, or in one of its namespaces.</summary>
    public bool IsInterestedInUser(string userId) => userId == Sender || Matches(Users, userId);
    public bool IsInterestedInAlias(string alias) => Matches(Aliases, alias);
    public bool IsInterestedInRoom(string roomId) => Matches(Rooms, roomId);
    public bool IsExclusiveUser(string userId) => userId == Sender || MatchesExclusively(Users, userId);
    public bool IsExclusiveAlias(string alias) => MatchesExclusively(Aliases, alias);

    private static bool Matches(IReadOnlyList<AppServiceNamespace> list, string id)
    {
        foreach (var ns in list) if (ns.Pattern.IsMatch(id)) return true;
        return false;
    }

    private static bool MatchesExclusively(IReadOnlyList<AppServiceNamespace> list, string id)
    {
        foreach (var ns in list) if (ns.IsExclusive && ns.Pattern.IsMatch(id)) return true;
        return false;
    }
}

/// <summary>All application services of this homeserver.</summary>
public sealed record AppServiceRegistrations(IReadOnlyList<AppServiceRegistration> All)
{
    private readonly Dictionary<string, AppServiceRegistration> byToken = All.DistinctBy(s => s.AsToken).ToDictionary(s => Hash(s.AsToken), StringComparer.Ordinal);

    /// <summary>The service whose <c>as_token</c> it is; null: nobody's. Looked up by hash: how long it takes tells nothing of the token.</summary>
    public AppServiceRegistration? OfToken(string token) => byToken.Count == 0 ? null : byToken.GetValueOrDefault(Hash(token));

    /// <summary>
    /// Whether that alias is not the requester's to make: a service has reserved it for itself, or the requester is a service and it is none of its own. Spec:
    /// application-service-api/#registration (namespaces)
    /// </summary>
    public bool IsAliasOfOthers(string alias, Requester requester)
    {
        if (All.Count == 0) return false;
        if (requester.AppServiceId is { } id) return All.FirstOrDefault(s => s.Id == id) is not { } own || !own.IsInterestedInAlias(alias);
        return All.Any(s => s.IsExclusiveAlias(alias) && !s.IsInterestedInUser(requester.UserId.Value));
    }

    private static string Hash(string token) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(token)));
}
