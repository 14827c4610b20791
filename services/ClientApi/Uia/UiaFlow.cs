using System.Text.Json;
using Matrix.Primitives;

namespace Matrix.ClientApi.Uia;

/// <summary>Stages that complete an authentication when all of them are done.</summary>
internal sealed record UiaFlow(params string[] Stages);

/// <summary>One kind of proof. Registered in the container; more are added by adding a class.</summary>
internal interface IUiaStage
{
    string Type { get; }

    /// <summary>Null when <paramref name="auth"/> proves it; otherwise what the client is told beside the flows.</summary>
    /// <param name="user">Who is authenticated; null at registration.</param>
    ValueTask<MatrixError?> CheckAsync(JsonElement auth, UserId? user, CancellationToken ct);
}
