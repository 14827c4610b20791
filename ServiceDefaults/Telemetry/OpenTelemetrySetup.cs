using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Matrix.ServiceDefaults.Telemetry;

/// <summary>
/// Traces, metrics and logs over OTLP, when OTEL_EXPORTER_OTLP_ENDPOINT says where to; without it none of this is loaded. .NET brings its
/// sources and meters itself; ours are called <c>Armada</c> and <c>Armada.*</c>.
/// </summary>
internal static class OpenTelemetrySetup
{
    private static readonly string[] Sources = ["Microsoft.AspNetCore", "System.Net.Http", "Npgsql", "Armada", "Armada.*"];

    private static readonly string[] Meters =
    [
        "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Net.Http", "System.Runtime", "Npgsql", "Armada", "Armada.*",
    ];

    /// <summary>What the gateway knows of a request instead of a route.</summary>
    public const string RouteClassTag = "armada.route_class";

    /// <summary>Not inlined: the caller must not load the assemblies of OpenTelemetry when they are not wanted.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Add(WebApplicationBuilder builder, InstanceIdentity identity, HomeserverConfig config, IReadOnlyDictionary<string, string> environment)
    {
        // Otherwise ASP.NET Core leaves the standard attributes of a request to an instrumentation package.
        AppContext.SetSwitch("Microsoft.AspNetCore.Hosting.SuppressActivityOpenTelemetryData", false);
        var resource = ResourceBuilder.CreateEmpty().AddTelemetrySdk().AddAttributes(
        [
            new("service.name", environment.GetValueOrDefault("OTEL_SERVICE_NAME", identity.Name)),
            new("service.namespace", "armada"),
            new("service.instance.id", InstanceId(environment) ?? identity.Name),
        ]);
        builder.Services.AddSingleton<IStartupFilter, RequestSpans>();
        builder.Services.AddHostedService(_ => new Exporters(
            () => Sdk.CreateTracerProviderBuilder()
                .SetResourceBuilder(resource)
                .SetSampler(new ParentBasedSampler(new RootSampler(config.TraceSampling, config.TraceSamplingPolls)))
                .AddSource(Sources)
                .AddProcessor(new SpanEditor())
                .AddOtlpExporter()
                .Build(),
            () => Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource).AddMeter(Meters).AddOtlpExporter().Build()));
        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.SetResourceBuilder(resource);
            logging.IncludeFormattedMessage = true;
            logging.AddOtlpExporter();
        });
    }

    private static string? InstanceId(IReadOnlyDictionary<string, string> environment) => environment
        .GetValueOrDefault("OTEL_RESOURCE_ATTRIBUTES", "")
        .Split(',')
        .FirstOrDefault(a => a.StartsWith("service.instance.id=", StringComparison.Ordinal))?["service.instance.id=".Length..];

    /// <summary>Started first and stopped last of all hosted services, so that their spans are exported too.</summary>
    private sealed class Exporters(Func<TracerProvider> traces, Func<MeterProvider> metrics) : IHostedService, IDisposable
    {
        private TracerProvider? _traces;
        private MeterProvider? _metrics;

        public Task StartAsync(CancellationToken cancellationToken)
        {
            _traces = traces();
            _metrics = metrics();
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public void Dispose()
        {
            _traces?.Dispose();
            _metrics?.Dispose();
        }
    }

    /// <summary>Leaves out probes, and names queries by what they do: they all come as "postgresql".</summary>
    private sealed class SpanEditor : BaseProcessor<Activity>
    {
        public override void OnEnd(Activity data)
        {
            if (data.Source.Name == "Microsoft.AspNetCore" && data.GetTagItem("url.path") is string path
                && path.StartsWith("/_internal/health", StringComparison.Ordinal))
            {
                data.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
            }
            else if (data.Source.Name == "Npgsql" && data.GetTagItem("db.query.text") is string query)
            {
                data.DisplayName = Summary(query);
            }
        }

        /// <summary>The first words, on one line.</summary>
        private static string Summary(string query)
        {
            var words = query.Split((char[]?)null, 9, StringSplitOptions.RemoveEmptyEntries);
            return string.Join(' ', words.Take(8)) is { Length: <= 60 } few ? few : string.Join(' ', words.Take(4));
        }
    }

    /// <summary>Gives the server span its route: a span per path would never repeat, because paths hold identifiers.</summary>
    private sealed class RequestSpans : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(following => async context =>
            {
                await following(context);
                if (context.Features.Get<IHttpActivityFeature>()?.Activity is { IsAllDataRequested: true } span)
                {
                    var route = (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText
                        ?? span.GetTagItem(RouteClassTag) as string;
                    span.DisplayName = route is null ? context.Request.Method : $"{context.Request.Method} {route}";
                    if (route is not null)
                    {
                        span.SetTag("http.route", route);
                    }

                    span.SetTag("http.response.status_code", context.Response.StatusCode);
                }
            });
            next(app);
        };
    }
}
