using System.Net;
using System.Text;
using Matrix.Gateway.Fleet;
using Matrix.Replication;
using Xunit;

namespace Matrix.Gateway.Tests.Proxy;

public sealed class RetryTests
{
    private const string Room = "/_matrix/client/v3/rooms/!r:example.org";
    private static readonly GatewayOptions Impatient = new() { WaitForInstance = TimeSpan.Zero };

    private static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    private static ServiceInstance Unreachable(string name, string service) => new(name, service, service, "http://127.0.0.1:1", "http://127.0.0.1:1", 1);

    private static string WithoutSpan(string request) => string.Join("\r\n", request.Split("\r\n").Where(l => !l.StartsWith("traceparent:", StringComparison.Ordinal)));

    /// <summary>Two instances of which the first chosen hangs up on every request.</summary>
    private static async Task<(TestGateway, RawService[])> WithOneThatHangsUpAsync(string service)
    {
        var first = new System.Runtime.CompilerServices.StrongBox<string?>();
        RawService[] both = [.. new[] { $"{service}-1", $"{service}-2" }.Select(name =>
            new RawService(name, service, _ => (Interlocked.CompareExchange(ref first.Value, name, null) ?? name) == name ? null : RawService.Ok))];
        var gateway = await TestGateway.StartAsync(options: Impatient);
        gateway.Directory.Set([.. both.Select(b => b.Instance)]);
        await gateway.UntilAsync(() => gateway.Fleet.Backends.Count(b => b.Health == BackendHealth.Up) == 2);
        return (gateway, both);
    }

    [Theory]
    [InlineData("PUT", Room + "/send/m.room.message/1", "eventpersister")]
    [InlineData("GET", "/_matrix/client/v3/joined_rooms", "clientapi")]
    [InlineData("DELETE", "/_matrix/client/v3/devices/A", "clientapi")]
    [InlineData("POST", Room + "/receipt/m.read/$e", "clientapi")]
    [InlineData("POST", "/_matrix/client/v3/user_directory/search", "userdirectory")]
    public async Task What_may_be_done_twice_is_sent_again_with_its_body(string method, string path, string service)
    {
        var (gateway, both) = await WithOneThatHangsUpAsync(service);
        await using var _ = gateway;
        using var request = new HttpRequestMessage(new(method), path);
        if (method is not "GET") request.Content = Json("""{"body":"once"}""");

        using var response = await gateway.Client.SendAsync(request);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("ok", await response.Content.ReadAsStringAsync());
        // The HTTP client itself repeats what has no body, so there may be more than two.
        Assert.All(both, b => Assert.NotEmpty(b.Requests));
        Assert.Single(both.SelectMany(b => b.Requests).Select(WithoutSpan).Distinct());
        foreach (var b in both) await b.DisposeAsync();
    }

    [Theory]
    [InlineData(Room + "/join", "eventpersister")]
    [InlineData("/_matrix/client/v3/createRoom", "eventpersister")]
    [InlineData("/_matrix/client/v3/keys/claim", "clientapi")]
    [InlineData("/_matrix/client/v3/logout", "clientapi", false)]
    public async Task A_request_that_may_have_been_done_is_not_sent_again(string path, string service, bool hasBody = true)
    {
        var (gateway, both) = await WithOneThatHangsUpAsync(service);
        await using var _ = gateway;

        using var response = await gateway.Client.PostAsync(path, hasBody ? Json("{}") : null);

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Contains("\"errcode\":\"M_UNKNOWN\"", await response.Content.ReadAsStringAsync());
        Assert.Equal("*", Assert.Single(response.Headers.GetValues("Access-Control-Allow-Origin")));
        Assert.Single(both.SelectMany(b => b.Requests));
        foreach (var b in both) await b.DisposeAsync();
    }

    [Fact]
    public async Task A_POST_without_any_body_is_not_sent_again_either()
    {
        var (gateway, both) = await WithOneThatHangsUpAsync("clientapi");
        await using var _ = gateway;

        var answer = await RawHttp.SendAsync(gateway.Address, "POST /_matrix/client/v3/logout HTTP/1.1\r\nHost: h\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 502 ", answer);
        Assert.Single(both.SelectMany(b => b.Requests));
        foreach (var b in both) await b.DisposeAsync();
    }

