using System.Text.Json;
using Matrix.Primitives;
using Matrix.Storage.Accounts;

namespace Matrix.ClientApi.Uia;

/// <summary>Stages that complete an authentication when all of them are done, in this order.</summary>
internal sealed record UiaFlow(params string[] Stages);

/// <summary>Which stage may come when. Spec: client-server-api/#user-interactive-authentication-api ("must be completed in order")</summary>
internal static class UiaOrder
{
    public static readonly MatrixError Broken = MatrixError.Forbidden("This is not the next stage of any flow: stages are completed in their order.");

    /// <summary>Whether a stage continues one of the flows after what is completed; what is of no flow counts for nothing there.</summary>
    public static bool IsNext(IReadOnlyList<IReadOnlyList<string>> flows, IReadOnlyList<string> completed, string stage)
    {
        var done = completed.Where(s => IsKnown(flows, s)).ToList();
        return flows.Any(f => f.Count > done.Count && f[done.Count] == stage && f.Take(done.Count).SequenceEqual(done));
    }

    public static bool IsNext(UiaSession session, string stage) => session.Flows is not { } flows || IsNext(flows, session.Completed, stage);

    public static bool IsKnown(IReadOnlyList<IReadOnlyList<string>> flows, string stage) => flows.Any(f => f.Contains(stage));

    public static bool IsComplete(IReadOnlyList<IReadOnlyList<string>> flows, IReadOnlyList<string> completed) => flows.Any(f => f.All(completed.Contains));
}

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
    /// <remarks>A null that comes here by way of a conditional expression must not become a proof.</remarks>
    public static implicit operator UiaVerdict(MatrixError fault) => new(fault ?? throw new ArgumentNullException(nameof(fault)));
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
