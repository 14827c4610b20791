using System.Text;
using Matrix.Crypto;
using Matrix.FederationInbound.Authentication;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Profiles;
using Matrix.Storage.Rooms;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.FederationInbound.Queries;

/// <summary>What other servers ask about people and aliases here. Spec: server-server-api/#querying-for-information</summary>
internal static class QueryEndpoints
{
    public static void MapQueries(this ClientRoutes routes)
    {
        routes.Map("GET", "/_matrix/federation/v1/version", Version).Anonymous().Named("federation_version");
        routes.Map("GET", "/_matrix/federation/v1/query/profile", ProfileAsync).Anonymous().Named("federation_query_profile");
        routes.Map("GET", "/_matrix/federation/v1/query/directory", DirectoryAsync).Anonymous().Named("federation_query_directory");
        routes.Map("GET", "/_matrix/federation/v1/openid/userinfo", UserInfo).Anonymous().Named("federation_openid_userinfo");
    }

    private static IResult Version() => MatrixResults.Object(w =>
    {
        w.WriteStartObject("server");
        w.WriteString("name", "Armada");
        w.WriteString("version", typeof(QueryEndpoints).Assembly.GetName().Version?.ToString(3) ?? "0");
        w.WriteEndObject();
    });

    /// <summary>Asked by third parties, which sign nothing: the token is the proof. Spec: server-server-api/#openid</summary>
    private static IResult UserInfo(string? access_token, OpenIdTokens tokens)
    {
        if (access_token is null) throw MatrixError.MissingToken().AsException();
        if (!tokens.TryVerify(access_token, out var user))
            throw MatrixError.Custom(401, "M_UNKNOWN_TOKEN", "Access Token unknown or expired").AsException();
        return MatrixResults.Object(w => w.WriteString("sub", user.Value.Value));
    }

    /// <param name="user_id">Query parameter, a user of this server.</param>
    /// <param name="field">The only one that is wanted; all when absent.</param>
    private static async Task<IResult> ProfileAsync(
        FederationRequest request, string? user_id, string? field, ProfileStore profiles, HomeserverConfig config, ServerIdentity identity, CancellationToken ct)
    {
        if (!config.Accounts.Profiles.OverFederation) throw MatrixError.Forbidden("Profile lookup over federation is disabled on this homeserver").AsException();
        if (user_id is null) throw MatrixError.MissingParam("Missing string query parameter 'user_id'").AsException();
        if (!UserId.TryParse(user_id, null, out var user) || user.Server != identity.ServerName)
            throw MatrixError.InvalidParam("User is not hosted on this homeserver").AsException();
        var profile = await profiles.FindAsync(user.Value, ct) ?? throw MatrixError.NotFound("Profile was not found").AsException();
        return MatrixResults.Object(w =>
        {
            if (field is null or "displayname" && profile.DisplayName is { } name) w.WriteString("displayname", name);
            if (field is null or "avatar_url" && profile.AvatarUrl is { } avatar) w.WriteString("avatar_url", avatar);
            if (profile.Fields is not { } fields) return;
            foreach (var member in new CanonicalObject(fields))
            {
                if (field is not null && !member.Name.SequenceEqual(Encoding.UTF8.GetBytes(field))) continue;
                w.WritePropertyName(member.Name);
                w.WriteRawValue(member.Value, skipInputValidation: true);
            }
        });
    }

    /// <param name="room_alias">Query parameter, an alias of this server.</param>
    private static async Task<IResult> DirectoryAsync(
        FederationRequest request, string? room_alias, RoomReader rooms, ServerIdentity identity, CancellationToken ct)
    {
        if (room_alias is null) throw MatrixError.MissingParam("Missing string query parameter 'room_alias'").AsException();
        if (!RoomAlias.TryParse(room_alias, null, out var alias) || alias.Server != identity.ServerName)
            throw MatrixError.InvalidParam("Room Alias is not hosted on this homeserver").AsException();
        var roomId = await rooms.AliasAsync(alias.Value, ct) ?? throw MatrixError.NotFound($"Room alias {alias} not found").AsException();
        return MatrixResults.Object(w =>
        {
            w.WriteString("room_id", roomId);
            w.WriteStartArray("servers");
            w.WriteStringValue(identity.ServerName);
            w.WriteEndArray();
        });
    }
}
