using Matrix.ClientApi.Pages;
using Matrix.ClientApi.Uia;
using Matrix.Primitives;
using Matrix.Storage.Accounts;
using Matrix.Storage.Sso;

namespace Matrix.ClientApi.Sso;

/// <summary>User-interactive authentication by a provider: results go into the session of the authentication, which any instance continues.</summary>
internal sealed class SsoUiaResults(UiaSessionStore sessions, ExternalIdStore links, SsoProviders providers, SsoPages pages)
{
    /// <summary>Whether this user can prove himself at one of the providers.</summary>
    public async Task<bool> CanProveAsync(UserId user, CancellationToken ct) =>
        providers.All.Count > 0 && (await links.ListAsync(user.Value, ct)).Any(l => providers.Find(l.AuthProvider) is not null);

    /// <summary>The provider that this user is known to; null: none of ours.</summary>
    public async Task<ISsoProvider?> ProviderOfAsync(UserId user, CancellationToken ct) =>
        (await links.ListAsync(user.Value, ct)).Select(l => providers.Find(l.AuthProvider)).FirstOrDefault(p => p is not null);

    /// <summary>Who must prove himself, and for what; a page says so when there is no such session.</summary>
    public async Task<(UserId User, string Operation)> FindAsync(string session, CancellationToken ct)
    {
        var found = await sessions.FindAsync(session, ct);
        if (found?.Operation.Split(' ', 2) is not [['@', ..] user, var operation])
            throw new PageException(400, "M_UNKNOWN", "This confirmation has expired. Begin it again from your Matrix client.");
        if (!found.Completed.Contains(SsoStage.Name) && !UiaOrder.IsNext(found, SsoStage.Name))
            throw new PageException(401, UiaOrder.Broken.Code, "It is not the turn of this step. Go back to your client and go on there.");
        return (new UserId(user), operation);
    }

    public async Task<IResult> CompleteAsync(string session, UserId? proved, CancellationToken ct)
    {
        var (wanted, _) = await FindAsync(session, ct);
        if (proved == wanted)
        {
            await sessions.CompleteAsync(session, SsoStage.Name, null, ct);
            return pages.UiaSuccess();
        }
        await sessions.CompleteAsync(session, SsoStage.WrongUser, null, ct);
        return pages.UiaBadUser();
    }
}
