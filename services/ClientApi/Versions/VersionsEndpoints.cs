using Matrix.Primitives;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Versions;

/// <summary>Spec: client-server-api/#get_matrixclientversions</summary>
internal static class VersionsEndpoints
{
    /// <summary>A client takes a version here as a promise.</summary>
    private static readonly byte[] Answer =
        """
        {"versions":["r0.0.1","r0.1.0","r0.2.0","r0.3.0","r0.4.0","r0.5.0","r0.6.0","r0.6.1","v1.1","v1.2","v1.3","v1.4","v1.5","v1.6","v1.7","v1.8","v1.9","v1.10","v1.11","v1.12","v1.13","v1.14","v1.15","v1.16","v1.17","v1.18","v1.19"],"unstable_features":{"org.matrix.e2e_cross_signing":true,"org.matrix.msc2285.stable":true,"org.matrix.msc3391":true,"org.matrix.msc3440.stable":true,"org.matrix.msc3771":true,"org.matrix.msc3773":true,"org.matrix.msc3814":true,"org.matrix.msc3827.stable":true,"org.matrix.msc4140":true,"org.matrix.simplified_msc3575":true,"uk.half-shot.msc2666.query_mutual_rooms.stable":true,"uk.tcpip.msc4133.stable":true}}
        """u8.ToArray();

    public static void MapVersions(this ClientRoutes routes)
    {
        routes.Get(ClientVersions.Unversioned, "/versions", Get).Anonymous().Named("versions");
        routes.Map("GET", "/.well-known/matrix/policy_server", GetPolicyServer).Anonymous().Named("well_known_policy_server");
    }

    /// <summary>This server recommends no events to others. Spec: client-server-api/#policy-servers</summary>
    private static IResult GetPolicyServer() => MatrixResults.Error(MatrixError.NotFound("No policy server information available."));

    private static IResult Get() => MatrixResults.Raw(Answer);
}
