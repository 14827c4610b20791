using System.Text.Json;
using Matrix.ClientApi.Pages;
using Matrix.Primitives;

namespace Matrix.ClientApi.Uia;

/// <summary>
/// A stage with a page for browsers: <c>/auth/TYPE/fallback/web</c>, for clients that do not know it, and a step of our sign-up.
/// Spec: client-server-api/#fallback
/// </summary>
internal interface IUiaPage : IUiaStage
{
    /// <summary>The page, or a redirect to where the proof is given.</summary>
    /// <param name="complaint">What was wrong with the last attempt; null: nothing.</param>
    ValueTask<IResult> ShowAsync(UiaPageRequest request, string? complaint, CancellationToken ct);

    /// <summary>What the form of the page sent: a proof as a client would have given it. Null: the proof has only been begun, and the page goes on with it.</summary>
    ValueTask<UiaVerdict?> SubmitAsync(UiaPageRequest request, FormBody form, CancellationToken ct);

    /// <summary>Whether it was proved elsewhere when the browser comes (back) to the page. Null: it was not.</summary>
    ValueTask<UiaVerdict?> ReturnAsync(UiaPageRequest request, CancellationToken ct) => new((UiaVerdict?)null);
}

/// <summary>A browser at the page of a stage.</summary>
/// <param name="User">Who is authenticated; null at registration.</param>
internal sealed record UiaPageRequest(string Session, UserId? User, string ClientAddress)
{
    /// <summary>As <see cref="UiaProof.Operation"/>.</summary>
    public string Operation { get; init; } = "";
    /// <summary>Path and query of a page that goes on when something was proved elsewhere.</summary>
    public required string ReturnPath { get; init; }
    /// <summary>For the field <c>csrf</c>.</summary>
    public required string FormToken { get; init; }
    /// <summary>Which page of how many it is; null: nobody counts.</summary>
    public (int Step, int Steps)? Progress { get; init; }
    /// <summary>JSON that the stage keeps for its page in the session; null: nothing.</summary>
    public string? Kept { get; init; }
    /// <summary>What was sent when there is something to complain of.</summary>
    public FormBody? Form { get; init; }

    /// <summary>What all templates of stages know, and more.</summary>
    public Dictionary<string, object?> Values(string? complaint, params ReadOnlySpan<(string Name, object? Value)> more)
    {
        var values = new Dictionary<string, object?>
        {
            ["session"] = Session, ["csrf"] = FormToken, ["error"] = complaint, ["step"] = Progress?.Step, ["steps"] = Progress?.Steps,
        };
        foreach (var (name, value) in more) values[name] = value;
        return values;
    }
}
