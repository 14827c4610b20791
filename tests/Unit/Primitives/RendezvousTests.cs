using Matrix.Primitives;

namespace Matrix.Unit.Primitives;

public class RendezvousTests
{
    private static readonly string[] Names = ["sync-1", "sync-2", "sync-3", "sync-4"];

    [Theory]
    [InlineData("@alice:example.org", 3)]
    [InlineData("@bob:example.org", 1)]
    [InlineData("!room:example.org", 0)]
    [InlineData("", 2)]
    [InlineData("\U0001F408", 1)]
    public void The_choice_is_the_same_in_every_process_and_release(string key, int expected) => Assert.Equal(expected, Rendezvous.Pick(key, Names));

    [Fact]
    public void Nobody_is_chosen_from_nobody()
    {
        Assert.Equal(-1, Rendezvous.Pick("key", []));
        Assert.Empty(Rendezvous.Rank("key", []));
    }

    [Fact]
    public void A_ranking_holds_everybody_once_and_begins_with_the_choice()
    {
        for (var i = 0; i < 1000; i++)
        {
            var ranking = Rendezvous.Rank($"key {i}", Names);
            Assert.Equal(Rendezvous.Pick($"key {i}", Names), ranking[0]);
            Assert.Equal([0, 1, 2, 3], ranking.Order());
        }
    }

    [Fact]
    public void The_order_of_names_does_not_matter()
    {
        var reversed = Names.Reverse().ToArray();
        for (var i = 0; i < 1000; i++)
            Assert.Equal(Names[Rendezvous.Pick($"key {i}", Names)], reversed[Rendezvous.Pick($"key {i}", reversed)]);
    }

    [Fact]
    public void Keys_spread_evenly()
    {
        var counts = new int[Names.Length];
        for (var i = 0; i < 40_000; i++) counts[Rendezvous.Pick($"@user{i}:example.org", Names)]++;
        Assert.All(counts, c => Assert.InRange(c, 9_600, 10_400));
    }

    [Fact]
    public void A_name_that_goes_moves_only_its_own_keys_and_each_to_its_next_in_rank()
    {
        string[] left = ["sync-1", "sync-2", "sync-4"];
        for (var i = 0; i < 5_000; i++)
        {
            var ranking = Rendezvous.Rank($"!{i}:example.org", Names);
            var expected = Names[ranking[0]] == "sync-3" ? Names[ranking[1]] : Names[ranking[0]];
            Assert.Equal(expected, left[Rendezvous.Pick($"!{i}:example.org", left)]);
        }
    }

    [Fact]
    public void Nothing_is_allocated()
    {
        Span<int> order = stackalloc int[4];
        Rendezvous.Pick("warm", Names);
        Rendezvous.Rank("warm", Names, order);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            Rendezvous.Pick("@alice:example.org", Names);
            Rendezvous.Rank("@alice:example.org", Names, order);
        }
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
