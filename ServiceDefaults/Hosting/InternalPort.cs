using Matrix.ServiceDefaults.Edge;
using Matrix.ServiceDefaults.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Matrix.ServiceDefaults;

public static class InternalPort
{
    /// <summary>The request came in by the internal port (or there are no ports, in a test server).</summary>
    public static bool IsInternal(this HttpContext context) => context.Features.Get<ListenerFeature>()?.IsInternal ?? true;
}

/// <summary>In front of everything: who asks is known from here on, and what comes in by the port for traffic sees nothing of <c>/_internal</c>.</summary>
internal sealed class InternalPathGuard : IStartupFilter
{
    private static readonly byte[] Unrecognized = """{"errcode":"M_UNRECOGNIZED","error":"Unrecognized request"}"""u8.ToArray();

    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(following => context =>
        {
            if (context.Features.Get<ListenerFeature>() is { TrustsForwarded: true })
            {
                ForwardedClient.Apply(context);
            }

            // The decoded path: no spelling of it may pass.
            if (!context.Request.Path.StartsWithSegments("/_internal", StringComparison.OrdinalIgnoreCase) || context.IsInternal())
            {
                return following(context);
            }

            context.Response.StatusCode = StatusCodes.Status404NotFound;
            context.Response.ContentType = "application/json";
            context.Response.ContentLength = Unrecognized.Length;
            return context.Response.Body.WriteAsync(Unrecognized, context.RequestAborted).AsTask();
        });
        next(app);
    };
}
