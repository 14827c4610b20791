using System.Text.Json;
using Matrix.ClientApi.Account;
using Matrix.Primitives;

namespace Matrix.ClientApi.Sso;

/// <summary>Tells clients of single sign-on; what they come back with is a login token.</summary>
internal sealed class SsoLoginType(SsoFlows flows) : ILoginType
{
    public bool Serves(string type) => false;

    public void WriteFlows(Utf8JsonWriter writer) => flows.Write(writer);

    public Task<LoginProof> ProveAsync(JsonElement submission, LoginClient client, CancellationToken ct) =>
        throw MatrixError.Unknown(400, "Unknown login type.").AsException();
}
