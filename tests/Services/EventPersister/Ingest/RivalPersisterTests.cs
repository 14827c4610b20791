using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms.Ingest;
using Matrix.Testing;

namespace Matrix.ServiceTests.EventPersister.Ingest;

/// <summary>Two persisters that take in events of the same room.</summary>
public sealed class RivalPersisterTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    private static readonly TestUser Alice = TestUser.Of("@alice:remote.example"), Carol = TestUser.Of("@carol:third.example");

    [Fact]
    public async Task Two_persisters_that_fight_for_a_room_take_everything_in_and_order_it_the_same()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await RemoteRoom.EnterAsync(fixture, "11", bob, Carol);
        var room = entered.Room;
        var branches = new[] { room, room.Fork(), room.Fork() };
        var batches = new List<Pdu[]>();
        for (var i = 0; i < 60; i++)
        {
            var branch = branches[i % 3];
            if (i % 5 == 0) branch.Set(Alice, EventTypes.Topic, $$"""{"topic":"{{i}}"}""");
            else branch.Say(i % 2 == 0 ? Alice : Carol, $"{i}");
            batches.Add([branch.Last]);
        }
        // Each branch in its order, at either persister, while a client sends at both; the same event sometimes at both at once.
        var taking = Enumerable.Range(0, 3).Select(b => Task.Run(async () =>
        {
            for (var i = b; i < batches.Count; i += 3)
            {
                PersisterHost[] hosts = i % 4 == 0 ? [fixture.One, fixture.Two] : [i % 2 == 0 ? fixture.One : fixture.Two];
                var verdicts = await Task.WhenAll(hosts.Select(h => AtAsync(entered, h, batches[i])));
                Assert.Equal(1, verdicts.Count(v => v == IngestVerdict.Accepted));
                Assert.All(verdicts, v => Assert.True(v is IngestVerdict.Accepted or IngestVerdict.Known));
            }
        }));
        var sending = Task.Run(async () =>
        {
            for (var i = 0; i < 30; i++)
            {
                var txn = $"fight{i}";
                while ((await bob.At(i % 2 == 0 ? fixture.One : fixture.Two).SendAsync(entered.Id, $"ours {i}", txn)).Status == 503) { }
            }
        });
        await Task.WhenAll([.. taking, sending]);
        var timeline = await entered.TimelineAsync();
        Assert.All(batches, b => Assert.Single(timeline, b[0].EventId));
        Assert.Equal(30, (await fixture.TimelineAsync(entered.Id)).Count(e => e.Pdu.Sender == bob.Id && !e.Pdu.IsState));
        // Parents stand before children, and no end of the graph is cited by another event.
        var place = timeline.Select((id, i) => (id, i)).ToDictionary(p => p.id, p => p.i);
        foreach (var e in await fixture.TimelineAsync(entered.Id))
            foreach (var parent in e.Pdu.PrevEvents) if (place.TryGetValue(parent, out var at)) Assert.True(at < place[e.Pdu.EventId]);
        var cited = (await fixture.TimelineAsync(entered.Id)).SelectMany(e => e.Pdu.PrevEvents).ToHashSet();
        Assert.Equal(timeline.Where(id => !cited.Contains(id)).Order(), await entered.ExtremitiesAsync());
        await entered.StatesAreRightAsync();
    }

    private static async Task<IngestVerdict> AtAsync(RemoteRoom entered, PersisterHost host, Pdu[] pdus)
    {
        while (true)
        {
            try
            {
                return Assert.Single((await entered.IngestAsync(host, IngestMode.Live, pdus)).Pdus).Verdict;
            }
            catch (MatrixException e) when (e.Error.Status == 503)
            {
                // Busy beyond patience: nothing was written, the same events come again.
            }
        }
    }

    [Fact]
    public async Task What_one_persister_takes_in_another_goes_on_with()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await RemoteRoom.EnterAsync(fixture, "12", bob, Carol);
        var room = entered.Room;
        var fork = room.Fork();
        for (var i = 0; i < 6; i++)
        {
            var branch = i % 2 == 0 ? room : fork;
            branch.Set(Alice, EventTypes.Topic, $$"""{"topic":"{{i}}"}""");
            var host = i % 3 == 0 ? fixture.Two : fixture.One;
            Assert.Equal(IngestVerdict.Accepted, Assert.Single((await entered.IngestAsync(host, IngestMode.Live, [branch.Last])).Pdus).Verdict);
            await entered.IsAtAsync(room.Fork().Merge(fork));
        }
        await entered.StatesAreRightAsync();
        (await bob.At(fixture.Two).SendAsync(entered.Id, "and so on")).Ok();
        Assert.Single(await entered.ExtremitiesAsync());
    }
}
