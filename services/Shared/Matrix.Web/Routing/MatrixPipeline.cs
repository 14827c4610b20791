using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.RateLimits;
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
        app.Use(next => context =>
        {
            // What can be got can be asked for without its body (RFC 9110, 9.3.2); Kestrel sends none, whatever is written.
            if (HttpMethods.IsHead(context.Request.Method)) context.Request.Method = HttpMethods.Get;
            return next(context);
        });
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
        // Npgsql cannot use a connection again on which preparing a statement failed for its values: best the database never sees them. (Paths: Kestrel.)
        if (context.Request.QueryString.Value?.Contains("%00", StringComparison.Ordinal) is true) throw MatrixError.InvalidParam("A parameter holds a NUL.").AsException();
        var access = endpoint.Metadata.GetMetadata<RouteAccess>()?.Access ?? Access.Required;
        return access == Access.Anonymous ? LimitAsync(context, next, endpoint, null) : AuthenticateAsync(context, next, access, endpoint);
    }

    private static async Task AuthenticateAsync(HttpContext context, RequestDelegate next, Access access, Endpoint endpoint)
    {
        var token = TokenAuthenticator.TokenOf(context.Request);
        if (token is null)
        {
            if (access == Access.Required) throw MatrixError.MissingToken().AsException();
            await LimitAsync(context, next, endpoint, null);
            return;
        }
        var services = context.RequestServices;
        var requester = await services.GetRequiredService<IRequestAuthenticator>().AuthenticateAsync(context, token);
        var operation = endpoint.Metadata.GetMetadata<OperationName>()?.Name ?? "";
        if (AccountRules.Refusal(requester, operation, services.GetService<TimeProvider>() ?? TimeProvider.System) is { } refusal) throw refusal.AsException();
        if (services.GetService<HomeserverConfig>() is { } config)
        {
            if (UsageRules.Refusal(requester, operation, config) is { } closed) throw closed.AsException();
            if (ConsentRules.Refusal(requester, operation, config) is { } first
                && !await ConsentRules.IsNoticeRoomAsync(requester, operation, context.Request.RouteValues, services.GetService<ServerNoticeStore>(), context.RequestAborted))
                throw first.AsException();
        }
        if (requester.IsGuest && endpoint.Metadata.GetMetadata<GuestsAllowed>() is null)
            throw MatrixError.Custom(403, "M_GUEST_ACCESS_FORBIDDEN", "Guest access not allowed").AsException();
        context.Features.Set(requester);
        services.GetService<SeenDevices>()?.Note(requester, context);
        await LimitAsync(context, AccountRules.Pretend(requester, operation) is { } pretence ? c => MatrixResults.Raw(pretence).ExecuteAsync(c) : next, endpoint, requester);
    }

    private static Task LimitAsync(HttpContext context, RequestDelegate next, Endpoint endpoint, Requester? requester)
    {
        var rules = endpoint.Metadata.GetOrderedMetadata<RateLimitRule>();
        return rules.Count == 0 || context.RequestServices.GetService<RateLimiter>() is not { IsEnabled: true } limiter
            ? next(context) : TakeAndGoAsync(context, next, rules, limiter, requester);
    }

    private static async Task TakeAndGoAsync(
        HttpContext context, RequestDelegate next, IReadOnlyList<RateLimitRule> rules, RateLimiter limiter, Requester? requester)
    {
        foreach (var rule in rules)
        {
            var subject = rule.Subject switch
            {
                RateLimitSubject.User => requester?.UserId.Value,
                RateLimitSubject.Room => context.Request.RouteValues.GetValueOrDefault("roomId") as string,
                _ => ClientAddress.Of(context).Text,
            };
            if (subject is not null) await limiter.RequireAsync(rule, requester, subject, context.RequestAborted);
        }
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
        catch (Npgsql.NpgsqlException e) when (Storage.DatabaseFaults.IsOfText(e))
        {
            error = MatrixError.InvalidParam("A parameter holds U+0000.");
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
