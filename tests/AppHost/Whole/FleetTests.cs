using System.Net.Http.Json;
using System.Text.Json;

namespace Matrix.AppHostTests.Whole;

/// <summary>./run: every service, dcp and the dashboard.</summary>
public sealed class FleetTests : IDisposable
{
    private static readonly string[] Services =
    [
        "appservices", "background", "clientapi", "eventpersister-1", "eventpersister-2", "federationinbound", "federationsender", "gateway", "media",
        "push", "sync-1", "sync-2", "userdirectory",
    ];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("armada-fleet");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task The_dashboard_sees_every_service_and_one_message_through_all_of_them()
    {
        Assert.SkipWhen(Tools.Dcp is null, "the dashboard is not here: ./run or ./test downloads it");
        await using var host = HostProgram.Start(_folder.FullName, "fleet");
        await host.UpAsync();
        using var dashboard = new HttpClient { BaseAddress = host.Address("dashboard") };

        var alice = await host.RegisterAsync("alice");
        var room = (await host.CallAsync(HttpMethod.Post, "/_matrix/client/v3/createRoom", alice, new { })).GetProperty("room_id").GetString()!;
        var since = (await host.CallAsync(HttpMethod.Get, "/_matrix/client/v3/sync", alice)).GetProperty("next_batch").GetString()!;
        var waiting = UntilSyncedAsync(host, alice, since, "hello");
        await host.CallAsync(HttpMethod.Put, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/send/m.room.message/t1", alice, new { msgtype = "m.text", body = "hello" });
        await waiting;

        await HostProgram.UntilAsync(async () =>
        {
            using var resources = JsonDocument.Parse(await dashboard.GetStringAsync("/api/telemetry/resources"));
            var names = resources.RootElement.EnumerateArray().Where(r => r.GetProperty("hasLogs").GetBoolean() && r.GetProperty("hasMetrics").GetBoolean())
                .Select(r => r.GetProperty("name").GetString()!).ToHashSet();
            return Services.All(names.Contains);
        }, "logs and metrics of all services");

        await HostProgram.UntilAsync(async () =>
        {
            var traces = await Trace.ReadAllAsync(dashboard);
            var message = traces.FirstOrDefault(t => t.Services.Any(s => s.StartsWith("eventpersister", StringComparison.Ordinal)) && t.Services.Contains("gateway")
                && t.Names.Any(n => n.Contains("/send/", StringComparison.Ordinal)));
            return message is not null && message.Scopes.Contains("Npgsql") && message.Services.Any(s => s.StartsWith("sync", StringComparison.Ordinal));
        }, "one trace from gateway over persister and database to sync");
    }

    // What came before may be told first: the sync that answers need not have heard of the room when it was first asked.
    private static Task UntilSyncedAsync(HostProgram host, string token, string since, string text) => HostProgram.UntilAsync(async () =>
    {
        var answer = await host.CallAsync(HttpMethod.Get, $"/_matrix/client/v3/sync?timeout=30000&since={Uri.EscapeDataString(since)}", token);
        since = answer.GetProperty("next_batch").GetString()!;
        return answer.GetRawText().Contains(text, StringComparison.Ordinal);
    }, $"{text} in a sync");

    [Fact]
    public async Task Who_is_killed_comes_back_and_Ctrl_C_leaves_nothing()
    {
        await using var host = HostProgram.Start(_folder.FullName, "fleet", "--no-dashboard");
        await host.UpAsync();
        var alice = await host.RegisterAsync("alice");
        var before = host.Pids();
        Assert.Equal(Services.Concat(["host", "postgres", "redis"]).Order(), before.Keys.Order());
        foreach (var victim in new[] { "sync-1", "eventpersister-1", "redis" })
        {
            HostProgram.Signal(before[victim], "-KILL");
        }

        await HostProgram.UntilAsync(() => Task.FromResult(host.Pids() is var now && new[] { "sync-1", "eventpersister-1", "redis" }
            .All(v => now.TryGetValue(v, out var pid) && pid != before[v])), "new processes");
        await host.CallAsync(HttpMethod.Get, "/_matrix/client/v3/account/whoami", alice);
        var pids = host.Pids();
        Assert.Equal(0, await host.StopAsync());
        Assert.DoesNotContain(pids.Values, HostProgram.IsAlive);
    }

    private sealed record Trace(IReadOnlySet<string> Services, IReadOnlySet<string> Names, IReadOnlySet<string> Scopes)
    {
        /// <summary>From the OTLP JSON of the telemetry API.</summary>
        public static async Task<IReadOnlyList<Trace>> ReadAllAsync(HttpClient dashboard)
        {
            var json = await dashboard.GetFromJsonAsync<JsonElement>("/api/telemetry/spans?limit=5000");
            var spans = new List<(string Trace, string Service, string Name, string Scope)>();
            foreach (var resource in json.GetProperty("data").GetProperty("resourceSpans").EnumerateArray())
            {
                var service = resource.GetProperty("resource").GetProperty("attributes").EnumerateArray()
                    .First(a => a.GetProperty("key").GetString() == "service.name").GetProperty("value").GetProperty("stringValue").GetString()!;
                foreach (var scope in resource.GetProperty("scopeSpans").EnumerateArray())
                {
                    var source = scope.GetProperty("scope").GetProperty("name").GetString()!;
                    spans.AddRange(scope.GetProperty("spans").EnumerateArray().Select(s => (s.GetProperty("traceId").GetString()!, service, s.GetProperty("name").GetString()!, source)));
                }
            }

            return [.. spans.GroupBy(s => s.Trace).Select(g => new Trace(
                g.Select(s => s.Service).ToHashSet(), g.Select(s => s.Name).ToHashSet(), g.Select(s => s.Scope).ToHashSet()))];
        }
    }
}
