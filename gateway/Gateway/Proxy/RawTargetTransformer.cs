using Matrix.ServiceDefaults.Edge;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Forwarder;

namespace Matrix.Gateway.Proxy;

/// <summary>Sends the target on byte for byte (signatures of federation cover it, identifiers live in it) and says who asks.</summary>
internal sealed class RawTargetTransformer : HttpTransformer
{
    private static readonly UriCreationOptions AsItStands = new() { DangerousDisablePathAndQueryCanonicalization = true };

    public static RawTargetTransformer Instance { get; } = new();

    public override async ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
        proxyRequest.RequestUri = TargetUri(destinationPrefix, httpContext.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget);
        var headers = proxyRequest.Headers;
        headers.Remove(ForwardedClient.ForHeader);
        headers.Remove(ForwardedClient.ProtoHeader);
        headers.Remove("X-Forwarded-Host");
        headers.Remove("Forwarded");
        if (httpContext.Connection.RemoteIpAddress is { } client) headers.TryAddWithoutValidation(ForwardedClient.ForHeader, ForwardedClient.Text(client));
        headers.TryAddWithoutValidation(ForwardedClient.ProtoHeader, httpContext.Request.Scheme);
    }

    internal static Uri TargetUri(string origin, string rawTarget)
    {
        var target = rawTarget.StartsWith('/') ? rawTarget : Routing.RawQuery.OriginForm(rawTarget).ToString();
        return new(origin + target, AsItStands);
    }
}
