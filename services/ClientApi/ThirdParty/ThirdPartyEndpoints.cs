using Matrix.Primitives;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.ThirdParty;

/// <summary>
/// Networks that application services bridge: there are none yet. Spec: client-server-api/#third-party-networks
/// </summary>
internal static class ThirdPartyEndpoints
{
    private static readonly byte[] EmptyList = "[]"u8.ToArray();

    public static void MapThirdParty(this ClientRoutes routes)
    {
        routes.Get(ClientVersions.R0V3Unstable, "/thirdparty/protocols", Protocols).Named("get_thirdparty_protocols");
        routes.Get(ClientVersions.R0V3Unstable, "/thirdparty/protocol/{protocol}", Protocol).Named("get_thirdparty_protocol");
        routes.Get(ClientVersions.R0V3Unstable, "/thirdparty/location", NoMatches).Named("query_thirdparty_location_by_alias");
        routes.Get(ClientVersions.R0V3Unstable, "/thirdparty/location/{protocol}", NoMatches).Named("query_thirdparty_location");
        routes.Get(ClientVersions.R0V3Unstable, "/thirdparty/user", NoMatches).Named("query_thirdparty_user_by_id");
        routes.Get(ClientVersions.R0V3Unstable, "/thirdparty/user/{protocol}", NoMatches).Named("query_thirdparty_user");
    }

    private static IResult Protocols() => MatrixResults.Empty;
    private static IResult Protocol(string protocol) => MatrixResults.Error(MatrixError.NotFound($"Unknown protocol '{protocol}'."));
    private static IResult NoMatches() => MatrixResults.Raw(EmptyList);
}
