using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Web.Json;

namespace Matrix.ClientApi.Account;

/// <summary>Single-use tokens, made by another session of the user or at the end of a single sign-on. Spec: client-server-api/#token-based</summary>
internal sealed class TokenLoginType(LoginTokenStore tokens, LoginGate gate, HomeserverConfig config) : ILoginType
{
    public const string Name = "m.login.token";

    public bool Serves(string type) => type == Name;

    public void WriteFlows(Utf8JsonWriter w)
    {
        if (!config.Accounts.LoginTokens.Enabled) return;
        w.WriteStartObject();
        w.WriteString("type"u8, Name);
        w.WriteBoolean("get_login_token"u8, true);
        w.WriteEndObject();
    }

    public async Task<LoginProof> ProveAsync(JsonElement submission, LoginClient client, CancellationToken ct)
    {
        var token = await tokens.ConsumeAsync(submission.RequiredString("token"), ct)
            ?? throw MatrixError.Forbidden("Invalid login token").AsException();
        await gate.RequireOpenAsync(new UserId(token.UserId), ct);
        return new LoginProof(new UserId(token.UserId), (device, c) => tokens.BindDeviceAsync(token, device, c)) { IsOwn = token.AuthProvider is not null };
    }
}
