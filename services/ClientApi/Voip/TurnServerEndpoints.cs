using System.Security.Cryptography;
using System.Text;
using Matrix.ServiceDefaults;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Voip;

/// <summary>
/// Credentials for the TURN server: made from a secret that it shares with this server (draft-uberti-behave-turn-rest), or fixed ones. Without a TURN
/// server the answer is empty. Spec: client-server-api/#get_matrixclientv3voipturnserver
/// </summary>
internal static class TurnServerEndpoints
{
    public static void MapTurnServer(this ClientRoutes routes) =>
        routes.Get(ClientVersions.ApiV1R0V3Unstable, "/voip/turnServer", Get).AllowGuests().Named("get_turn_server");

    private static IResult Get(Requester requester, HomeserverConfig config, TimeProvider clock)
    {
        var turn = config.Accounts.Turn;
        if (turn.Uris.Count == 0 || (requester.IsGuest && !turn.AllowGuests)) return MatrixResults.Empty;
        var (username, password) = (turn.Username, turn.Password);
        if (turn.SharedSecret is { } secret)
        {
            username = $"{(clock.GetUtcNow() + turn.UserLifetime).ToUnixTimeSeconds()}:{requester.UserId.Value}";
            password = Convert.ToBase64String(HMACSHA1.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(username)));
        }
        if (username is null || password is null) return MatrixResults.Empty;
        return MatrixResults.Object(w =>
        {
            w.WriteString("username"u8, username);
            w.WriteString("password"u8, password);
            w.WriteNumber("ttl"u8, (long)turn.UserLifetime.TotalSeconds);
            w.WriteStartArray("uris"u8);
            foreach (var uri in turn.Uris) w.WriteStringValue(uri);
            w.WriteEndArray();
        });
    }
}
