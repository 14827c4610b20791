namespace Matrix.Architecture;

/// <summary>Who may know whom: docs/architecture.md draws the same arrows.</summary>
public class ArrowTests
{
    private static readonly string[] Services =
        ["ClientApi", "Sync", "EventPersister", "FederationInbound", "FederationSender", "Media", "Push", "UserDirectory", "AppServices", "Background"];

    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Matrix.Primitives"] = [],
        ["Matrix.Events"] = ["Matrix.Primitives"],
        ["Matrix.Crypto"] = ["Matrix.Primitives", "Matrix.Events"],
        ["Matrix.Replication"] = ["Matrix.Primitives"],
        ["Matrix.Storage"] = ["Matrix.Primitives", "Matrix.Events", "Matrix.Replication"],
        ["Matrix.FederationClient"] = ["Matrix.Primitives", "Matrix.Events", "Matrix.Crypto", "Matrix.Storage", "Matrix.Replication"],
        ["Matrix.Rooms"] = ["Matrix.Primitives", "Matrix.Events", "Matrix.Crypto", "Matrix.Storage", "Matrix.Replication", "Matrix.FederationClient"],
        ["Matrix.Web"] = ["Matrix.Primitives", "Matrix.Crypto", "Matrix.Storage", "Matrix.Replication", "Matrix.FederationClient", "ServiceDefaults"],
        ["ServiceDefaults"] = [],
        ["RoutingTable"] = ["Matrix.Primitives"],
        ["Gateway"] = ["RoutingTable", "ServiceDefaults", "Matrix.Storage", "Matrix.Replication", "Matrix.Primitives"],
        ["Monolith"] = [.. Services, "Matrix.Web"],
        ["Migrator"] = ["Matrix.Storage", "ServiceDefaults"],
        ["Tools"] = ["Matrix.Crypto", "Matrix.Storage", "ServiceDefaults", "RoutingTable"],
    };

    private static readonly string[] Shared =
        ["Matrix.Primitives", "Matrix.Events", "Matrix.Crypto", "Matrix.Replication", "Matrix.Storage", "Matrix.FederationClient", "Matrix.Rooms", "Matrix.Web", "ServiceDefaults"];

    [Fact]
    public void Projects_know_only_whom_they_may_know()
    {
        var faults = new List<string>();
        foreach (var project in Repository.Projects.Where(p => !p.Folder.StartsWith("AppHost", StringComparison.Ordinal)))
        {
            if (Services.Contains(project.Name))
                faults.AddRange(project.References.Except(Shared).Select(r => $"{project.Name} -> {r}: a service knows shared libraries only"));
            else if (!Allowed.TryGetValue(project.Name, out var allowed))
                faults.Add($"{project.Name} is not in the picture: add it to docs/architecture.md and here");
            else
                faults.AddRange(project.References.Except(allowed).Select(r => $"{project.Name} -> {r}"));
        }
        Assert.Empty(faults);
    }

    [Fact]
    public void AppHost_knows_no_service_by_type()
    {
        var references = Repository.Projects.Where(p => p.Folder.StartsWith("AppHost", StringComparison.Ordinal)).SelectMany(p => p.References);
        // ServiceDefaults has the generator of configurations, and no Matrix types.
        Assert.DoesNotContain(references.Where(r => r != "ServiceDefaults"), Shared.Contains);
    }

    [Theory]
    [InlineData("Npgsql", "Matrix.Storage")]
    [InlineData("StackExchange.Redis", "Matrix.Replication")]
    [InlineData("Yarp.ReverseProxy", "Gateway")]
    [InlineData("Portable.BouncyCastle", "Matrix.Crypto")]
    [InlineData("YamlDotNet", "ServiceDefaults")]
    public void A_package_is_seen_by_one_project_only(string package, string project)
    {
        var others = Repository.Projects.Where(p => p.Packages.Contains(package) && p.Name != project).Select(p => p.Name);
        Assert.Empty(others);
    }

    [Theory]
    [InlineData("Matrix.Primitives")]
    [InlineData("Matrix.Events")]
    public void The_pure_core_takes_no_packages(string name) =>
        Assert.Empty(Repository.Projects.Single(p => p.Name == name).Packages);

    [Fact]
    public void There_is_no_bucket_project() =>
        Assert.DoesNotContain(Repository.Projects, p => p.Name.Split('.').Intersect(["Common", "Core", "Utils", "Helpers"]).Any());
}
