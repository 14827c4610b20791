using System.Text.Json;
using Matrix.ClientApi.Pages;
using Matrix.Primitives;

namespace Matrix.ClientApi.Uia;

/// <summary>Stages that complete an authentication when all of them are done.</summary>
internal sealed record UiaFlow(params string[] Stages);

/// <summary>What a client brings to a stage.</summary>
/// <param name="Auth">The <c>auth</c> of the request.</param>
/// <param name="User">Who is authenticated; null at registration and where the proof itself says who.</param>
/// <param name="Session">Session id; null: the client has begun none.</param>
/// <param name="ClientAddress">Address of the client, as text; empty when unknown.</param>
internal sealed record UiaProof(JsonElement Auth, UserId? User, string? Session, string ClientAddress)
{
    /// <summary>What is to be done with it: <see cref="UiaDemand.Operation"/>.</summary>
    public string Operation { get; init; } = "";
}

/// <summary>Whether a proof holds.</summary>
/// <param name="Fault">Null: it does. Otherwise what the client is told beside the flows.</param>
/// <param name="Result">What the stage found out, as JSON, kept with the session under the stage's name; null: nothing.</param>
internal readonly record struct UiaVerdict(MatrixError? Fault, string? Result = null)
{
    public static UiaVerdict Proved => default;
    public static implicit operator UiaVerdict(MatrixError fault) => new(fault);
}

/// <summary>
/// One kind of proof. Registered in the container; more are added by adding a class. A stage that is completed elsewhere, in a browser, notes that
/// with <c>UiaSessionStore.CompleteAsync</c>; the client then comes with its session and the stage is not asked again.
/// </summary>
internal interface IUiaStage
{
    string Type { get; }

    ValueTask<UiaVerdict> CheckAsync(UiaProof proof, CancellationToken ct);

    /// <summary>Members of <c>params</c> for this stage; false: it has none and wrote nothing.</summary>
    bool WriteParams(Utf8JsonWriter writer, string session) => false;

    /// <summary>Whether this user can prove himself with it before he changes his account.</summary>
    ValueTask<bool> IsReauthOfAsync(UserId user, CancellationToken ct) => new(false);
}

/// <summary>
/// A stage with a page for browsers, <c>/auth/TYPE/fallback/web</c>, for clients that do not know it. Spec: client-server-api/#fallback
/// </summary>
internal interface IUiaPage : IUiaStage
{
    /// <summary>The page, or a redirect to where the proof is given.</summary>
    /// <param name="complaint">What was wrong with the last attempt; null: this is the first.</param>
    ValueTask<IResult> ShowAsync(UiaPageRequest request, string? complaint, CancellationToken ct);

    /// <summary>What the form of the page sent: a proof as a client would have given it.</summary>
    ValueTask<UiaVerdict> SubmitAsync(UiaPageRequest request, FormBody form, CancellationToken ct);
}

/// <param name="User">Who is authenticated; null at registration.</param>
internal sealed record UiaPageRequest(string Session, UserId? User, string ClientAddress);
