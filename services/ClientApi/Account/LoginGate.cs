using Matrix.Primitives;
using Matrix.Storage.Accounts;
using Matrix.Web.Auth;

namespace Matrix.ClientApi.Account;

/// <summary>Whether an account may be logged in to, for whoever has proved to be its owner.</summary>
internal sealed class LoginGate(AccountStore accounts)
{
    /// <summary>M_USER_DEACTIVATED, M_USER_LOCKED; M_FORBIDDEN when there is no such account.</summary>
    public async Task RequireOpenAsync(UserId user, CancellationToken ct) =>
        RequireOpen(await accounts.FindForLoginAsync(user.Value, user.Value, ct) ?? throw MatrixError.Forbidden("There is no such account.").AsException());

    public static void RequireOpen(LoginRecord account)
    {
        if (account.Deactivated) throw MatrixError.UserDeactivated().AsException();
        if (account.Locked) throw AccountErrors.Locked.AsException();
    }
}
