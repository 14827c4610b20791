using Matrix.Replication;
using Matrix.Storage.Following;

namespace Matrix.Unit.Storage;

public class RecentRowsTests
{
    private readonly RecentRows recent = new(4);

    private void Add(long from, long to) => recent.Add(from, to, Enumerable.Range((int)from + 1, (int)(to - from)).Select(n => new StreamRow(n, "k", default)).ToArray());
    private (long To, int Rows)? After(long position) => recent.After(position) is { } page ? (page.To, page.Rows.Count) : null;

    [Fact]
    public void What_came_in_one_piece_is_there()
    {
        Add(10, 12);
        Add(12, 13);
        Assert.Equal((13, 2), After(11));
    }

    [Fact]
    public void What_was_taken_is_not_held_and_what_follows_it_is()
    {
        Add(0, 2);
        Assert.Equal((2, 2), After(0));
        Assert.Null(After(0));
        Add(2, 3);
        Assert.Equal((3, 1), After(2));
    }

    [Fact]
    public void Before_the_first_row_and_before_a_gap_the_database_is_asked()
    {
        Add(10, 12);
        Assert.Null(After(9));
        Assert.Null(After(12));
        Add(14, 15);
        Assert.Null(After(12));
        Assert.Equal((15, 1), After(14));
    }

    [Fact]
    public void What_does_not_fit_is_left_to_the_database()
    {
        Add(0, 3);
        Add(3, 5);
        Assert.Null(After(0));
        Assert.Equal((5, 2), After(3));
        Add(5, 11);
        Assert.Null(After(5));
        Add(11, 12);
        Assert.Equal((12, 1), After(11));
    }

    [Fact]
    public void A_frame_without_rows_moves_the_end()
    {
        recent.Add(0, 3, []);
        Assert.Equal((3, 0), After(0));
    }
}
