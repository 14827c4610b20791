using Matrix.ClientApi.Account;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;

namespace Matrix.ClientApi.Uia;

/// <summary>The user proves once more that he knows his password. Spec: client-server-api/#password-based</summary>
internal sealed class PasswordStage(PasswordLogin login, AccountStore accounts, HomeserverConfig config) : IUiaStage
{
    public const string Name = "m.login.password";
    public string Type => Name;

    public async ValueTask<UiaVerdict> CheckAsync(UiaProof proof, CancellationToken ct)
    {
        UserId proved;
        try
        {
            proved = await login.AuthenticateAsync(proof.Auth, ct);
        }
        catch (MatrixException e) when (e.Error.Status is 400 or 401 or 403)
        {
            return e.Error;
        }
        // Synapse: somebody else's password is no wrong password, and no reason to try again.
        return proved == proof.User ? UiaVerdict.Proved : throw MatrixError.Forbidden("Invalid auth").AsException();
    }

    public async ValueTask<bool> IsReauthOfAsync(UserId user, CancellationToken ct) =>
        config.Accounts.Passwords.ReauthEnabled && await accounts.FindForLoginAsync(user.Value, user.Value, ct) is { PasswordHash: not null };
}
