using System.Diagnostics.Metrics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Matrix.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Matrix.AppHostTests.Hosting;

public class ServiceDefaultsTests
{
    [Theory]
    [InlineData("/_internal/health/live")]
    [InlineData("/_internal/health/ready")]
    [InlineData("/_internal/metrics")]
    [InlineData("/_Internal/rpc")]
    [InlineData("/%5Finternal/rpc")]
    [InlineData("/x/../_internal/rpc")]
    public async Task Internal_paths_do_not_exist_on_the_port_for_traffic(string path)
    {
        await using var service = await TestService.StartAsync("clientapi", map: app => app.MapGet("/_internal/rpc", c => c.Response.WriteAsync("secret")));
        var response = await RawGetAsync(service.Traffic.BaseAddress!, path);
        Assert.StartsWith("HTTP/1.1 404", response, StringComparison.Ordinal);
        Assert.Contains("M_UNRECOGNIZED", response, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nor_on_a_port_that_many_requests_share()
    {
        await using var service = await TestService.StartAsync("sync", map: app => app.MapGet("/_internal/rpc", c => c.Response.WriteAsync("secret")));
        using var response = await service.Traffic.GetAsync("/_internal/rpc");
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Fact]
    public async Task Health_and_metrics_answer_on_the_internal_port()
    {
        await using var service = await TestService.StartAsync(environment: [("ARMADA_INSTANCE", "sync-7")]);
        foreach (var (path, status) in new[] { ("live", "live"), ("ready", "ready") })
        {
            using var json = JsonDocument.Parse(await service.Internal.GetStringAsync($"/_internal/health/{path}"));
            Assert.Equal((status, "sync-7"), (json.RootElement.GetProperty("status").GetString(), json.RootElement.GetProperty("instance").GetString()));
        }

        Assert.Contains("dotnet_gc_", await service.Internal.GetStringAsync("/_internal/metrics"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Not_ready_names_the_check_that_fails()
    {
        var isWell = false;
        await using var service = await TestService.StartAsync(with: b => b.Services.AddHealthChecks()
            .AddCheck("database", () => isWell ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("away"))
            .AddCheck("redis", () => HealthCheckResult.Degraded("polling")));
        using var response = await service.Internal.GetAsync("/_internal/health/ready");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("""{"status":"not ready","instance":"sync-1","checks":{"database":{"status":"unhealthy","description":"away"},"redis":{"status":"degraded","description":"polling"}}}""",
            await response.Content.ReadAsStringAsync());
        isWell = true;
        Assert.Equal(HttpStatusCode.OK, (await service.Internal.GetAsync("/_internal/health/ready")).StatusCode);
    }

    [Fact]
    public async Task Own_metrics_are_written_in_the_format_of_Prometheus()
    {
        await using var service = await TestService.StartAsync();
        using var meter = new Meter("Armada.Test");
        var counter = meter.CreateCounter<long>("armada.test.events", description: "Events\nof a test");
        var histogram = meter.CreateHistogram<double>("armada.test.duration", "s");
        var gauge = meter.CreateUpDownCounter<int>("armada.test.waiting");
        counter.Add(2, new KeyValuePair<string, object?>("kind", "a\"b"));
        counter.Add(3, new KeyValuePair<string, object?>("kind", "a\"b"));
        histogram.Record(0.003);
        histogram.Record(100);
        gauge.Add(5);
        gauge.Add(-1);
        var lines = (await service.Internal.GetStringAsync("/_internal/metrics")).Split('\n').Where(l => l.Contains("armada_test", StringComparison.Ordinal)).ToList();
        const string Who = "service=\"sync\",instance=\"sync-1\"";
        Assert.Contains("# HELP armada_test_events_total Events of a test", lines);
        Assert.Contains("# TYPE armada_test_events_total counter", lines);
        Assert.Contains($"armada_test_events_total{{{Who},kind=\"a\\\"b\"}} 5", lines);
        Assert.Contains($"armada_test_duration_seconds_bucket{{{Who},le=\"0.0025\"}} 0", lines);
        Assert.Contains($"armada_test_duration_seconds_bucket{{{Who},le=\"0.005\"}} 1", lines);
        Assert.Contains($"armada_test_duration_seconds_bucket{{{Who},le=\"+Inf\"}} 2", lines);
        Assert.Contains($"armada_test_duration_seconds_sum{{{Who}}} 100.003", lines);
        Assert.Contains($"armada_test_waiting{{{Who}}} 4", lines);
    }

    [Fact]
    public async Task Instances_know_their_addresses_once_started()
    {
        await using var service = await TestService.StartAsync(environment: [("ARMADA_ADVERTISE_HOST", "localhost")]);
        var addresses = service.App.Services.GetRequiredService<InstanceAddresses>();
        Assert.True(addresses.Bound.IsCompletedSuccessfully);
        Assert.StartsWith("h2c://localhost:", addresses.Traffic, StringComparison.Ordinal);
        Assert.StartsWith("http://localhost:", addresses.Internal, StringComparison.Ordinal);
        Assert.NotEqual(addresses.Traffic, addresses.Internal);
    }

    [Fact]
    public async Task What_the_gateway_lets_through_is_not_too_long_for_a_service_behind_it()
    {
        await using var service = await TestService.StartAsync(map: app => app.MapGet("/sync", c => c.Response.WriteAsync("hello")));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/sync?filter=" + new string('f', 60_000)) { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        for (var i = 0; i < 15; i++)
        {
            request.Headers.Add($"X-Long-{i}", new string('h', 4_000));
        }

        using var response = await service.Traffic.SendAsync(request);
        Assert.Equal("hello", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_service_is_named_by_its_environment()
    {
        await using var service = await TestService.StartAsync(environment: [("ARMADA_INSTANCE", "sync-2"), ("ARMADA_GROUP", "bridges")]);
        Assert.Equal(new InstanceIdentity("sync", "sync-2", "bridges"), service.App.Services.GetRequiredService<InstanceIdentity>());
        await using var other = await TestService.StartAsync();
        Assert.Equal(new InstanceIdentity("sync", "sync-1", "sync"), other.App.Services.GetRequiredService<InstanceIdentity>());
    }

    [Fact]
    public async Task Gateway_and_monolith_listen_where_the_configuration_says()
    {
        var port = FreePort();
        await using var service = await TestService.StartAsync("monolith", $"listeners: [{{ port: {port}, bind_addresses: [localhost] }}]",
            map: app => app.MapGet("/hello", c => c.Response.WriteAsync("hello")));
        using var http = new HttpClient();
        using var response = await http.GetAsync(new Uri($"http://127.0.0.1:{port}/hello"));
        Assert.Equal("hello", await response.Content.ReadAsStringAsync());
        Assert.Empty(response.Headers.Server);
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    /// <summary>HttpClient would tidy the path up.</summary>
    private static async Task<string> RawGetAsync(Uri server, string path)
    {
        using var client = new TcpClient(server.Host, server.Port);
        await using var stream = client.GetStream();
        await stream.WriteAsync(System.Text.Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync();
    }
}
