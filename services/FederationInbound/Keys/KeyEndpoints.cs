using System.Text.Json;
using Matrix.Crypto;
using Matrix.Primitives;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.FederationInbound.Keys;

/// <summary>Server keys. Spec: server-server-api/#retrieving-server-keys</summary>
internal static class KeyEndpoints
{
    /// <summary>More servers than anybody asks about at once.</summary>
    private const int MaxServers = 1000;

    public static void MapKeys(this ClientRoutes routes)
    {
        routes.Map("GET", "/_matrix/key/v2/server", Own).Anonymous().Named("server_keys");
        // The key id is deprecated; the answer is the same.
        routes.Map("GET", "/_matrix/key/v2/server/{keyId}", Own).Anonymous().Named("server_keys");
        routes.Map("GET", "/_matrix/key/v2/query/{serverName}", QueryOne).Anonymous().Named("query_keys");
        routes.Map("GET", "/_matrix/key/v2/query/{serverName}/{keyId}", QueryOne).Anonymous().Named("query_keys");
        routes.Map("POST", "/_matrix/key/v2/query", QueryMany).Anonymous().Named("query_keys_bulk");
    }

    private static IResult Own(OwnKeys keys) => MatrixResults.Raw(keys.Document());

    private static IResult QueryOne(string serverName, OwnKeys keys, ServerIdentity identity) =>
        ServerName.TryParse(serverName, null, out _) ? Answer(keys, serverName == identity.ServerName) : throw MatrixError.InvalidParam("Not a server name").AsException();

    private static IResult QueryMany(JsonBody body, OwnKeys keys, ServerIdentity identity)
    {
        var servers = body.AsObject().ObjectOrNull("server_keys") ?? throw MatrixError.MissingParam("Missing 'server_keys' parameter").AsException();
        var asked = 0;
        var own = false;
        foreach (var server in servers.EnumerateObject())
        {
            if (++asked > MaxServers) throw MatrixError.TooLarge($"At most {MaxServers} servers in one query").AsException();
            if (server.Value.ValueKind != JsonValueKind.Object) throw MatrixError.BadJson("'server_keys' must hold objects").AsException();
            own |= server.Name == identity.ServerName;
        }
        return Answer(keys, own);
    }

    /// <summary>What is not known is left out; this server vouches for its own keys only.</summary>
    private static IResult Answer(OwnKeys keys, bool own) => MatrixResults.Object(w =>
    {
        w.WriteStartArray("server_keys");
        if (own) w.WriteRawValue(keys.Document().Span, skipInputValidation: true);
        w.WriteEndArray();
    });
}
