using System.Text.Json;
using Matrix.Primitives;
using Matrix.Web.Auth;

namespace Matrix.ClientApi.Account;

/// <summary>Who logs in.</summary>
/// <param name="AfterLogin">Done once the device is there; given its id.</param>
internal sealed record LoginProof(UserId User, Func<string, CancellationToken, Task>? AfterLogin = null)
{
    /// <summary>False: a session of the user vouches for him, which anybody might have who has its token.</summary>
    public bool IsOwn { get; init; } = true;
}

/// <summary>Where a login comes from.</summary>
/// <param name="BearerToken">Of the Authorization header, for application services; null: none.</param>
internal sealed record LoginClient(string Address, string? BearerToken)
{
    public static ValueTask<LoginClient?> BindAsync(HttpContext context) =>
        new(new LoginClient(ClientAddress.Of(context).Text, TokenAuthenticator.TokenOf(context.Request)));
}

/// <summary>A way to log in. Registered in the container, in the order in which clients are told of them; more are added by adding a class.</summary>
internal interface ILoginType
{
    bool Serves(string type);

    /// <summary>Objects of <c>flows</c>; nothing when it is switched off.</summary>
    void WriteFlows(Utf8JsonWriter writer);

    /// <summary>The user whom the submission proves; throws when it does not.</summary>
    Task<LoginProof> ProveAsync(JsonElement submission, LoginClient client, CancellationToken ct);
}
