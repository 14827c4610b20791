using Matrix.ClientApi.Pages;
using Matrix.Primitives;
using Matrix.Storage.Accounts;
using Matrix.Web.Auth;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Uia;

/// <summary>Pages for clients that do not know a stage. Spec: client-server-api/#fallback</summary>
internal static class FallbackEndpoints
{
    public static void MapUiaFallback(this ClientRoutes routes)
    {
        const ClientVersions v = ClientVersions.R0V3Unstable;
        routes.Get(v, "/auth/{stage}/fallback/web", Show).Anonymous().Named("get_uia_fallback");
        routes.Post(v, "/auth/{stage}/fallback/web", Submit).Anonymous().Named("submit_uia_fallback");
    }

    private static Task<IResult> Show(
        string stage, string? session, ClientAddress client, Browser browser, FallbackPages fallback, Pages.Pages pages, CancellationToken ct) =>
        pages.GuardAsync(() => fallback.ShowAsync(stage, session, client.Text, browser, ct));

    private static Task<IResult> Submit(
        string stage, string? session, FormBody form, ClientAddress client, Browser browser, FallbackPages fallback, Pages.Pages pages, CancellationToken ct) =>
        pages.GuardAsync(() => fallback.SubmitAsync(stage, form["session"] ?? session, form, client.Text, browser, ct));
}

/// <summary>A stage in a browser. The client hears of it when it asks for its session again.</summary>
internal sealed class FallbackPages(StagePages stages, UiaSessionStore sessions, Pages.Pages pages)
{
    public async Task<IResult> ShowAsync(string stage, string? id, string clientAddress, Browser browser, CancellationToken ct)
    {
        var (page, session) = await FindAsync(stage, id, ct);
        return session.Completed.Contains(stage) ? Done() : await stages.ShowAsync(page, session, PlaceOf(stage, session, clientAddress, browser), ct);
    }

    public async Task<IResult> SubmitAsync(string stage, string? id, FormBody form, string clientAddress, Browser browser, CancellationToken ct)
    {
        browser.RequireOwnFormAnywhere(form);
        var (page, session) = await FindAsync(stage, id, ct);
        return session.Completed.Contains(stage) ? Done() : await stages.SubmitAsync(page, session, form, PlaceOf(stage, session, clientAddress, browser), ct);
    }

    private StagePlace PlaceOf(string stage, UiaSession session, string clientAddress, Browser browser)
    {
        var path = $"/_matrix/client/v3/auth/{stage}/fallback/web?session={Uri.EscapeDataString(session.SessionId)}";
        // From here to here the browser goes by the name by which it knows this server.
        return new StagePlace(path[path.IndexOf('?', StringComparison.Ordinal)..], path, browser.FormToken(), clientAddress, Done);
    }

    private IResult Done() => pages.Show("auth_success.html", new Dictionary<string, object?>());

    private async Task<(IUiaPage Page, UiaSession Session)> FindAsync(string stage, string? id, CancellationToken ct)
    {
        if (stages.Find(stage) is not { } page) throw MatrixError.Unrecognized("Unknown auth stage type").AsException();
        if (id is null) throw MatrixError.MissingParam("No session supplied").AsException();
        var session = await sessions.FindAsync(id, ct) ?? throw MatrixError.Unknown(400, "This request is not known, or is over. Go back to your client and begin again.").AsException();
        if (!session.Completed.Contains(stage) && !UiaOrder.IsNext(session, stage))
            throw new PageException(401, UiaOrder.Broken.Code, "It is not the turn of this step. Go back to your client and go on there.");
        return (page, session);
    }
}
