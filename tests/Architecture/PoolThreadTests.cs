using System.Text.Json;

namespace Matrix.Architecture;

/// <summary>Who begins with one thread of the pool, and who with one for each core: services/Waiting.props.</summary>
public class PoolThreadTests
{
    private static readonly string[] Waiting = ["Gateway", "Sync", "Push", "UserDirectory", "FederationSender", "AppServices", "Background"];
    private static readonly string[] Computing = ["ClientApi", "EventPersister", "FederationInbound", "Media", "Monolith"];

    [Fact]
    public void Who_waits_begins_with_one_thread() =>
        Assert.All(Waiting, name => Assert.Equal("1", Option(name, "System.Threading.ThreadPool.MinThreads")));

    [Fact]
    public void Who_computes_begins_with_one_for_each_core() =>
        Assert.All(Computing, name => Assert.Null(Option(name, "System.Threading.ThreadPool.MinThreads")));

    private static string? Option(string project, string option)
    {
        var output = Path.GetRelativePath(Path.Combine(Repository.Root, "tests", "Architecture"), AppContext.BaseDirectory);
        var folder = Repository.Projects.Single(p => p.Name == project).Folder;
        using var json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Repository.Root, folder, output, project + ".runtimeconfig.json")));
        return json.RootElement.GetProperty("runtimeOptions").GetProperty("configProperties").TryGetProperty(option, out var value) ? value.ToString() : null;
    }
}
