using Matrix.Events;
using Matrix.Rooms.Ingest;
using Matrix.Storage.Events;
using Matrix.Testing;

namespace Matrix.ServiceTests.EventPersister.Ingest;

/// <summary>Random forks of random rooms of every version, in a random order of arrival, at two persisters: the states are those of the graph.</summary>
public sealed class ForkProperties(PersisterFixture fixture, ITestOutputHelper output) : IClassFixture<PersisterFixture>
{
    private const int RoomsOfAVersion = 3, Steps = 40;

    private static readonly TestUser[] Users =
        [TestUser.Of("@alice:remote.example"), TestUser.Of("@bob:b.example"), TestUser.Of("@carol:c.example"), TestUser.Of("@dave:remote.example")];

    public static TheoryData<string> Versions => [.. RoomVersions.All.Select(v => v.Id)];

    [Theory, MemberData(nameof(Versions))]
    public async Task Any_order_of_arrival_ends_in_the_same_states(string version)
    {
        // By hand: ARMADA_SEED=N repeats one room, ARMADA_ROUNDS=N plays more of them.
        if (int.TryParse(Environment.GetEnvironmentVariable("ARMADA_SEED"), out var seed))
        {
            await RunAsync(version, seed);
            return;
        }
        var rounds = int.TryParse(Environment.GetEnvironmentVariable("ARMADA_ROUNDS"), out var given) ? given : RoomsOfAVersion;
        for (var i = 0; i < rounds; i++) await RunAsync(version, Random.Shared.Next());
    }

    private async Task RunAsync(string version, int seed)
    {
        output.WriteLine($"version {version}, seed {seed}");
        var random = new Random(seed);
        var local = await fixture.NewUserAsync();
        var entered = await RemoteRoom.EnterAsync(fixture, version, local, Users[1], Users[2]);
        var room = entered.Room;
        var first = room.Events.Count;
        var branches = RandomRoom.Play(room, Users, [.. Enumerable.Range(0, Steps).Select(_ => random.Next(1_000_000))]);
        var joined = RandomRoom.Join(branches, [.. Users, TestUser.Of(local.Id)]);

        var waiting = room.Events.Skip(first).ToList();
        var arrived = new HashSet<string>(room.Events.Take(first).Select(e => e.EventId));
        while (waiting.Count > 0)
        {
            // Mostly events whose parents are here, sometimes any: then the others are fetched from who sent it.
            var ready = waiting.Where(e => random.Next(8) == 0 || e.PrevEvents.All(arrived.Contains)).ToList();
            if (ready.Count == 0) continue;
            var part = ready.OrderBy(_ => random.Next()).Take(1 + random.Next(4)).ToList();
            var host = random.Next(2) == 0 ? fixture.One : fixture.Two;
            foreach (var p in (await entered.IngestAsync(host, IngestMode.Live, part)).Pdus)
                Assert.True(p.Verdict is IngestVerdict.Accepted or IngestVerdict.SoftFailed or IngestVerdict.Known, $"seed {seed}: {p.EventId} {p.Verdict} {p.Reason}");
            foreach (var e in part) { arrived.Add(e.EventId); waiting.Remove(e); }
        }
        try
        {
            await entered.StatesAreRightAsync();
            if (joined is null) return;
            var end = await entered.StoredAsync(joined.Last.EventId);
            if ((end.Flags & EventFlags.SoftFailed) != 0) return;
            var ends = await entered.ExtremitiesAsync();
            Assert.Contains(joined.Last.EventId, ends);
            // A parent of a soft-failed event that came after both is an end of its own, until the next event joins them.
            if (ends.Count == 1) await entered.IsAtAsync(joined);
        }
        catch (Xunit.Sdk.XunitException e)
        {
            throw new InvalidOperationException($"version {version}, seed {seed}", e);
        }
    }
}
