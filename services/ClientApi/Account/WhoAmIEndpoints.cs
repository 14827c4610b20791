using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Account;

/// <summary>Spec: client-server-api/#get_matrixclientv3accountwhoami</summary>
internal static class WhoAmIEndpoints
{
    public static void MapWhoAmI(this ClientRoutes routes) =>
        routes.Get(ClientVersions.R0V3Unstable, "/account/whoami", Get).AllowGuests().Named("whoami");

    private static IResult Get(Requester requester) => MatrixResults.Object(w =>
    {
        w.WriteString("user_id"u8, requester.UserId.Value);
        w.WriteBoolean("is_guest"u8, requester.IsGuest);
        // A device is absent when an application service speaks for a user.
        if (requester.DeviceId.Length > 0) w.WriteString("device_id"u8, requester.DeviceId);
    });
}
