using System.Diagnostics;
using System.Net;
using Yarp.ReverseProxy.Forwarder;

namespace Matrix.Gateway.Proxy;

/// <summary>Connections to the instances.</summary>
internal static class Upstream
{
    public static HttpMessageInvoker CreateClient() => new(new NoBlindRepeats(new SocketsHttpHandler
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        MaxConnectionsPerServer = int.MaxValue,
        ConnectTimeout = TimeSpan.FromSeconds(2),
        // Below the 130 s after which Kestrel hangs up.
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(60),
        MaxResponseHeadersLength = 256,
        EnableMultipleHttp2Connections = true,
        // A machine that is gone says nothing: its polls, which wait in silence anyway, are asked for elsewhere after this.
        KeepAlivePingDelay = TimeSpan.FromSeconds(10),
        KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
        KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        ActivityHeadersPropagator = new ReverseProxyPropagator(DistributedContextPropagator.Current),
    }));

    /// <summary>Readiness checks: apart from the traffic, without traces.</summary>
    public static HttpMessageInvoker CreateProbeClient() => new(new SocketsHttpHandler
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        ConnectTimeout = TimeSpan.FromSeconds(1),
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(60),
        ActivityHeadersPropagator = null,
    });

    /// <summary>
    /// SocketsHttpHandler sends a request again, whatever its method, when the connection closes before an answer and no content was begun. A POST must
    /// not be repeated behind the back of <see cref="RetryRules"/>, so it always has content, if only an empty one.
    /// </summary>
    private sealed class NoBlindRepeats(HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (request.Content is null && request.Method != HttpMethod.Get && request.Method != HttpMethod.Head) request.Content = new ByteArrayContent([]);
            return base.SendAsync(request, cancellationToken);
        }
    }
}
