using System.Text.Json;
using Matrix.ClientApi.Account;
using Matrix.ClientApi.Pages;
using Matrix.ClientApi.Sso;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;

namespace Matrix.ClientApi.Uia;

/// <summary>The user proves once more that he knows his password. Spec: client-server-api/#password-based</summary>
internal sealed class PasswordStage(PasswordLogin login, AccountStore accounts, Pages.Pages pages, HomeserverConfig config) : IUiaPage
{
    public const string Name = "m.login.password";
    public string Type => Name;

    public ValueTask<UiaVerdict> CheckAsync(UiaProof proof, CancellationToken ct) => CheckAsync(proof.Auth, proof.User, ct);

    private async ValueTask<UiaVerdict> CheckAsync(JsonElement submission, UserId? user, CancellationToken ct)
    {
        UserId proved;
        try
        {
            proved = await login.AuthenticateAsync(submission, ct);
        }
        catch (MatrixException e) when (e.Error.Status is 400 or 401 or 403)
        {
            return e.Error;
        }
        // Where nobody is named the proof says who it is.
        if (user is null) return new UiaVerdict(null, $"\"{JsonEncodedText.Encode(proved.Value)}\"");
        // Synapse: somebody else's password is no wrong password, and no reason to try again.
        return proved == user ? UiaVerdict.Proved : throw MatrixError.Forbidden("Invalid auth").AsException();
    }

    public ValueTask<IResult> ShowAsync(UiaPageRequest request, string? complaint, CancellationToken ct) => new(pages.Show("uia_password.html", request.Values(complaint,
        ("user_id", request.User?.Value), ("description", UiaOperations.Describe(request.Operation)), ("username", request.Form?["username"] ?? ""))));

    public async ValueTask<UiaVerdict?> SubmitAsync(UiaPageRequest request, FormBody form, CancellationToken ct) =>
        await CheckAsync(PasswordLogin.Submission(request.User?.Value ?? form["username"]?.Trim() ?? "", form["password"] ?? ""), request.User, ct);

    public async ValueTask<bool> IsReauthOfAsync(UserId user, CancellationToken ct) =>
        config.Accounts.Passwords.ReauthEnabled && await accounts.FindForLoginAsync(user.Value, user.Value, ct) is { PasswordHash: not null };
}
