using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Web.Json;

namespace Matrix.ClientApi.Account;

/// <summary>What login and registration answer. Spec: client-server-api/#post_matrixclientv3login</summary>
internal static class LoginAnswer
{
    /// <param name="session">Null with <c>inhibit_login</c>: the user id alone.</param>
    public static IResult Of(UserId user, Session? session, HomeserverConfig config, bool withWellKnown = false) => MatrixResults.Object(w =>
    {
        w.WriteString("user_id"u8, user.Value);
        w.WriteString("home_server"u8, config.ServerName);
        if (session is null) return;
        w.WriteString("device_id"u8, session.DeviceId);
        WriteTokens(w, session.Tokens);
        if (!withWellKnown || config.PublicBaseUrl is null) return;
        w.WriteStartObject("well_known"u8);
        w.WriteStartObject("m.homeserver"u8);
        w.WriteString("base_url"u8, config.PublicBaseUrl);
        w.WriteEndObject();
        w.WriteEndObject();
    });

    public static void WriteTokens(Utf8JsonWriter w, NewTokens tokens)
    {
        w.WriteString("access_token"u8, tokens.AccessToken);
        if (tokens.RefreshToken is { } refresh) w.WriteString("refresh_token"u8, refresh);
        if (tokens.ExpiresInMs is { } expires) w.WriteNumber("expires_in_ms"u8, expires);
    }
}
