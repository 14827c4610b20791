using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.Account;

/// <summary>Spec: client-server-api/#password-based</summary>
internal sealed class PasswordLoginType(PasswordLogin login, HomeserverConfig config) : ILoginType
{
    private readonly bool isEnabled = config.Accounts.Passwords.LoginEnabled;

    public bool Serves(string type) => type == "m.login.password";

    public void WriteFlows(Utf8JsonWriter w)
    {
        if (!isEnabled) return;
        w.WriteStartObject();
        w.WriteString("type"u8, "m.login.password"u8);
        w.WriteEndObject();
    }

    public async Task<LoginProof> ProveAsync(JsonElement submission, LoginClient client, CancellationToken ct)
    {
        if (!isEnabled) throw MatrixError.Unknown(400, "Password login has been disabled.").AsException();
        return new LoginProof(await login.AuthenticateAsync(submission, ct));
    }
}
