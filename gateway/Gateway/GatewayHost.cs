using Matrix.Gateway.Fleet;
using Matrix.Gateway.Proxy;
using Matrix.Gateway.Routing;
using Matrix.ServiceDefaults;
using Matrix.ServiceDefaults.Edge;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Yarp.ReverseProxy.Forwarder;

namespace Matrix.Gateway;

/// <summary>The gateway as a library: Program.cs and the tests build the same one. The instance directory is registered by whoever hosts it.</summary>
public static class GatewayHost
{
    /// <summary>On top of the service defaults.</summary>
    /// <exception cref="InvalidDataException">Configured route classes make no sense.</exception>
    public static WebApplicationBuilder AddGateway(this WebApplicationBuilder builder, HomeserverConfig config)
    {
        var groups = new RouteGroups(config.RouteGroups);
        if (groups.Faults.Count > 0) throw new InvalidDataException(string.Join('\n', groups.Faults));
        var services = builder.Services;
        services.AddMetrics();
        services.AddHttpForwarder();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(GatewayOptions.Read(builder.Configuration) with { RoomAffinity = config.RoomAffinity });
        services.AddSingleton(groups);
        services.AddSingleton<FleetState>();
        services.AddSingleton<GatewayMetrics>();
        services.AddSingleton(_ => Upstream.CreateClient());
        services.TryAddSingleton<IInstanceProbe>(p => new SocketProbe(Upstream.CreateProbeClient(), p.GetRequiredService<TimeProvider>()));
        services.AddSingleton<GatewayProxy>();
        services.AddHostedService<FleetWatcher>();
        return builder;
    }

    /// <summary>Everything that comes through the public listener ends here; the internal listener's requests go on.</summary>
    public static WebApplication UseGateway(this WebApplication app)
    {
        PublicEdge.Use(app).MapPublicEdge();
        var proxy = app.Services.GetRequiredService<GatewayProxy>();
        app.Use(next => context => context.IsInternal() ? next(context) : proxy.InvokeAsync(context));
        app.UseRouting();       // here, not in front: requests from outside need no route
        return app;
    }
}
