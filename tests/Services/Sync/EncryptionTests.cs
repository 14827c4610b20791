using System.Text.Json;
using Matrix.Replication;
using Matrix.Storage.Keys;
using Matrix.Storage.Streams;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.Sync;

/// <summary>What /sync tells for end-to-end encryption, on any instance.</summary>
[Collection("alone")]
public sealed class EncryptionTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private async Task<SyncUser> NewDeviceAsync(SyncUser? of = null, string device = "DEV")
    {
        var user = of?.On(device) ?? fixture.NewUser();
        await using var command = fixture.Postgres.Source.CreateCommand("insert into devices (user_id, device_id, created_ts_ms) values ($1, $2, 0) on conflict do nothing");
        command.Parameters.AddWithValue(user.Id);
        command.Parameters.AddWithValue(user.Device);
        await command.ExecuteNonQueryAsync();
        return user;
    }

    private Task<JsonElement> PostAsync(SyncUser user, string path, object body) => user.CallAsync(fixture.One, HttpMethod.Post, "/_matrix/client/v3" + path, body);

    private Task UploadAsync(SyncUser user, int from, int count, string? fallback = null) => PostAsync(user, "/keys/upload", new
    {
        one_time_keys = Enumerable.Range(from, count).ToDictionary(i => $"signed_curve25519:{i}", i => $"k{i}"),
        fallback_keys = fallback is null ? [] : new Dictionary<string, string> { ["signed_curve25519:" + fallback] = "f" },
    });

    private Task ClaimAsync(SyncUser by, SyncUser of) => PostAsync(by, "/keys/claim", new
    {
        one_time_keys = new Dictionary<string, object> { [of.Id] = new Dictionary<string, string> { [of.Device] = "signed_curve25519" } },
    });

    private static (int Count, string[] Unused) Left(SyncAnswer answer) => (
        answer.Json.GetProperty("device_one_time_keys_count").GetProperty("signed_curve25519").GetInt32(),
        [.. answer.Json.GetProperty("device_unused_fallback_key_types").EnumerateArray().Select(a => a.GetString()!)]);

    /// <summary>Answers may be a moment behind what another instance wrote.</summary>
    private static async Task UntilAsync(SyncUser user, string since, Matrix.ServiceTests.Hosting.ServiceHost host, (int Count, string[] Unused) expected)
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        while (true)
        {
            var told = Left(await user.SyncAsync(since, at: host));
            if (told.Count == expected.Count && told.Unused.SequenceEqual(expected.Unused)) return;
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), $"still {told.Count} [{string.Join(',', told.Unused)}]");
        }
    }

    [Fact]
    public async Task Counts_of_keys_follow_uploads_and_claims_on_every_instance_for_each_device_apart()
    {
        var alice = await NewDeviceAsync();
        var phone = await NewDeviceAsync(alice, "PHONE");
        var bob = await NewDeviceAsync();
        var since = (await alice.SyncAsync()).Next;
        Assert.Equal(0, Left(await alice.SyncAsync(since)).Count);
        await UploadAsync(alice, 0, 2, "fb");
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            await UntilAsync(alice, since, host, (2, ["signed_curve25519"]));
            await UntilAsync(phone, since, host, (0, []));
        }
        await ClaimAsync(bob, alice);
        foreach (var host in new[] { fixture.One, fixture.Two }) await UntilAsync(alice, since, host, (1, ["signed_curve25519"]));
        await ClaimAsync(bob, alice);
        await ClaimAsync(bob, alice);
        foreach (var host in new[] { fixture.One, fixture.Two }) await UntilAsync(alice, since, host, (0, []));
        await UploadAsync(alice, 5, 1, "fb2");
        foreach (var host in new[] { fixture.One, fixture.Two }) await UntilAsync(alice, since, host, (1, ["signed_curve25519"]));
    }

    [Fact]
    public async Task An_initial_sync_knows_the_keys_of_the_moment()
    {
        var alice = await NewDeviceAsync();
        await UploadAsync(alice, 0, 7);
        Assert.Equal(7, Left(await alice.SyncAsync()).Count);
        await UploadAsync(alice, 7, 1);
        Assert.Equal(8, Left(await alice.SyncAsync(at: fixture.Two)).Count);
        Assert.Equal(8, Left(await alice.SyncAsync()).Count);
    }

    [Fact]
    public async Task A_device_that_went_and_came_again_has_no_keys()
    {
        var alice = await NewDeviceAsync();
        await UploadAsync(alice, 0, 7);
        var since = (await alice.SyncAsync(at: fixture.Two)).Next;
        await PostAsync(alice, "/logout", new { });
        await NewDeviceAsync(alice);
        await UntilAsync(alice, since, fixture.Two, (0, []));
    }

    [Fact]
    public async Task Counts_cost_no_query_until_they_change()
    {
        var (alice, bob) = (await NewDeviceAsync(), await NewDeviceAsync());
        await UploadAsync(alice, 0, 5);
        var since = (await alice.SyncAsync()).Next;
        using (var sql = fixture.Count())
        {
            for (var i = 0; i < 10; i++) since = (await alice.SyncAsync(since)).Next;
            Assert.Empty(sql.All);
        }
        await ClaimAsync(bob, alice);
        using (var sql = fixture.Count())
        {
            for (var i = 0; i < 10; i++) since = (await alice.SyncAsync(since)).Next;
            Assert.Single(sql.All);
            Assert.Equal(4, Left(await alice.SyncAsync(since)).Count);
        }
    }

    [Fact]
    public async Task Keys_that_come_and_go_wake_nobody()
    {
        var (alice, bob) = (await NewDeviceAsync(), await NewDeviceAsync());
        await UploadAsync(alice, 0, 5);
        var since = (await alice.SyncAsync()).Next;
        var waiting = alice.SyncAsync(since, timeout: 1500);
        await ClaimAsync(bob, alice);
        var answer = await waiting;
        Assert.True(answer.IsEmpty);
        Assert.Equal(4, Left(answer).Count);
    }

    [Fact]
    public async Task Messages_that_were_acknowledged_are_deleted_by_one_statement_and_cost_nothing_after_that()
    {
        var (sender, receiver) = (await NewDeviceAsync(), await NewDeviceAsync());
        var since = (await receiver.SyncAsync()).Next;
        await sender.SendToDeviceAsync(receiver, "x.y", new { });
        since = (await receiver.SyncUntilAsync(since, a => a.ToDevice.Count > 0)).Next;
        using var sql = fixture.Count();
        for (var i = 0; i < 10; i++) since = (await receiver.SyncAsync(since)).Next;
        Assert.Single(sql.All);
        Assert.Equal(1, sql.Containing("delete from to_device_messages"));
    }

    /// <summary>A row of device_lists, as a writer makes it.</summary>
    private async Task SignAsync(SyncUser by, SyncUser about)
    {
        var store = fixture.One.Services.GetRequiredService<CrossSigningStore>();
        var publisher = fixture.One.Services.GetRequiredService<IStreamPublisher>();
        var signature = new NewMasterSignature(about.Id, "key", new KeySignature("ed25519:k", $"{Guid.NewGuid()}"));
        await publisher.PublishAllAsync(await store.SignAsync(by.Id, [], [signature], CancellationToken.None));
    }

    [Fact]
    public async Task Whom_a_user_has_signed_is_told_to_himself_alone_from_memory_and_from_the_database()
    {
        var (alice, bob) = (await NewDeviceAsync(), await NewDeviceAsync());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var (ofAlice, ofBob) = ((await alice.SyncAsync()).Next, (await bob.SyncAsync()).Next);
        await alice.SyncAsync(at: fixture.Two);
        await SignAsync(alice, bob);
        await using var cold = await fixture.StartAsync("signed");
        foreach (var host in new[] { fixture.One, fixture.Two, cold })
        {
            Assert.Equal([bob.Id], (await alice.SyncUntilAsync(ofAlice, a => a.DevicesChanged.Count > 0, host)).DevicesChanged);
            Assert.Empty((await bob.SyncAsync(ofBob, at: host)).DevicesChanged);
        }
        var changes = await alice.GetAsync($"/keys/changes?from={ofAlice}&to={ofAlice}");
        Assert.Equal(bob.Id, Assert.Single(changes.GetProperty("changed").EnumerateArray()).GetString());
        Assert.Empty((await bob.GetAsync($"/keys/changes?from={ofBob}&to={ofBob}")).GetProperty("changed").EnumerateArray());
    }

    [Fact]
    public async Task A_signature_of_a_user_whose_rooms_memory_does_not_know_is_told_if_they_share_one_and_does_not_say_that_he_left()
    {
        var (alice, bob, stranger) = (await NewDeviceAsync(), await NewDeviceAsync(), await NewDeviceAsync());
        await bob.JoinAsync(await alice.CreateRoomAsync());
        await stranger.CreateRoomAsync();
        foreach (var host in new[] { fixture.One, fixture.Two })
        {
            var since = (await alice.SyncAsync(at: host)).Next;
            var sliding = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(), new { e2ee = new { enabled = true } })) { Host = host };
            await sliding.StepAsync();
            await SignAsync(alice, stranger);
            await SignAsync(alice, bob);
            var told = await alice.SyncUntilAsync(since, a => a.DevicesChanged.Contains(bob.Id), host);
            Assert.Equal([bob.Id], told.DevicesChanged);
            Assert.Empty(told.DevicesLeft);
            var lists = (await sliding.StepAsync()).Extension("e2ee", "device_lists")!.Value;
            Assert.Equal([bob.Id], lists.GetProperty("changed").EnumerateArray().Select(u => u.GetString()));
            Assert.Equal(0, lists.GetProperty("left").GetArrayLength());
        }
    }
}
