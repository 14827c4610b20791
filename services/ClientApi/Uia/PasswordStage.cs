using System.Text.Json;
using Matrix.ClientApi.Account;
using Matrix.Primitives;

namespace Matrix.ClientApi.Uia;

/// <summary>The user proves once more that he knows his password. Spec: client-server-api/#password-based</summary>
internal sealed class PasswordStage(PasswordLogin login) : IUiaStage
{
    public const string Name = "m.login.password";
    public string Type => Name;

    public async ValueTask<MatrixError?> CheckAsync(JsonElement auth, UserId? user, CancellationToken ct)
    {
        try
        {
            var proved = await login.AuthenticateAsync(auth, ct);
            return proved == user ? null : MatrixError.Forbidden("Invalid username or password");
        }
        catch (MatrixException e) when (e.Error.Status is 400 or 401 or 403)
        {
            return e.Error;
        }
    }
}
