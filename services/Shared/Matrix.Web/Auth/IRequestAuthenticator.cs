using Matrix.Primitives;
using Microsoft.AspNetCore.Http;

namespace Matrix.Web.Auth;

/// <summary>Who stands behind the token of a request: a user's device, or an application service (with <c>user_id</c> masquerading).</summary>
public interface IRequestAuthenticator
{
    ValueTask<Requester> AuthenticateAsync(HttpContext context, string token);
}

internal sealed class UserTokenAuthenticator(TokenAuthenticator tokens) : IRequestAuthenticator
{
    public ValueTask<Requester> AuthenticateAsync(HttpContext context, string token) => tokens.AuthenticateAsync(token, context.RequestAborted);
}
