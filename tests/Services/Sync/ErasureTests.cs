using System.Text.Json;
using Matrix.Replication;
using Matrix.ServiceTests.Hosting;
using Matrix.Storage.Accounts;
using Matrix.Storage.Streams;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.Sync;

/// <summary>Messages of users who had themselves erased. Spec: client-server-api/#post_matrixclientv3accountdeactivate</summary>
public sealed class ErasureTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private static readonly object Long = new { room = new { timeline = new { limit = 30 }, include_leave = true } };
    private ServiceHost[] Hosts => [fixture.One, fixture.Two];

    private async Task EraseAsync(SyncUser user)
    {
        await using var insert = fixture.Postgres.Source.CreateCommand("insert into users (user_id, created_ts_ms) values ($1, 0) on conflict do nothing");
        insert.Parameters.AddWithValue(user.Id);
        await insert.ExecuteNonQueryAsync();
        var batches = await new AccountStore(fixture.Postgres.Database).DeactivateAsync(user.Id, erase: true, 0, CancellationToken.None);
        await fixture.One.Services.GetRequiredService<IStreamPublisher>().PublishAllAsync(batches);
        foreach (var host in Hosts)
            foreach (var batch in batches.Where(b => b.Stream == Streams.Caches))
                Assert.True(await host.Services.GetRequiredService<IStreamFollower>().WaitForAsync(batch.Stream, batch.To, TimeSpan.FromSeconds(20), CancellationToken.None));
    }

    /// <summary>What each endpoint answers to a member of the room.</summary>
    private static async Task<List<(string Endpoint, string Answer)>> ReadAsync(SyncUser user, ServiceHost host, string since) =>
    [
        ("sync", (await user.SyncAsync(filter: Long, at: host)).Json.GetRawText()),
        ("sync since", (await user.SyncAsync(since, Long, host)).Json.GetRawText()),
        ("sync of servers", (await user.SyncAsync(filter: new { event_format = "federation", room = new { timeline = new { limit = 30 } } }, at: host)).Json.GetRawText()),
        ("sliding", (await new SlidingClient(user, SlidingClient.Lists(SlidingClient.List(limit: 30))).StepAsync(at: host)).Json.GetRawText()),
        ("initialSync", (await user.CallAsync(host, HttpMethod.Get, "/_matrix/client/v3/initialSync?limit=30")).GetRawText()),
        ("events", (await user.CallAsync(host, HttpMethod.Get, $"/_matrix/client/v3/events?from={since}&limit=100")).GetRawText()),
    ];

    private static async Task<string> PeekAsync(SyncUser user, ServiceHost host, string room, string since) =>
        (await user.CallAsync(host, HttpMethod.Get, $"/_matrix/client/v3/events?from={since}&room_id={Uri.EscapeDataString(room)}&limit=100")).GetRawText();

    [Fact]
    public async Task Whoever_came_later_is_told_them_without_content_by_every_endpoint_and_everywhere()
    {
        var (owner, alice, bob, carol) = (fixture.NewUser(), fixture.NewUser(), fixture.NewUser(), fixture.NewUser());
        var room = await owner.CreateRoomAsync(new { preset = "public_chat", initial_state = new[] { new { type = "m.room.history_visibility", content = new { history_visibility = "world_readable" } } } });
        await alice.JoinAsync(room);
        await carol.JoinAsync(room);
        var (bobs, carols) = ((await bob.SyncAsync()).Next, (await carol.SyncAsync()).Next);
        var said = await alice.SayAsync(room, "okapi");
        foreach (var host in Hosts) Assert.Contains("okapi", await PeekAsync(bob, host, room, bobs), StringComparison.Ordinal);
        await EraseAsync(alice);
        foreach (var host in Hosts)
        {
            var peeked = await PeekAsync(bob, host, room, bobs);
            Assert.Contains(said, peeked, StringComparison.Ordinal);
            Assert.DoesNotContain("okapi", peeked, StringComparison.Ordinal);
        }
        await bob.JoinAsync(room);
        await owner.SayAsync(room, "after");
        foreach (var host in Hosts)
        {
            foreach (var (endpoint, answer) in await ReadAsync(bob, host, bobs)) Assert.True(answer.Contains(said, StringComparison.Ordinal) && !answer.Contains("okapi", StringComparison.Ordinal), $"{endpoint}: {answer}");
            foreach (var (endpoint, answer) in await ReadAsync(carol, host, carols)) Assert.True(answer.Contains("okapi", StringComparison.Ordinal), $"{endpoint}: {answer}");
            var shown = (await bob.SyncAsync(filter: Long, at: host)).Joined(room)!.Timeline.Single(e => e.Text("event_id") == said);
            Assert.Equal(("{}", alice.Id, "m.room.message"), (shown.GetProperty("content").GetRawText(), shown.Text("sender"), shown.Text("type")));
        }
        await bob.LeaveAsync(room);
        foreach (var host in Hosts)
        {
            Assert.DoesNotContain("okapi", (await bob.SyncAsync(filter: Long, at: host)).Json.GetRawText(), StringComparison.Ordinal);
            Assert.Contains(said, (await bob.SyncAsync(bobs, Long, host)).Left(room)!.Ids);
            Assert.DoesNotContain("okapi", (await bob.SyncAsync(bobs, Long, host)).Json.GetRawText(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_name_is_not_told_either_and_a_process_that_starts_later_knows_it()
    {
        var (owner, alice, bob) = (fixture.NewUser(), fixture.NewUser(), fixture.NewUser());
        var room = await owner.CreateRoomAsync();
        await alice.JoinAsync(room);
        await alice.SetAsync(room, "m.room.member", new { membership = "join", displayname = "Okapi" }, alice.Id);
        await alice.LeaveAsync(room);
        await EraseAsync(alice);
        await bob.JoinAsync(room);
        await using var later = await fixture.StartAsync("later");
        foreach (var host in new[] { fixture.One, fixture.Two, later })
        {
            var told = (await bob.SyncAsync(filter: Long, at: host)).Joined(room)!.Timeline.FindAll(e => e.TryGetProperty("state_key", out _) && RoomAnswer.Key(e) == $"m.room.member|{alice.Id}");
            Assert.Equal(["join", "join", "leave"], told.Select(e => e.GetProperty("content").Text("membership")));
            Assert.DoesNotContain("Okapi", JsonSerializer.Serialize(told), StringComparison.Ordinal);
        }
    }
}
