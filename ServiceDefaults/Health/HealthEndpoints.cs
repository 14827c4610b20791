using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Matrix.ServiceDefaults.Health;

/// <summary>
/// <c>live</c>: the process answers. <c>ready</c>: it has started, does not stop, and every health check (<c>AddHealthChecks().AddCheck</c>) agrees.
/// Both are for orchestrators and come in by the internal port.
/// </summary>
internal static class HealthEndpoints
{
    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapMethods("/_internal/health/live", [HttpMethods.Get, HttpMethods.Head], Live);
        routes.MapMethods("/_internal/health/ready", [HttpMethods.Get, HttpMethods.Head], Ready);
    }

    private static Task Live(HttpContext context) => WriteAsync(context, StatusCodes.Status200OK, "live", null);

    private static async Task Ready(HttpContext context)
    {
        var lifetime = context.RequestServices.GetRequiredService<IHostApplicationLifetime>();
        if (!lifetime.ApplicationStarted.IsCancellationRequested || lifetime.ApplicationStopping.IsCancellationRequested)
        {
            await WriteAsync(context, StatusCodes.Status503ServiceUnavailable,
                lifetime.ApplicationStopping.IsCancellationRequested ? "stopping" : "starting", null);
            return;
        }

        var checks = context.RequestServices.GetService<HealthCheckService>();
        var report = checks is null ? null : await checks.CheckHealthAsync(context.RequestAborted);
        var isReady = report is null || report.Status != HealthStatus.Unhealthy;
        await WriteAsync(context, isReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable, isReady ? "ready" : "not ready", report);
    }

    private static async Task WriteAsync(HttpContext context, int status, string text, HealthReport? report)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.Headers.CacheControl = "no-store";
        await using var writer = new Utf8JsonWriter(context.Response.BodyWriter);
        writer.WriteStartObject();
        writer.WriteString("status", text);
        writer.WriteString("instance", context.RequestServices.GetRequiredService<InstanceIdentity>().Name);
        if (report is not null)
        {
            writer.WriteStartObject("checks");
            foreach (var (name, entry) in report.Entries)
            {
                writer.WriteStartObject(name);
                writer.WriteString("status", entry.Status.ToString().ToLowerInvariant());
                if ((entry.Description ?? entry.Exception?.Message) is { } description)
                {
                    writer.WriteString("description", description);
                }

                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        }

        writer.WriteEndObject();
        await writer.FlushAsync(context.RequestAborted);
    }
}
