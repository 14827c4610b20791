using Matrix.ClientApi.Pages;
using Matrix.Primitives;
using Matrix.Storage.Accounts;

namespace Matrix.ClientApi.Uia;

/// <summary>Where the page of a stage stands, and where it leads.</summary>
/// <param name="Path">Path and query of the page itself.</param>
/// <param name="ReturnPath">As <see cref="UiaPageRequest.ReturnPath"/>.</param>
/// <param name="Done">What the browser gets when the stage is completed.</param>
internal sealed record StagePlace(string Path, string ReturnPath, string FormToken, string ClientAddress, Func<IResult> Done)
{
    /// <summary>As <see cref="UiaPageRequest.Progress"/>.</summary>
    public (int Step, int Steps)? Progress { get; init; }
}

/// <summary>
/// Stages in a browser: their pages, and what the forms send. Whoever calls has found the session and knows that it is the stage's turn. Nothing is
/// kept but in the session: any instance shows any page.
/// </summary>
internal sealed class StagePages(IEnumerable<IUiaStage> stages, UiaSessionStore sessions)
{
    /// <summary>Null: the stage is not known, or has no page.</summary>
    public IUiaPage? Find(string stage) => stages.FirstOrDefault(s => s.Type == stage) as IUiaPage;

    public async Task<IResult> ShowAsync(IUiaPage page, UiaSession session, StagePlace place, CancellationToken ct)
    {
        var request = Request(page, session, place);
        if (await page.ReturnAsync(request, ct) is not { } verdict) return await page.ShowAsync(request, null, ct);
        return await JudgeAsync(page, request, verdict, place, ct);
    }

    public async Task<IResult> SubmitAsync(IUiaPage page, UiaSession session, FormBody form, StagePlace place, CancellationToken ct)
    {
        var request = Request(page, session, place) with { Form = form };
        try
        {
            return await page.SubmitAsync(request, form, ct) is { } verdict ? await JudgeAsync(page, request, verdict, place, ct) : new SeeOther(place.Path);
        }
        // What a client would be told and may try again, people may too.
        catch (MatrixException e) when (e.Error.Status is 400 or 401 or 403)
        {
            return await page.ShowAsync(request, e.Error.Message, ct);
        }
        catch (MatrixException e) when (e.Error.Status is 429)
        {
            return await page.ShowAsync(request, "That was too often. Wait a while, then try again.", ct);
        }
    }

    private async Task<IResult> JudgeAsync(IUiaPage page, UiaPageRequest request, UiaVerdict verdict, StagePlace place, CancellationToken ct)
    {
        if (verdict.Fault is { } fault) return await page.ShowAsync(request, fault.Message, ct);
        await sessions.CompleteAsync(request.Session, page.Type, verdict.Result, ct);
        return place.Done();
    }

    private static UiaPageRequest Request(IUiaPage page, UiaSession session, StagePlace place)
    {
        // The operation begins with the user, where there is one.
        var words = session.Operation.Split(' ', 2);
        var user = UserId.TryParse(words[0], null, out var known) ? known : (UserId?)null;
        return new UiaPageRequest(session.SessionId, user, place.ClientAddress)
        {
            Operation = user is null ? session.Operation : words.ElementAtOrDefault(1) ?? "",
            ReturnPath = place.ReturnPath,
            FormToken = place.FormToken,
            Progress = place.Progress,
            Kept = session.Kept.GetValueOrDefault(page.Type),
        };
    }
}
