using Matrix.Crypto;
using Matrix.FederationClient.Keys;
using Matrix.FederationClient.Signing;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Web.Json;
using Microsoft.AspNetCore.Http.Features;

namespace Matrix.FederationInbound.Authentication;

/// <summary>Verifies X-Matrix over the target as it came. Spec: server-server-api/#request-authentication</summary>
internal sealed class XMatrixAuthenticator(ServerIdentity identity, HomeserverConfig config, IKeyRing keys, TimeProvider clock)
{
    public async ValueTask<FederationRequest> AuthenticateAsync(HttpContext context)
    {
        var authorizations = Parse(context.Request);
        var origin = authorizations[0].Origin;
        if (config.FederationDomainWhitelist is { } whitelist && !whitelist.Contains(origin, StringComparer.OrdinalIgnoreCase))
            throw MatrixError.Forbidden("Federation denied with " + origin).AsException();
        var body = await JsonBody.BindAsync(context);
        if (!body.IsEmpty) _ = body.Root;      // M_NOT_JSON before any key is looked for
        var target = context.Features.Get<IHttpRequestFeature>()!.RawTarget;
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        foreach (var authorization in authorizations)
        {
            var key = await keys.FindAsync(origin, authorization.KeyId, now, context.RequestAborted);
            if (key is not null && XMatrix.Verify(authorization, context.Request.Method, target, body.Bytes.Span, key, identity.Ed25519))
                return new FederationRequest(origin, body);
        }
        throw Unauthorized($"Invalid signature for server {origin}");
    }

    /// <summary>A server with several keys sends a header for each; they must speak of one origin.</summary>
    private List<XMatrixAuthorization> Parse(HttpRequest request)
    {
        var parsed = new List<XMatrixAuthorization>();
        foreach (var header in request.Headers.Authorization)
        {
            if (header is null || !header.StartsWith(XMatrixAuthorization.Scheme, StringComparison.OrdinalIgnoreCase)) continue;
            var one = XMatrixAuthorization.Parse(header) ?? throw Unauthorized("Malformed Authorization header");
            if (!ServerName.TryParse(one.Origin, null, out _)) throw Unauthorized("Malformed Authorization header: origin is no server name");
            if (one.Destination is not null && one.Destination != identity.ServerName) throw Unauthorized("Destination mismatch in auth header");
            if (one.Origin == identity.ServerName) throw Unauthorized("Requests of this server to itself are not accepted");
            if (parsed.Count > 0 && parsed[0].Origin != one.Origin) throw Unauthorized("Authorization headers of different servers");
            parsed.Add(one);
        }
        return parsed.Count > 0 ? parsed : throw Unauthorized("Missing Authorization headers");
    }

    private static MatrixException Unauthorized(string message) => MatrixError.Custom(401, "M_UNAUTHORIZED", message).AsException();
}
