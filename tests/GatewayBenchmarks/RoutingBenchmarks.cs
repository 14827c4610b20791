using BenchmarkDotNet.Attributes;
using Matrix.Gateway.Routing;
using Matrix.Gateway.Routing.Affinity;
using Matrix.Primitives;

namespace Matrix.Gateway.Benchmarks;

/// <summary>What routing one request costs. Budget: 2 microseconds and no allocation for the match.</summary>
[MemoryDiagnoser]
public class RoutingBenchmarks
{
    private const string Authorization = "Bearer syt_QGFsaWNlOmV4YW1wbGUub3Jn_ABCDEFGHIJKLMNOPQRST_0abcde";
    private static readonly string[] Instances = ["sync-1", "sync-2", "sync-3", "sync-4"];

    [Params(
        "/_matrix/client/v3/sync?since=s1_2_3&timeout=30000",
        "/_matrix/client/v3/rooms/!abcdefghijklmnop%3Aexample.org/send/m.room.message/m1699999999999.1",
        "/_matrix/client/v3/account/whoami",
        "/_matrix/client/v3/user/%40alice%3Aexample.org/rooms/!abcdefghijklmnop%3Aexample.org/account_data/m.fully_read",
        "/_matrix/client/v3/rooms/!abcdefghijklmnop%3Aexample.org/unknown/of/no/row/at/all",
        "/_matrix/federation/v1/send/1699999999999",
        "/_synapse/admin/v1/users/@alice:example.org/joined_rooms")]
    public string Target { get; set; } = "";

    [Benchmark(Baseline = true)]
    public RouteMatch Match()
    {
        RawQuery.Split(Target, out var path, out var query);
        return RouteTable.Default.Match(MethodSet.Put, path, query);
    }

    [Benchmark]
    public int MatchKeyAndInstance()
    {
        RawQuery.Split(Target, out var path, out var query);
        var route = RouteTable.Default.Match(MethodSet.Put, path, query);
        var key = AffinityKey.Text(route.Key, new RequestFacts(path, query, Authorization, null));
        return key is null ? -1 : Rendezvous.Pick(key, Instances);
    }
}
