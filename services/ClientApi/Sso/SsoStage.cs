using Matrix.ClientApi.Uia;
using Matrix.Primitives;

namespace Matrix.ClientApi.Sso;

/// <summary>The user logs in once more at his provider, in a browser. Spec: client-server-api/#sso-during-user-interactive-authentication</summary>
internal sealed class SsoStage(SsoUiaResults results) : IUiaStage
{
    public const string Name = "m.login.sso";
    /// <summary>Stands among the completed stages of a session in which somebody else has proved himself: it is of no use any more.</summary>
    public const string WrongUser = "m.login.sso!";
    public string Type => Name;

    /// <summary>Nothing that a client sends proves it: the browser does, elsewhere.</summary>
    public ValueTask<UiaVerdict> CheckAsync(UiaProof proof, CancellationToken ct) =>
        new(MatrixError.Forbidden("Log in at your provider in a browser first."));

    public ValueTask<bool> IsReauthOfAsync(UserId user, CancellationToken ct) => new(results.CanProveAsync(user, ct));
}
