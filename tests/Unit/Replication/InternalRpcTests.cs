using System.Net;
using System.Net.Sockets;
using System.Text;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Replication.Rpc;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Matrix.Unit.Replication;

public class InternalRpcTests : IAsyncLifetime
{
    private const string Secret = "a shared secret";
    private readonly Directory directory = new();
    private readonly Follower follower = new();
    private readonly List<WebApplication> apps = [];

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        foreach (var app in apps) await app.DisposeAsync();
    }

    [Fact]
    public async Task A_call_reaches_the_instance_of_its_key_with_its_body_and_brings_the_answer()
    {
        for (var i = 1; i <= 3; i++) await StartAsync($"persister-{i}");
        var names = directory.All.Select(i => i.Name).ToList();
        using var rpc = Rpc();
        for (var i = 0; i < 20; i++)
            Assert.Equal($"{names[Rendezvous.Pick($"!{i}", names)]} {{\"n\":{i}}}", await CallAsync(rpc, "/_internal/rpc/echo", $"!{i}", $"{{\"n\":{i}}}"));
    }

    [Fact]
    public async Task Without_affinity_calls_of_one_key_reach_everybody()
    {
        for (var i = 1; i <= 2; i++) await StartAsync($"persister-{i}");
        using var rpc = Rpc(o => o with { Affinity = false });
        var answers = new HashSet<string>();
        for (var i = 0; i < 20; i++) answers.Add(await CallAsync(rpc, "/_internal/rpc/echo", "!a"));
        Assert.Equal(2, answers.Count);
    }

    [Theory]
    [InlineData("/_internal/rpc/echo")]
    [InlineData("/_internal/rpc/raw")]
    [InlineData("/_internal/rpc/one")]
    public async Task Without_the_secret_no_endpoint_runs(string path)
    {
        var address = await StartAsync("persister-1");
        using var http = new HttpClient();
        foreach (var given in (string?[])[null, "", "wrong", Secret + "x", Secret[..^1]])
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, address + path) { Content = new StringContent("{}") };
            if (given is not null) request.Headers.TryAddWithoutValidation(InternalHeaders.Secret, given);
            using var response = await http.SendAsync(request);
            Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
            Assert.Contains("M_FORBIDDEN", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
        Assert.Equal(0, handled);
    }

    [Fact]
    public void An_empty_secret_lets_nobody_in()
    {
        var context = new DefaultHttpContext();
        context.Request.Headers[InternalHeaders.Secret] = "";
        Assert.False(InternalAuth.IsAuthorized(context.Request, ""));
        context.Request.Headers[InternalHeaders.Secret] = new(["a", "a"]);
        Assert.False(InternalAuth.IsAuthorized(context.Request, "a"));
        context.Request.Headers[InternalHeaders.Secret] = "a";
        Assert.True(InternalAuth.IsAuthorized(context.Request, "a"));
    }

    [Fact]
    public async Task An_instance_that_cannot_be_reached_is_passed_over_for_the_next()
    {
        await StartAsync("alive");
        foreach (var i in (int[])[1, 2, 3]) directory.Add($"dead-{i}", $"http://127.0.0.1:{ClosedPort()}");
        using var rpc = Rpc();
        for (var i = 0; i < 10; i++) Assert.Equal("alive {}", await CallAsync(rpc, "/_internal/rpc/echo", $"!{i}"));
        Assert.Equal(10, handled);
    }

    [Fact]
    public async Task A_request_that_arrived_is_never_sent_again()
    {
        await StartAsync("persister-1");
        await StartAsync("persister-2");
        using var rpc = Rpc();
        var error = await Assert.ThrowsAsync<MatrixException>(() => CallAsync(rpc, "/_internal/rpc/break", "!a"));
        Assert.Equal(503, error.Error.Status);
        Assert.Equal(1, handled);
    }

    [Fact]
    public async Task Somebody_who_comes_while_a_call_waits_gets_it()
    {
        using var rpc = Rpc();
        var call = CallAsync(rpc, "/_internal/rpc/echo", "!a");
        Assert.False(call.IsCompleted);
        await StartAsync("late");
        Assert.Equal("late {}", await call);
    }

    [Fact]
    public async Task With_nobody_there_the_client_is_told_to_try_again()
    {
        using var rpc = Rpc(o => o with { NobodyThereTimeout = TimeSpan.Zero });
        var error = await Assert.ThrowsAsync<MatrixException>(() => CallAsync(rpc, "/_internal/rpc/echo", "!a"));
        Assert.Equal((503, 2), (error.Error.Status, error.Error.RetryAfterSeconds));
    }

    [Fact]
    public async Task An_error_answer_is_the_same_error_here()
    {
        await StartAsync("persister-1");
        using var rpc = Rpc();
        var error = (await Assert.ThrowsAsync<MatrixException>(() => CallAsync(rpc, "/_internal/rpc/limit", "!a"))).Error;
        Assert.Equal((429, "M_LIMIT_EXCEEDED", "Too fast", 7), (error.Status, error.Code, error.Message, error.RetryAfterSeconds));
        Assert.Equal([new("retry_after_ms", "6500")], error.Extras);
        Assert.Equal(502, (await Assert.ThrowsAsync<MatrixException>(() => CallAsync(rpc, "/_internal/rpc/plain", "!a"))).Error.Status);
    }

    [Fact]
    public async Task The_caller_has_what_the_answer_rests_on_before_the_call_returns()
    {
        await StartAsync("persister-1");
        using var rpc = Rpc();
        var call = CallAsync(rpc, "/_internal/rpc/write", "!a");
        Assert.Equal((Streams.Events, 12), await follower.Asked.Task);
        Assert.False(call.IsCompleted);
        follower.Reached.SetResult(true);
        await call;
        Assert.Equal([(Streams.Events, 12), (Streams.Caches, 3)], follower.Waited);
    }

    [Fact]
    public async Task A_caller_who_gives_up_is_not_told_that_the_service_failed()
    {
        await StartAsync("persister-1");
        using var rpc = Rpc();
        using var gone = new CancellationTokenSource();
        var call = rpc.PostAsync("persister", "!a", "/_internal/rpc/write", "{}"u8.ToArray(), gone.Token);
        await follower.Asked.Task;
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    [Fact]
    public void Positions_of_several_calls_become_one_header_and_unknown_streams_are_left_out()
    {
        var response = new DefaultHttpContext().Response;
        response.AddPosition(Streams.Events, 12);
        response.AddPosition(Streams.Caches, 3);
        response.AddPosition(Streams.Events, 11);
        Assert.Equal("events=12,caches=3", response.Headers[InternalHeaders.Positions].ToString());
        Assert.Equal([(Streams.Caches, 3)], InternalHeaders.Parse("novel=4, caches=3,events=,=5,events=-1"));
        Assert.Empty(InternalHeaders.Parse(null));
    }

    private int handled;

    private InternalRpc Rpc(Func<InternalRpcOptions, InternalRpcOptions>? change = null)
    {
        var options = new InternalRpcOptions(Secret);
        return new InternalRpc(directory, follower, change?.Invoke(options) ?? options, TimeProvider.System, NullLogger<InternalRpc>.Instance);
    }

    private static async Task<string> CallAsync(InternalRpc rpc, string path, string key, string body = "{}") =>
        Encoding.UTF8.GetString(await rpc.PostAsync("persister", key, path, Encoding.UTF8.GetBytes(body), CancellationToken.None));

    private async Task<string> StartAsync(string name)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton(new InternalRpcOptions(Secret));
        var app = builder.Build();
        var group = app.MapGroup("/_internal/rpc").RequireInternalSecret();
        group.MapPost("/echo", async (HttpRequest request) =>
        {
            Interlocked.Increment(ref handled);
            using var reader = new StreamReader(request.Body);
            return $"{name} {await reader.ReadToEndAsync()}";
        });
        // A bare request delegate, which filters of minimal APIs would not guard.
        group.Map("/raw", (RequestDelegate)(_ => Task.FromResult(Interlocked.Increment(ref handled))));
        app.MapPost("/_internal/rpc/one", () => Interlocked.Increment(ref handled)).RequireInternalSecret();
        group.MapPost("/break", (HttpContext context) =>
        {
            Interlocked.Increment(ref handled);
            context.Abort();
        });
        group.MapPost("/limit", (HttpContext context) =>
        {
            context.Response.Headers.RetryAfter = "7";
            return Results.Text("""{"errcode":"M_LIMIT_EXCEEDED","error":"Too fast","retry_after_ms":6500}""", "application/json", statusCode: 429);
        });
        group.MapPost("/plain", () => Results.Text("oh", statusCode: 502));
        group.MapPost("/write", (HttpResponse response) =>
        {
            response.AddPosition(Streams.Events, 12);
            response.AddPosition(Streams.Caches, 3);
        });
        await app.StartAsync();
        apps.Add(app);
        directory.Add(name, app.Urls.Single());
        return app.Urls.Single();
    }

    private static int ClosedPort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private sealed class Directory : IInstanceDirectory
    {
        private readonly Lock gate = new();
        private ServiceInstance[] all = [];
        private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public IReadOnlyList<ServiceInstance> All => all;
        public long Version => all.Length;
        public IReadOnlyList<ServiceInstance> Of(string groupOrService) => groupOrService == "persister" ? all : [];

        public Task WaitForChangeAsync(long version, CancellationToken ct)
        {
            lock (gate) return Version > version ? Task.CompletedTask : changed.Task.WaitAsync(ct);
        }

        public void Add(string name, string address)
        {
            lock (gate)
            {
                all = [.. all.Append(new ServiceInstance(name, "persister", "persister", address, address + "/", 0)).OrderBy(i => i.Name, StringComparer.Ordinal)];
                changed.SetResult();
                changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }
    }

    private sealed class Follower : IStreamFollower
    {
        public List<(StreamDefinition, long)> Waited { get; } = [];
        public TaskCompletionSource<(StreamDefinition, long)> Asked { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        public TaskCompletionSource<bool> Reached { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        public bool IsReady => true;
        public long Position(StreamDefinition stream) => 0;

        public async ValueTask<bool> WaitForAsync(StreamDefinition stream, long position, TimeSpan timeout, CancellationToken ct)
        {
            Waited.Add((stream, position));
            Asked.TrySetResult((stream, position));
            return await Reached.Task.WaitAsync(ct);
        }
    }
}
