using Matrix.Primitives;
using Microsoft.AspNetCore.Http;

namespace Matrix.Web.Auth;

/// <summary>Who stands behind the token of a request: a user's device, or an application service (with <c>user_id</c> masquerading).</summary>
public interface IRequestAuthenticator
{
    ValueTask<Requester> AuthenticateAsync(HttpContext context, string token);
}

/// <summary>Tokens of application services are few and known; any other is a user's.</summary>
internal sealed class UserTokenAuthenticator(TokenAuthenticator tokens, IEnumerable<AppServiceMasquerade> masquerades) : IRequestAuthenticator
{
    private readonly AppServiceMasquerade? masquerade = masquerades.FirstOrDefault();

    public ValueTask<Requester> AuthenticateAsync(HttpContext context, string token) => masquerade?.ServiceOf(token) is { } service
        ? masquerade.AuthenticateAsync(service, context.Request.Query, context.RequestAborted)
        : tokens.AuthenticateAsync(token, context.RequestAborted);
}
