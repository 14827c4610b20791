using Matrix.Primitives;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Matrix.Web.Routing;

/// <summary>What every Matrix request passes: errors, raw path, routing, authentication.</summary>
public static partial class MatrixPipeline
{
    public static WebApplication UseMatrix(this WebApplication app)
    {
        var log = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Matrix.Web");
        app.Use(next => context => HandleErrorsAsync(context, next, log));
        app.Use(next => context => { RawPath.UseRawTarget(context); return next(context); });
        app.UseRouting();
        app.Use(next => context => AfterRoutingAsync(context, next));
        return app;
    }

    private static Task AfterRoutingAsync(HttpContext context, RequestDelegate next)
    {
        if (context.GetEndpoint() is not { } endpoint) throw MatrixError.Unrecognized().AsException();
        if (endpoint is not RouteEndpoint route) throw MatrixError.MethodNotAllowed().AsException();
        if (endpoint.Metadata.GetMetadata<MatrixRoute>() is null) return next(context);
        if (!RawPath.LiteralsMatch(context, route)) throw MatrixError.Unrecognized().AsException();
        if (endpoint.Metadata.GetMetadata<TrailingSlash>() is { } slash && context.Request.Path.Value is not [.., '/'])
            throw (MatrixError.Unrecognized() with { Status = slash.OtherwiseStatus }).AsException();
        RawPath.DecodeValues(context.Request.RouteValues);
        var access = endpoint.Metadata.GetMetadata<RouteAccess>()?.Access ?? Access.Required;
        return access == Access.Anonymous ? next(context) : AuthenticateAsync(context, next, access, endpoint);
    }

    private static async Task AuthenticateAsync(HttpContext context, RequestDelegate next, Access access, Endpoint endpoint)
    {
        var token = TokenAuthenticator.TokenOf(context.Request);
        if (token is null)
        {
            if (access == Access.Required) throw MatrixError.MissingToken().AsException();
            await next(context);
            return;
        }
        var authenticator = context.RequestServices.GetRequiredService<IRequestAuthenticator>();
        var requester = await authenticator.AuthenticateAsync(context, token);
        if (requester.IsGuest && endpoint.Metadata.GetMetadata<GuestsAllowed>() is null)
            throw MatrixError.Custom(403, "M_GUEST_ACCESS_FORBIDDEN", "Guest access not allowed").AsException();
        context.Features.Set(requester);
        await next(context);
    }

    private static async Task HandleErrorsAsync(HttpContext context, RequestDelegate next, ILogger log)
    {
        MatrixError error;
        try
        {
            await next(context);
            return;
        }
        catch (MatrixException e)
        {
            error = e.Error;
        }
        catch (BadHttpRequestException e)
        {
            error = e.StatusCode == 413 ? MatrixError.TooLarge() : MatrixError.InvalidParam("A parameter is missing or malformed.") with { Status = e.StatusCode };
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            return;
        }
        catch (Npgsql.NpgsqlException e) when (Storage.DatabaseFaults.IsTransient(e))
        {
            LogDatabaseAway(log, e.Message);
            error = MatrixError.Unavailable("The database is not available at the moment.");
        }
        catch (Exception e)
        {
            LogFailed(log, e, context.Request.Method, context.GetEndpoint()?.Metadata.GetMetadata<OperationName>()?.Name ?? "-", context.TraceIdentifier);
            error = MatrixError.Internal();
        }
        if (context.Response.HasStarted) { context.Abort(); return; }
        context.Response.Clear();
        await MatrixResults.Error(error).ExecuteAsync(context);
    }

    [LoggerMessage(1, LogLevel.Error, "{Method} {Operation} failed, request {RequestId}")]
    private static partial void LogFailed(ILogger log, Exception e, string method, string operation, string requestId);

    [LoggerMessage(2, LogLevel.Warning, "Database away: {Reason}")]
    private static partial void LogDatabaseAway(ILogger log, string reason);
}
