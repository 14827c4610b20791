using System.Text.Json;
using Matrix.ClientApi.Pages;
using Matrix.Primitives;
using Matrix.Storage.Accounts;
using Matrix.Web.Json;

namespace Matrix.ClientApi.Uia;

/// <summary>Spec: client-server-api/#token-authenticated-registration</summary>
internal sealed class RegistrationTokenStage(RegistrationTokenStore tokens, Pages.Pages pages, TimeProvider clock) : IUiaPage
{
    public const string Name = "m.login.registration_token";
    public string Type => Name;

    public async ValueTask<UiaVerdict> CheckAsync(UiaProof proof, CancellationToken ct)
    {
        var token = proof.Auth.StringOrNull("token");
        if (token is null) return MatrixError.MissingParam("No token provided.");
        // The use belongs to a session: somebody who has none is given one, and comes again.
        if (proof.Session is not { } session) return MatrixError.MissingParam("No session provided.");
        return await UseAsync(session, token, ct);
    }

    public ValueTask<IResult> ShowAsync(UiaPageRequest request, string? complaint, CancellationToken ct) =>
        new(pages.Show("registration_token.html", request.Values(complaint)));

    public async ValueTask<UiaVerdict?> SubmitAsync(UiaPageRequest request, FormBody form, CancellationToken ct) =>
        form["token"] is { Length: > 0 } token ? await UseAsync(request.Session, token.Trim(), ct) : MatrixError.MissingParam("Enter the token that you were given.");

    private async ValueTask<UiaVerdict> UseAsync(string session, string token, CancellationToken ct) =>
        await tokens.UseAsync(session, token, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct)
            ? new UiaVerdict(null, $"\"{JsonEncodedText.Encode(token)}\"")
            : MatrixError.Custom(401, "M_UNAUTHORIZED", "Invalid registration token");
}
