using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Voip;

/// <summary>Without a TURN server the answer is empty. Spec: client-server-api/#get_matrixclientv3voipturnserver</summary>
internal static class TurnServerEndpoints
{
    public static void MapTurnServer(this ClientRoutes routes) =>
        routes.Get(ClientVersions.ApiV1R0V3Unstable, "/voip/turnServer", Get).AllowGuests().Named("get_turn_server");

    private static IResult Get() => MatrixResults.Empty;
}
