using Matrix.EventPersister.Actors;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.EventPersister;

/// <summary>Rooms come and go in memory, and look the same afterwards.</summary>
public sealed class MemoryTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    [Fact]
    public async Task Rooms_that_were_used_longest_ago_make_room_and_work_when_they_come_back()
    {
        await using var small = await PersisterHost.StartAsync("small", fixture.ConnectionString, fixture.Bus, cacheBudget: 100_000);
        var actors = small.Services.GetRequiredService<RoomActors>();
        var alice = (await fixture.NewUserAsync()).At(small);
        var rooms = new List<string>();
        for (var i = 0; i < 40; i++) rooms.Add(await alice.CreateRoomAsync());
        Assert.Equal(40, actors.Count);
        actors.Trim();
        Assert.InRange(actors.Count, 1, 20);
        foreach (var room in rooms) (await alice.SendAsync(room, "back")).Ok();
        foreach (var room in rooms) Assert.Equal("m.room.message", (await fixture.TimelineAsync(room))[^1].Pdu.Type);
    }

    [Fact]
    public async Task Rooms_that_do_not_exist_are_not_kept()
    {
        await using var host = await PersisterHost.StartAsync("unknown", fixture.ConnectionString, fixture.Bus);
        var actors = host.Services.GetRequiredService<RoomActors>();
        var alice = (await fixture.NewUserAsync()).At(host);
        for (var i = 0; i < 20; i++) (await alice.SendAsync($"!no{i}:test.example", "x")).Is(403, "M_FORBIDDEN");
        // The last actor may have answered and not come to rest yet.
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        for (actors.Trim(); actors.Count > 0 && !patience.IsCancellationRequested; actors.Trim()) await Task.Yield();
        Assert.Equal(0, actors.Count);
    }

    [Fact]
    public async Task Several_extremities_are_joined_by_the_next_event_ten_at_a_time()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        for (var i = 0; i < 14; i++) (await alice.SendAsync(room, $"{i}")).Ok();
        var timeline = await fixture.TimelineAsync(room);
        await using (var fork = fixture.Source.CreateCommand("insert into forward_extremities select $1, unnest($2)"))
        {
            fork.Parameters.AddWithValue(timeline[0].RoomNid);
            fork.Parameters.AddWithValue(timeline.TakeLast(14).SkipLast(1).Select(e => e.EventNid).ToArray());
            await fork.ExecuteNonQueryAsync();
        }
        await using var fresh = await PersisterHost.StartAsync("fresh", fixture.ConnectionString, fixture.Bus);
        (await alice.At(fresh).SendAsync(room, "joins")).Ok();
        (await alice.At(fresh).SetStateAsync(room, "m.room.name", "", new { name = "all" })).Ok();
        var after = await fixture.TimelineAsync(room);
        Assert.Equal(10, after[^2].Pdu.PrevEvents.Length);
        Assert.Equal(timeline[^1].Pdu.Depth + 1, after[^2].Pdu.Depth);
        Assert.Equal(5, after[^1].Pdu.PrevEvents.Length);
        Assert.Equal(after[^1].EventNid, await fixture.CountAsync("select event_nid from forward_extremities where room_nid = $1", timeline[0].RoomNid));
    }
}
