using System.Text.RegularExpressions;
using Matrix.AppServices;
using Matrix.Background;
using Matrix.ClientApi;
using Matrix.EventPersister;
using Matrix.FederationInbound;
using Matrix.FederationSender;
using Matrix.Gateway.Routing;
using Matrix.Media;
using Matrix.Push;
using Matrix.Sync;
using Matrix.UserDirectory;
using Matrix.Web.Routing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;

namespace Matrix.Architecture;

/// <summary>The golden list of routes, and what of the specification is served.</summary>
public partial class RouteTests
{
    internal sealed record Route(string Method, string Path, string Service, string Operation, Access Access);

    internal static IReadOnlyList<Route> Mapped { get; } = Map();

    private static List<Route> Map()
    {
        var builder = WebApplication.CreateSlimBuilder();
        IEndpointRouteBuilder app = builder.Build();
        app.MapClientApi().MapSync().MapEventPersister().MapFederationInbound().MapFederationSender()
            .MapMedia().MapPush().MapUserDirectory().MapAppServices().MapBackground();
        return
        [
            .. from endpoint in app.DataSources.SelectMany(s => s.Endpoints)
               let route = endpoint.Metadata.GetMetadata<MatrixRoute>()
               where route is not null
               select new Route(route.Method, route.Path, endpoint.Metadata.GetMetadata<OwningService>()!.Name,
                   endpoint.Metadata.GetMetadata<OperationName>()?.Name ?? "", endpoint.Metadata.GetMetadata<RouteAccess>()?.Access ?? Access.Required),
        ];
    }

    [Fact]
    public void Routes_are_those_of_the_golden_list() =>
        Repository.MatchesGolden("docs/routes.golden",
            Mapped.Select(r => $"{r.Method,-6} {r.Path}  {r.Service} {r.Operation} {r.Access.ToString().ToLowerInvariant()}")
                .Distinct().Order(StringComparer.Ordinal));

    [Fact]
    public void Every_route_has_a_name() => Assert.Empty(Mapped.Where(r => r.Operation.Length == 0).Select(r => $"{r.Method} {r.Path}"));

    [Fact]
    public void No_route_is_mapped_twice() =>
        Assert.Empty(Mapped.GroupBy(r => (r.Method, Shape(r.Path))).Where(g => g.Count() > 1).Select(g => $"{g.Key.Method} {g.Key.Item2}"));

    [Fact]
    public void Operations_of_the_specification_that_are_not_served_are_those_of_the_golden_list()
    {
        var served = Mapped.Select(r => $"{r.Method} {Shape(r.Path)}").ToHashSet();
        // Public files and health of the edge are served by the gateway and the monolith, not by a service.
        foreach (var file in new[] { "client", "server", "support" }) served.Add($"GET /.well-known/matrix/{file}");
        Repository.MatchesGolden("docs/missing.golden",
            Specification().Where(e => !served.Contains($"{e.Method} {Shape(e.Path)}")).Select(e => $"{e.Api,-13} {e.Method,-6} {e.Path}"));
    }

    [Fact]
    public void The_routing_table_leads_every_route_to_the_service_that_has_it()
    {
        var faults = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var route in Mapped)
        {
            var path = Parameter().Replace(route.Path, "x");
            var goal = RouteExplainer.Explain(route.Method, path, [], RouteGroups.None).Service;
            if (goal != route.Service) faults.Add($"{route.Method} {route.Path}: routed to {goal}, mapped by {route.Service}");
        }
        Assert.Empty(faults);
    }

    internal static IEnumerable<(string Api, string Method, string Path, string Module)> Specification() =>
        from line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "data", "endpoints.csv")).Skip(1)
        let cells = line.Split(',')
        where cells[0] is "client-server" or "server-server" && cells[2].StartsWith('/')
        select (cells[0], cells[1], cells[2], cells[4]);

    private static string Shape(string path) => Parameter().Replace(path.TrimEnd('/'), "{}");

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex Parameter();
}
