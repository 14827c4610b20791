using Matrix.Replication;
using Matrix.Sync.Engine;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.Sync;

/// <summary>An instance that comes late, or loads a user late, tells what the others do.</summary>
public sealed class ColdInstanceTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    [Fact]
    public async Task Everybody_who_types_is_known_to_an_instance_that_comes_later()
    {
        var (alice, bob, carol) = (fixture.NewUser(), fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        await carol.JoinAsync(room);
        await alice.TypingAsync(room, true);
        await bob.TypingAsync(room, true);
        await carol.TypingAsync(room, true);
        await carol.TypingAsync(room, false);
        await using var cold = await fixture.StartAsync("typing");
        var since = (await alice.SyncAsync(at: cold)).Next;
        var told = (await alice.SyncAsync(at: cold)).Joined(room)?.Ephemeral("m.typing") ?? (await alice.SyncUntilAsync(since, a => a.Joined(room) is not null, cold)).Joined(room)!.Ephemeral("m.typing");
        Assert.Equal(new[] { alice.Id, bob.Id }.Order(StringComparer.Ordinal), told!.Value.GetProperty("user_ids").EnumerateArray().Select(u => u.GetString()).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Presence_that_changed_before_an_instance_knew_its_reader_is_told()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        await bob.JoinAsync(await alice.CreateRoomAsync());
        var since = (await alice.SyncAsync()).Next;
        await bob.SyncAsync(presence: "online");
        await alice.SyncUntilAsync(since, a => a.Presence.Count > 0);
        // The second instance has heard of bob, and hears of alice only now.
        var told = await alice.SyncUntilAsync(since, a => a.Presence.Count > 0, fixture.Two);
        Assert.Equal([bob.Id], told.Presence.Select(p => p.Text("sender")));
    }

    [Fact]
    public async Task Who_stopped_typing_in_a_room_that_nobody_watched_is_told_all_the_same()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync();
        await bob.JoinAsync(room);
        var since = (await alice.SyncAsync(at: fixture.Two)).Next;
        await bob.TypingAsync(room, true);
        since = (await alice.SyncUntilAsync(since, a => a.Joined(room)?.Ephemeral("m.typing") is not null, fixture.Two)).Next;
        var (keeper, state) = (fixture.Two.Services.GetRequiredService<CacheKeeper>(), fixture.Two.Services.GetRequiredService<SyncState>());
        keeper.Evict(0);
        await bob.TypingAsync(room, false);
        var stopped = await fixture.Bus.GetEphemeralPositionAsync(Streams.Typing, default);
        while (Typing() < stopped) await Task.Yield();
        keeper.Sweep();
        Assert.Empty((await alice.SyncAsync(since, at: fixture.Two)).Joined(room)!.Ephemeral("m.typing")!.Value.GetProperty("user_ids").EnumerateArray());

        long Typing()
        {
            using (state.Read()) return state.Position(Streams.Typing);
        }
    }
}
