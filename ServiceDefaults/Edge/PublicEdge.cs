using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceDefaults.Edge;

/// <summary>
/// What happens to every request from outside before it reaches a service, in the gateway and in the monolith alike: cross-origin headers, preflight
/// requests, size limits, client addresses, and the small files that belong to the server as a whole. Requests on the internal listener pass untouched.
/// </summary>
public static class PublicEdge
{
    /// <summary>Comes first in the pipeline, before routing.</summary>
    public static WebApplication Use(WebApplication app)
    {
        var config = app.Services.GetRequiredService<HomeserverConfig>();
        app.Use(next => context => context.IsInternal() ? next(context) : AdmitAsync(context, next, config));
        return app;
    }

    /// <summary>Serves <c>/</c>, <c>/health</c> and <c>/.well-known/matrix/{client,server,support}</c>. Right after <see cref="Use"/>.</summary>
    public static WebApplication MapPublicEdge(this WebApplication app)
    {
        var documents = new EdgeDocuments(app.Services.GetRequiredService<HomeserverConfig>());
        app.Use(next => context =>
            !context.IsInternal() && documents.Find(RawPathOf(context)) is { } document ? ServeAsync(context, document) : next(context));
        return app;
    }

    private static Task AdmitAsync(HttpContext context, RequestDelegate next, HomeserverConfig config)
    {
        context.Response.OnStarting(AddCors, context.Response);
        var method = context.Request.Method;
        if (HttpMethods.IsOptions(method))
        {
            // Spec: client-server-api/#web-browser-clients: nothing else may happen on OPTIONS.
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return Task.CompletedTask;
        }
        if (HttpMethods.IsTrace(method) || HttpMethods.IsConnect(method)) return EdgeErrors.WriteAsync(context, EdgeError.MethodNotAllowed);
        if (IsInternal(context.Request.Path.Value)) return EdgeErrors.WriteAsync(context, EdgeError.Unrecognized);
        return BodyLimits.Apply(context, RawPathOf(context), config.MaxUploadSize) ? next(context) : EdgeErrors.WriteAsync(context, EdgeError.TooLarge);
    }

    /// <summary>Whether the path means <c>/_internal</c> to anybody. Kestrel has decoded it and walked its dot segments; what it leaves (%2F, //) counts too.</summary>
    private static bool IsInternal(string? path)
    {
        var rest = path.AsSpan();
        while (true)
        {
            if (rest.StartsWith("/") || rest.StartsWith("\\")) rest = rest[1..];
            else if (rest.StartsWith("%2F", StringComparison.OrdinalIgnoreCase) || rest.StartsWith("%5C", StringComparison.OrdinalIgnoreCase)) rest = rest[3..];
            else return rest.StartsWith("_internal", StringComparison.OrdinalIgnoreCase);
        }
    }

    private static Task AddCors(object state)
    {
        // Set, not added: whoever answered may have said the same.
        var headers = ((HttpResponse)state).Headers;
        headers.AccessControlAllowOrigin = "*";
        headers.AccessControlAllowMethods = "GET, HEAD, POST, PUT, DELETE, OPTIONS";
        headers.AccessControlAllowHeaders = "X-Requested-With, Content-Type, Authorization, Date";
        return Task.CompletedTask;
    }

    private static async Task ServeAsync(HttpContext context, EdgeDocument document)
    {
        var head = HttpMethods.IsHead(context.Request.Method);
        if (!head && !HttpMethods.IsGet(context.Request.Method)) { await EdgeErrors.WriteAsync(context, EdgeError.MethodNotAllowed); return; }
        if (document.Content is not { } content) { await EdgeErrors.WriteAsync(context, EdgeError.NotFound); return; }
        var response = context.Response;
        response.ContentType = document.ContentType;
        response.ContentLength = content.Length;
        if (document.Csp is { } csp) response.Headers.ContentSecurityPolicy = csp;
        if (!head) await response.Body.WriteAsync(content, context.RequestAborted);
    }

    private static ReadOnlySpan<char> RawPathOf(HttpContext context)
    {
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget.AsSpan();
        if (!target.StartsWith("/")) return context.Request.Path.Value;      // absolute form
        var query = target.IndexOf('?');
        return query < 0 ? target : target[..query];
    }
}
