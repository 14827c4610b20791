using Matrix.ClientApi.Pages;
using Matrix.ClientApi.Sso;
using Matrix.Primitives;
using Matrix.Storage.Sso;

namespace Matrix.ClientApi.OAuth;

/// <summary>Who has logged in to our pages with this browser.</summary>
internal sealed class WebLogin(WebSessionStore sessions, OAuthAddresses addresses, TimeProvider clock)
{
    /// <summary>For things that cannot be undone the user must have proved himself this recently.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(5);

    /// <summary>Null: nobody.</summary>
    public async Task<WebSession?> FindAsync(Browser browser, CancellationToken ct) =>
        browser.WebSession is { } secret ? await sessions.FindAsync(secret, ct) : null;

    public bool IsFresh(WebSession session) => clock.GetUtcNow().ToUnixTimeMilliseconds() - session.ProvedTsMs < Fresh.TotalMilliseconds;

    /// <summary>The browser is the user's from now on; a session that it had before is over.</summary>
    public async Task BeginAsync(UserId user, Browser browser, CancellationToken ct)
    {
        await EndAsync(browser, ct);
        browser.SetWebSession(await sessions.CreateAsync(user.Value, ct));
    }

    public async Task EndAsync(Browser browser, CancellationToken ct)
    {
        if (browser.WebSession is not { } secret) return;
        await sessions.DeleteAsync(secret, ct);
        browser.ClearWebSession();
    }

    /// <summary>To the login page, and from there to where the user wanted to go.</summary>
    public IResult ToLogin(string next, bool again = false) =>
        new SeeOther($"{addresses.Of("login")}?next={Uri.EscapeDataString(OwnPaths.Require(next))}{(again ? "&again=1" : "")}");
}
