using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Web.Json;

namespace Matrix.ClientApi.Account;

/// <summary>What login and registration answer. Spec: client-server-api/#post_matrixclientv3login</summary>
internal static class LoginAnswer
{
    /// <param name="token">Null with <c>inhibit_login</c>: the user id alone.</param>
    public static IResult Of(UserId user, string? token, string? deviceId, HomeserverConfig config, bool withWellKnown = false) => MatrixResults.Object(w =>
    {
        w.WriteString("user_id"u8, user.Value);
        w.WriteString("home_server"u8, config.ServerName);
        if (token is null) return;
        w.WriteString("access_token"u8, token);
        w.WriteString("device_id"u8, deviceId);
        if (!withWellKnown || config.PublicBaseUrl is null) return;
        w.WriteStartObject("well_known"u8);
        w.WriteStartObject("m.homeserver"u8);
        w.WriteString("base_url"u8, config.PublicBaseUrl);
        w.WriteEndObject();
        w.WriteEndObject();
    });
}
