using Matrix.Web.Json;
using Matrix.Web.RateLimits;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Matrix.Web.Routing;

/// <summary>Prefixes under <c>/_matrix/client</c> at which an endpoint answers.</summary>
[Flags]
public enum ClientVersions
{
    ApiV1 = 1, R0 = 2, V1 = 4, V3 = 8, Unstable = 16, Unversioned = 32,
    R0V3 = R0 | V3,
    R0V3Unstable = R0 | V3 | Unstable,
    /// <summary>Everything that Synapse accepts for the oldest endpoints.</summary>
    ApiV1R0V3 = ApiV1 | R0 | V3,
    ApiV1R0V3Unstable = ApiV1 | R0 | V3 | Unstable,
}

/// <summary>Who may call a route.</summary>
public enum Access { Required, Optional, Anonymous }

public sealed record RouteAccess(Access Access);

/// <summary>Name of the operation in metrics, logs, and the golden list of routes.</summary>
public sealed record OperationName(string Name);

/// <summary>Guests may call it. Spec: client-server-api/#guest-access</summary>
public sealed record GuestsAllowed;

/// <summary>
/// Maps endpoints. Authentication is required unless <c>.Anonymous()</c> or <c>.OptionalAuth()</c> is said. Handlers are static methods; their
/// parameters bind from the route (by name, already decoded), the query, <see cref="JsonBody"/>, <c>Requester</c>, and services.
/// </summary>
public sealed class ClientRoutes(IEndpointRouteBuilder builder, string service)
{
    /// <summary>Service that owns the routes, as in the golden list.</summary>
    public string Service { get; } = service;

    public RouteHandle Get(ClientVersions versions, string path, Delegate handler) => Client("GET", versions, path, handler);
    public RouteHandle Put(ClientVersions versions, string path, Delegate handler) => Client("PUT", versions, path, handler);
    public RouteHandle Post(ClientVersions versions, string path, Delegate handler) => Client("POST", versions, path, handler);
    public RouteHandle Delete(ClientVersions versions, string path, Delegate handler) => Client("DELETE", versions, path, handler);

    private RouteHandle Client(string method, ClientVersions versions, string path, Delegate handler)
    {
        var paths = new List<string>();
        foreach (var (flag, prefix) in Prefixes) if (versions.HasFlag(flag)) paths.Add(prefix + path);
        return Map(method, paths, handler);
    }

    private static readonly (ClientVersions, string)[] Prefixes =
    [
        (ClientVersions.ApiV1, "/_matrix/client/api/v1"), (ClientVersions.R0, "/_matrix/client/r0"), (ClientVersions.V1, "/_matrix/client/v1"),
        (ClientVersions.V3, "/_matrix/client/v3"), (ClientVersions.Unstable, "/_matrix/client/unstable"), (ClientVersions.Unversioned, "/_matrix/client"),
    ];

    /// <summary>Any other path, whole: <c>/_synapse/admin/...</c>, <c>/_matrix/media/...</c>, <c>/_matrix/federation/...</c></summary>
    public RouteHandle Map(string method, string fullPath, Delegate handler) => Map(method, [fullPath], handler);

    private RouteHandle Map(string method, List<string> paths, Delegate handler)
    {
        var lazy = new LazyHandler(handler);
        var conventions = new List<IEndpointConventionBuilder>();
        foreach (var path in paths)
        {
            var route = builder.MapMethods(path, [method], lazy.InvokeAsync);
            route.WithMetadata(new OwningService(Service), new MatrixRoute(method, path));
            conventions.Add(route);
        }
        return new RouteHandle(conventions);
    }

    /// <summary>
    /// Parameter binding is compiled at the first request of an endpoint, once for all its prefixes: a service with some hundred routes would
    /// otherwise spend seconds on it at start.
    /// </summary>
    private sealed class LazyHandler(Delegate handler)
    {
        private RequestDelegate? compiled;

        public Task InvokeAsync(HttpContext context)
        {
            var run = compiled ??= Compile(context);
            return run(context);
        }

        private RequestDelegate Compile(HttpContext context)
        {
            var endpoint = (RouteEndpoint)context.GetEndpoint()!;
            return RequestDelegateFactory.Create(handler, new RequestDelegateFactoryOptions
            {
                ServiceProvider = context.RequestServices,
                RouteParameterNames = endpoint.RoutePattern.Parameters.Select(p => p.Name),
                ThrowOnBadRequest = true,
                DisableInferBodyFromParameters = true,
            }).RequestDelegate;
        }
    }
}

/// <summary>The path is meant only with a slash at its end, which routing itself does not look at; without it the answer has this status.</summary>
public sealed record TrailingSlash(int OtherwiseStatus);

/// <summary>Service whose code a route runs.</summary>
public sealed record OwningService(string Name);

/// <summary>Method and path template as mapped, for the golden list.</summary>
public sealed record MatrixRoute(string Method, string Path);

/// <summary>What can be said about mapped routes.</summary>
public sealed class RouteHandle(IReadOnlyList<IEndpointConventionBuilder> routes)
{
    private RouteHandle With(object metadata)
    {
        foreach (var r in routes) r.WithMetadata(metadata);
        return this;
    }

    public RouteHandle Anonymous() => With(new RouteAccess(Access.Anonymous));
    public RouteHandle OptionalAuth() => With(new RouteAccess(Access.Optional));
    public RouteHandle AllowGuests() => With(new GuestsAllowed());
    public RouteHandle Named(string operation) => With(new OperationName(operation));
    public RouteHandle RequiresTrailingSlash(int otherwiseStatus) => With(new TrailingSlash(otherwiseStatus));
    /// <summary>A request takes a token; several rules may be said.</summary>
    public RouteHandle RateLimited(RateLimitRule rule) => With(rule);
    public RouteHandle BodyLimit(long bytes) => With(new BodyLimit(bytes));
}
