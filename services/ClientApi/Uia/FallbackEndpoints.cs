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

    private static Task<IResult> Show(string stage, string? session, ClientAddress client, FallbackPages fallback, Pages.Pages pages, CancellationToken ct) =>
        pages.GuardAsync(() => fallback.ShowAsync(stage, session, client.Text, ct));

    private static Task<IResult> Submit(
        string stage, string? session, FormBody form, ClientAddress client, FallbackPages fallback, Pages.Pages pages, CancellationToken ct) =>
        pages.GuardAsync(() => fallback.SubmitAsync(stage, form["session"] ?? session, form, client.Text, ct));
}

/// <summary>A stage in a browser: the page, and what its form sends. The client hears of it when it asks for its session again.</summary>
internal sealed class FallbackPages(IEnumerable<IUiaStage> stages, UiaSessionStore sessions, Pages.Pages pages)
{
    public async Task<IResult> ShowAsync(string stage, string? session, string clientAddress, CancellationToken ct)
    {
        var (page, request, completed) = await FindAsync(stage, session, clientAddress, ct);
        return completed ? Done() : await page.ShowAsync(request, null, ct);
    }

    public async Task<IResult> SubmitAsync(string stage, string? session, FormBody form, string clientAddress, CancellationToken ct)
    {
        var (page, request, completed) = await FindAsync(stage, session, clientAddress, ct);
        if (completed) return Done();
        var verdict = await page.SubmitAsync(request, form, ct);
        if (verdict.Fault is { } fault) return await page.ShowAsync(request, fault.Message, ct);
        await sessions.CompleteAsync(request.Session, stage, verdict.Result, ct);
        return Done();
    }

    private IResult Done() => pages.Show("auth_success.html", new Dictionary<string, object?>());

    private async Task<(IUiaPage Page, UiaPageRequest Request, bool Completed)> FindAsync(string stage, string? id, string clientAddress, CancellationToken ct)
    {
        if (stages.FirstOrDefault(s => s.Type == stage) is not IUiaPage page) throw MatrixError.Unrecognized("Unknown auth stage type").AsException();
        if (id is null) throw MatrixError.MissingParam("No session supplied").AsException();
        var session = await sessions.FindAsync(id, ct) ?? throw MatrixError.Unknown(400, "This request is not known, or is over. Go back to your client and begin again.").AsException();
        // The operation begins with the user, where there is one.
        var user = UserId.TryParse(session.Operation.Split(' ')[0], null, out var known) ? known : (UserId?)null;
        return (page, new UiaPageRequest(id, user, clientAddress), session.Completed.Contains(stage));
    }
}
