using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.OpenId;

/// <summary>Spec: client-server-api/#openid</summary>
internal static class OpenIdEndpoints
{
    public static void MapOpenId(this ClientRoutes routes) =>
        routes.Post(ClientVersions.R0V3Unstable, "/user/{userId}/openid/request_token", RequestToken).Named("request_openid_token");

    private static IResult RequestToken(UserId userId, Requester requester, JsonBody body, OpenIdTokens tokens, HomeserverConfig config)
    {
        requester.RequireSelf(userId, "Cannot request tokens for other users.");
        _ = body.AsObjectOrEmpty();     // kept free by the specification for what is to come
        var token = tokens.Issue(userId);
        return MatrixResults.Object(w =>
        {
            w.WriteString("access_token"u8, token);
            w.WriteString("token_type"u8, "Bearer"u8);
            w.WriteString("matrix_server_name"u8, config.ServerName);
            w.WriteNumber("expires_in"u8, OpenIdTokens.LifetimeSeconds);
        });
    }
}
