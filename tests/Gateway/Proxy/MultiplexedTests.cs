using System.Collections.Concurrent;
using Matrix.Gateway.Fleet;
using Microsoft.AspNetCore.Http;
using Xunit;

namespace Matrix.Gateway.Tests.Proxy;

/// <summary>Instances that take HTTP/2 alone: Sync, whose requests wait.</summary>
public sealed class MultiplexedTests
{
    private const string Poll = "/_matrix/client/v3/sync?since=s1&timeout=30000";
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(60);

    public static TheoryData<string> Targets => ByteFidelityTests.Targets;

    [Theory]
    [MemberData(nameof(Targets))]
    public async Task The_target_reaches_the_instance_byte_for_byte(string target)
    {
        await using var clientApi = await Service.StartAsync("clientapi-1", "clientapi", multiplexed: true);
        await using var persister = await Service.StartAsync("eventpersister-1", "eventpersister", multiplexed: true);
        await using var sync = await Service.StartAsync("sync-1", "sync", multiplexed: true);
        await using var gateway = await TestGateway.StartAsync(services: [clientApi, persister, sync]);

        var answer = await RawHttp.SendAsync(gateway.Address, $"GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 200 ", answer);
        Assert.Equal(target, Assert.Single((Received[])[.. clientApi.Requests, .. persister.Requests, .. sync.Requests]).Target);
    }

    [Fact]
    public async Task Polls_share_connections()
    {
        const int Polls = 250;
        var connections = new ConcurrentDictionary<string, int>();
        var parked = 0;
        TaskCompletionSource all = new(TaskCreationOptions.RunContinuationsAsynchronously), answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var sync = await Service.StartAsync("sync-1", "sync", multiplexed: true, answer: async context =>
        {
            connections.AddOrUpdate(context.Connection.Id, 1, (_, n) => n + 1);
            if (Interlocked.Increment(ref parked) == Polls) all.SetResult();
            await answer.Task;
            await context.Response.WriteAsync("{}");
        });
        await using var gateway = await TestGateway.StartAsync(services: [sync]);

        var polls = Enumerable.Range(0, Polls).Select(_ => gateway.GetTextAsync(Poll)).ToList();
        await all.Task.WaitAsync(Guard);
        answer.SetResult();

        Assert.All(await Task.WhenAll(polls), text => Assert.Equal("{}", text));
        Assert.InRange(connections.Count, 1, 10);
    }

    [Fact]
    public async Task When_an_instance_dies_its_polls_go_to_another()
    {
        var parked = new TaskCompletionSource();
        var waiting = 0;
        async Task WaitAsync(HttpContext context)
        {
            if (Interlocked.Increment(ref waiting) == 20) parked.SetResult();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        }
        var first = await Service.StartAsync("sync-1", "sync", multiplexed: true, answer: WaitAsync);
        await using var gateway = await TestGateway.StartAsync(services: [first]);
        var polls = Enumerable.Range(0, 20).Select(_ => gateway.GetTextAsync(Poll)).ToList();
        await parked.Task.WaitAsync(Guard);
        await using var second = await Service.StartAsync("sync-2", "sync", multiplexed: true);
        await gateway.SetAsync(first, second);

        await first.DisposeAsync();

        Assert.All(await Task.WhenAll(polls), text => Assert.Equal("sync-2", text));
        Assert.Equal(20, second.Requests.Count);
    }

    [Fact]
    public async Task A_POST_that_may_have_been_done_is_not_sent_again()
    {
        static Task HangUpAsync(HttpContext context)
        {
            context.Abort();
            return Task.CompletedTask;
        }
        await using var first = await Service.StartAsync("clientapi-1", "clientapi", multiplexed: true, answer: HangUpAsync);
        await using var second = await Service.StartAsync("clientapi-2", "clientapi", multiplexed: true, answer: HangUpAsync);
        await using var gateway = await TestGateway.StartAsync(options: new() { WaitForInstance = TimeSpan.Zero }, services: [first, second]);

        using var answer = await gateway.Client.PostAsync("/_matrix/client/v3/keys/claim", new StringContent("{}"));

        Assert.Equal(502, (int)answer.StatusCode);
        Assert.Single((Received[])[.. first.Requests, .. second.Requests]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_client_that_does_not_read_holds_nobody_up(bool multiplexed)
    {
        const int Megabytes = 64;
        var stuck = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var sync = await Service.StartAsync("sync-1", "sync", multiplexed: multiplexed, answer: async context =>
        {
            if (!context.Request.Query.ContainsKey("full_state")) return;
            var block = new byte[1 << 20];
            for (var i = 0; i < Megabytes; i++)
            {
                var writing = context.Response.Body.WriteAsync(block, context.RequestAborted);
                if (!writing.IsCompleted) stuck.TrySetResult();
                await writing;
            }
        });
        await using var gateway = await TestGateway.StartAsync(services: [sync]);
        using var slow = await gateway.Client.GetAsync(Poll + "&full_state=true", HttpCompletionOption.ResponseHeadersRead);
        await stuck.Task.WaitAsync(Guard);

        for (var i = 0; i < 20; i++) await gateway.GetTextAsync(Poll);

        await using var body = await slow.Content.ReadAsStreamAsync();
        var (buffer, length) = (new byte[1 << 20], 0L);
        while (await body.ReadAsync(buffer) is var n and > 0) length += n;
        Assert.Equal((long)Megabytes << 20, length);
    }

    [Fact]
    public async Task Nobody_listening_is_told_from_an_answer_that_did_not_come()
    {
        var gone = await Service.StartAsync("clientapi-1", "clientapi", multiplexed: true);
        await using var alive = await Service.StartAsync("clientapi-2", "clientapi", multiplexed: true);
        await using var gateway = await TestGateway.StartAsync(options: new() { WaitForInstance = TimeSpan.Zero }, services: [gone, alive]);
        var dead = gateway.Fleet.Backends.Single(b => b.Name == "clientapi-1");
        await gone.DisposeAsync();

        for (var i = 0; i < 8; i++)
        {
            gateway.Fleet.SetHealth(dead, BackendHealth.Up);        // as if its death had not been noticed yet
            using var answer = await gateway.Client.PostAsync("/_matrix/client/v3/keys/claim", new StringContent("{}"));
            Assert.Equal(200, (int)answer.StatusCode);
        }
        Assert.Equal(8, alive.Requests.Count);
    }
}