    [Fact]
    public async Task A_body_beyond_the_bound_is_not_sent_again()
    {
        var (gateway, both) = await WithOneThatHangsUpAsync("federationinbound");
        await using var _ = gateway;

        using var response = await gateway.Client.PutAsync("/_matrix/federation/v1/send/1", Json(new string('x', 2 * 1024 * 1024)));

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.Single(both.SelectMany(b => b.Requests));
        foreach (var b in both) await b.DisposeAsync();
    }

    [Theory]
    [InlineData("POST")]
    [InlineData("PUT")]
    public async Task What_could_not_be_delivered_goes_to_another_instance_whatever_the_method(string method)
    {
        await using var alive = await Service.StartAsync("eventpersister-2", "eventpersister");
        await using var gateway = await TestGateway.StartAsync(options: Impatient);
        gateway.Directory.Set(Unreachable("eventpersister-1", "eventpersister"), alive.Instance);
        await gateway.UntilAsync(() => gateway.Fleet.Backends.Any(b => b.Health == BackendHealth.Up));
        var dead = gateway.Fleet.Backends.Single(b => b.Name == "eventpersister-1");

        for (var i = 0; i < 8; i++)
        {
            gateway.Fleet.SetHealth(dead, BackendHealth.Up);        // as if its death had not been noticed yet
            using var request = new HttpRequestMessage(new(method), $"/_matrix/client/v3/rooms/!r{i}/join") { Content = Json("""{"a":1}""") };
            using var response = await gateway.Client.SendAsync(request);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }
        Assert.All(alive.Requests, r => Assert.Equal("""{"a":1}""", r.Body));
        Assert.Equal(8, alive.Requests.Count);
    }

    [Fact]
    public async Task Without_an_instance_the_answer_is_503_with_a_time_to_come_back()
    {
        await using var gateway = await TestGateway.StartAsync(options: Impatient);

        using var response = await gateway.Client.GetAsync("/_matrix/client/versions");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(2), response.Headers.RetryAfter!.Delta);
        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        Assert.Contains("\"errcode\":\"M_UNKNOWN\"", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_request_waits_for_an_instance_that_is_about_to_come()
    {
        await using var gateway = await TestGateway.StartAsync(options: new() { WaitForInstance = TimeSpan.FromMinutes(1) });
        var waiting = gateway.GetTextAsync("/_matrix/client/versions");
        await using var clientApi = await Service.StartAsync("clientapi-1", "clientapi");
        Assert.False(waiting.IsCompleted);

        gateway.Directory.Set(clientApi.Instance);

        Assert.Equal("clientapi-1", await waiting);
    }

    [Fact]
    public async Task The_restart_of_the_only_instance_is_a_delay()
    {
        var first = await Service.StartAsync("eventpersister-1", "eventpersister");
        var port = new Uri(first.Instance.Address).Port;
        await using var gateway = await TestGateway.StartAsync(options: new() { WaitForInstance = TimeSpan.FromMinutes(1) }, services: [first]);
        await first.DisposeAsync();
        await gateway.UntilAsync(() => gateway.Fleet.Backends.All(b => b.Health == BackendHealth.Down));

        var sending = gateway.Client.PutAsync(Room + "/send/m.room.message/1", Json("{}"));
        await using var again = await Service.StartAsync("eventpersister-1", "eventpersister", port: port);     // the directory has not noticed anything

        using var response = await sending;
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Single(again.Requests);
    }

    [Fact]
    public async Task A_client_that_hangs_up_ends_the_request_of_the_instance()
    {
        var cancelled = new TaskCompletionSource();
        var arrived = new TaskCompletionSource();
        await using var sync = await Service.StartAsync("sync-1", "sync", answer: async context =>
        {
            context.RequestAborted.Register(cancelled.SetResult);
            arrived.SetResult();
            await cancelled.Task;
        });
        await using var gateway = await TestGateway.StartAsync(services: [sync]);
        using var hangUp = new CancellationTokenSource();

        var polling = gateway.Client.GetAsync("/_matrix/client/v3/sync?since=s1&timeout=30000", hangUp.Token);
        await arrived.Task.WaitAsync(TimeSpan.FromSeconds(60));
        await hangUp.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => polling);
        await cancelled.Task.WaitAsync(TimeSpan.FromSeconds(60));
    }
}
