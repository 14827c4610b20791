using System.Text.Json;
using Matrix.Primitives;

namespace Matrix.ClientApi.Uia;

/// <summary>Spec: client-server-api/#dummy-auth</summary>
internal sealed class DummyStage : IUiaStage
{
    public const string Name = "m.login.dummy";
    public string Type => Name;
    public ValueTask<MatrixError?> CheckAsync(JsonElement auth, UserId? user, CancellationToken ct) => new((MatrixError?)null);
}
