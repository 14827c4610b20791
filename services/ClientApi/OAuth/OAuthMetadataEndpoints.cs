using System.Text.Json;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.OAuth;

/// <summary>Where the OAuth 2.0 API is. Spec: client-server-api/#server-metadata-discovery</summary>
internal static class OAuthMetadataEndpoints
{
    public static void MapOAuthMetadata(this ClientRoutes routes)
    {
        routes.Get(ClientVersions.V1, "/auth_metadata", Get).Anonymous().Named("get_auth_metadata");
        routes.Get(ClientVersions.Unstable, "/org.matrix.msc2965/auth_metadata", Get).Anonymous().Named("get_auth_metadata_unstable");
        routes.Get(ClientVersions.Unstable, "/org.matrix.msc2965/auth_issuer", GetIssuer).Anonymous().Named("get_auth_issuer_unstable");
    }

    private static IResult Get(OAuthAddresses addresses, SignUpPolicy signUp)
    {
        addresses.RequireEnabled();
        return MatrixResults.Object(w =>
        {
            w.WriteString("issuer"u8, addresses.Issuer);
            w.WriteString("authorization_endpoint"u8, addresses.Of("oauth/authorize"));
            w.WriteString("token_endpoint"u8, addresses.Of("oauth/token"));
            w.WriteString("registration_endpoint"u8, addresses.Of("oauth/register"));
            w.WriteString("revocation_endpoint"u8, addresses.Of("oauth/revoke"));
            w.WriteString("device_authorization_endpoint"u8, addresses.Of("oauth/device_authorization"));
            w.WriteString("account_management_uri"u8, addresses.Of("account"));
            Write(w, "account_management_actions_supported", AccountPages.Actions);
            Write(w, "response_types_supported", ["code"]);
            Write(w, "response_modes_supported", ["query", "fragment"]);
            Write(w, "grant_types_supported", OAuthClients.GrantTypes);
            Write(w, "code_challenge_methods_supported", ["S256"]);
            Write(w, "token_endpoint_auth_methods_supported", ["none"]);
            Write(w, "revocation_endpoint_auth_methods_supported", ["none"]);
            if (signUp.IsOpen) Write(w, "prompt_values_supported", ["create"]);
        });
    }

    private static IResult GetIssuer(OAuthAddresses addresses)
    {
        addresses.RequireEnabled();
        return MatrixResults.Object(w => w.WriteString("issuer"u8, addresses.Issuer));
    }

    private static void Write(Utf8JsonWriter w, string name, IReadOnlyList<string> values)
    {
        w.WriteStartArray(name);
        foreach (var value in values) w.WriteStringValue(value);
        w.WriteEndArray();
    }
}

/// <summary>Addresses of our pages and endpoints. They are below /_synapse/client, which reverse proxies of homeservers pass on.</summary>
internal sealed class OAuthAddresses(HomeserverConfig config)
{
    /// <summary>Clients need whole addresses: without public_baseurl there is no OAuth 2.0 API.</summary>
    public bool IsEnabled { get; } = config.OAuth.Enabled && config.PublicBaseUrl is not null;

    public string Issuer => config.PublicBaseUrl ?? "";

    public string Of(string path) => $"{config.PublicBaseUrl}_synapse/client/{path}";

    /// <summary>M_UNRECOGNIZED, as the specification wants it of servers without this API.</summary>
    public void RequireEnabled()
    {
        if (!IsEnabled) throw MatrixError.Unrecognized().AsException();
    }
}
