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
        UserId proved;
        try
        {
            proved = await login.AuthenticateAsync(auth, ct);
        }
        catch (MatrixException e) when (e.Error.Status is 400 or 401 or 403)
        {
            return e.Error;
        }
        // Synapse: somebody else's password is no wrong password, and no reason to try again.
        return proved == user ? null : throw MatrixError.Forbidden("Invalid auth").AsException();
    }
}
