using System.Net;
using Matrix.Gateway.Fleet;
using Matrix.Gateway.Routing;
using Matrix.Gateway.Routing.Affinity;
using Matrix.ServiceDefaults.Edge;
using Microsoft.AspNetCore.Http.Features;
using Yarp.ReverseProxy.Forwarder;

namespace Matrix.Gateway.Proxy;

/// <summary>Every request that the gateway does not answer itself: route, choose, pass on, and try elsewhere where that is safe.</summary>
internal sealed partial class GatewayProxy(
    FleetState fleet, IHttpForwarder forwarder, HttpMessageInvoker client, GatewayMetrics metrics, GatewayOptions options, TimeProvider time, ILogger<GatewayProxy> log)
{
    private static readonly ForwarderRequestConfig OneEach = new()
    {
        Version = HttpVersion.Version11,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        // Long polls may ask for minutes of silence.
        ActivityTimeout = TimeSpan.FromMinutes(10),
    };

    private static readonly ForwarderRequestConfig Shared = OneEach with { Version = HttpVersion.Version20 };

    private long seen;

    public async Task InvokeAsync(HttpContext context)
    {
        var started = time.GetTimestamp();
        var (route, key) = RouteOf(context);
        if (route.Class == RouteClass.OwnAnswer)
        {
            await EdgeErrors.WriteAsync(context, EdgeError.Unrecognized);
            return;
        }
        if (context.Features.Get<IHttpActivityFeature>()?.Activity is { IsAllDataRequested: true } span) span.SetTag("armada.route_class", route.Class.Name);
        var body = Wrap(context, route.Class);
        try
        {
            await ForwardAsync(context, route, key, body);
        }
        finally
        {
            body?.Release();
            var took = time.GetElapsedTime(started);
            var group = fleet.Current.PoolOf(route.Class).Group;
            metrics.Answered(route.Class, group, context.Response.StatusCode, took);
            LogAccess(context, route.Class, group, took);
        }
    }

    private static (RouteMatch Route, string? Key) RouteOf(HttpContext context)
    {
        RawQuery.Split(context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget, out var path, out var query);
        var route = RouteTable.Default.Match(MethodSets.Parse(context.Request.Method), path, query);
        if (route.Key == AffinityKind.None) return (route, null);
        var address = route.Key == AffinityKind.Address ? context.Connection.RemoteIpAddress?.ToString() : null;
        return (route, AffinityKey.Text(route.Key, new RequestFacts(path, query, context.Request.Headers.Authorization, address)));
    }

    private static ReplayableBody? Wrap(HttpContext context, RouteClass routeClass)
    {
        if (context.Features.Get<IHttpRequestBodyDetectionFeature>() is not { CanHaveBody: true }) return null;
        var keep = RetryRules.MayRepeat(context.Request.Method, routeClass) && routeClass != RouteClass.Media;
        var body = new ReplayableBody(context.Request.Body, keep ? RetryRules.KeptBodyBytes : 0);
        context.Request.Body = body;
        return body;
    }

    private async Task ForwardAsync(HttpContext context, RouteMatch route, string? key, ReplayableBody? body)
    {
        var policy = AffinityPolicies.Of(route.Key == AffinityKind.Room && !options.RoomAffinity ? AffinityKind.None : route.Key);
        List<Backend>? tried = null;
        long firstFailure = 0;
        var attempts = 0;
        while (true)
        {
            var snapshot = fleet.Current;
            var pool = snapshot.PoolOf(route.Class);
            if (policy.Pick(pool, key, tried) is not { } backend)
            {
                if (firstFailure == 0) firstFailure = time.GetTimestamp();
                if (await ChangedInTimeAsync(snapshot, options.WaitForInstance - time.GetElapsedTime(firstFailure), context.RequestAborted))
                {
                    tried = null;       // who comes back deserves another chance
                    continue;
                }
                if (context.RequestAborted.IsCancellationRequested) return;
                metrics.Unserved(route.Class, pool.Group);
                LogUnserved(log, pool.Group, route.Class.Name);
                await EdgeErrors.WriteAsync(context, EdgeError.NoInstance);
                return;
            }
            backend.MarkUsed();
            var error = await forwarder.SendAsync(context, backend.Origin, client, backend.IsMultiplexed ? Shared : OneEach, RawTargetTransformer.Instance, CancellationToken.None);
            if (error == ForwarderError.None || context.RequestAborted.IsCancellationRequested || context.Response.HasStarted) return;
            var cause = context.Features.Get<IForwarderErrorFeature>()?.Exception;
            if (RetryRules.BodyFault(cause) is { } fault)
            {
                await EdgeErrors.WriteAsync(context, fault);
                return;
            }
            var neverReached = RetryRules.NeverReached(cause);
            if (neverReached) fleet.ReportUnreachable(backend);
            var repeatable = neverReached || (RetryRules.NoAnswerCame(error) && RetryRules.MayRepeat(context.Request.Method, route.Class));
            if (!repeatable || body is { CanReplay: false } || ++attempts >= options.MaxAttempts)
            {
                LogFailed(log, backend.Name, route.Class.Name, error, cause?.Message ?? "");
                await EdgeErrors.WriteAsync(context, neverReached ? EdgeError.NoInstance : EdgeError.InstanceFailed);
                return;
            }
            LogRetry(log, backend.Name, route.Class.Name, cause?.Message ?? error.ToString());
            metrics.Retried(route.Class, pool.Group);
            if (firstFailure == 0) firstFailure = time.GetTimestamp();
            (tried ??= []).Add(backend);
            body?.Rewind();
            context.Response.StatusCode = StatusCodes.Status200OK;      // YARP has put its own there
        }
    }

    private async Task<bool> ChangedInTimeAsync(FleetSnapshot snapshot, TimeSpan left, CancellationToken ct)
    {
        if (left <= TimeSpan.Zero) return false;
        try
        {
            await snapshot.Changed.WaitAsync(left, time, ct);
            return true;
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            return false;
        }
    }

    private void LogAccess(HttpContext context, RouteClass routeClass, string group, TimeSpan took)
    {
        if (options.AccessLogEvery <= 0 || Interlocked.Increment(ref seen) % options.AccessLogEvery != 0) return;
        RawQuery.Split(context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget, out var path, out _);
        LogAccess(log, context.Connection.RemoteIpAddress, context.Request.Method, path.ToString(), context.Response.StatusCode, routeClass.Name, group, took.TotalMilliseconds);
    }

    // No query: it may hold a token.
    [LoggerMessage(1, LogLevel.Information, "{Client} {Method} {Path} {Status} {Class} {Service} {Milliseconds:F1} ms")]
    private static partial void LogAccess(ILogger log, System.Net.IPAddress? client, string method, string path, int status, string @class, string service, double milliseconds);

    [LoggerMessage(2, LogLevel.Warning, "No instance of {Service} for a request of class {Class}")]
    private static partial void LogUnserved(ILogger log, string service, string @class);

    [LoggerMessage(3, LogLevel.Information, "{Instance} did not answer a request of class {Class}, trying elsewhere: {Reason}")]
    private static partial void LogRetry(ILogger log, string instance, string @class, string reason);

    [LoggerMessage(4, LogLevel.Warning, "{Instance} failed a request of class {Class}: {Error} {Reason}")]
    private static partial void LogFailed(ILogger log, string instance, string @class, ForwarderError error, string reason);
}
