using Matrix.Primitives;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.FederationInbound.ThirdParty;

/// <summary>Identity servers say that a user of ours has proved an address. Spec: server-server-api/#third-party-invites</summary>
internal static class BindingEndpoints
{
    /// <summary>Invitations of one notice; each may cost a question to an identity server.</summary>
    private const int MaxInvites = 100;

    public static void MapBindings(this ClientRoutes routes)
    {
        // Whoever calls is not believed: each invitation carries its signature, which the room's rules verify.
        routes.Map("PUT", "/_matrix/federation/v1/3pid/onbind", BoundAsync).Anonymous().Named("federation_3pid_bound");
        // Synapse: and what identity servers use.
        routes.Map("POST", "/_matrix/federation/v1/3pid/onbind", BoundAsync).Anonymous().Named("federation_3pid_bound_by_post");
    }

    private static async Task<IResult> BoundAsync(JsonBody body, BindingNotices notices, CancellationToken ct)
    {
        if (body.AsObject().ArrayOrNull("invites") is not { } invites) return MatrixResults.Empty;
        if (invites.GetArrayLength() > MaxInvites) throw MatrixError.TooLarge($"At most {MaxInvites} invites").AsException();
        await notices.AcceptAsync([.. invites.EnumerateArray().Select(notices.Read)], ct);
        return MatrixResults.Empty;
    }
}
