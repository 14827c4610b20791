using Matrix.Primitives;

namespace Matrix.Unit.Primitives;

public class BeatTests
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(4);

    [Theory]
    [InlineData(0, 0, 4)]
    [InlineData(1, 0, 3)]
    [InlineData(2, 0, 2)]
    [InlineData(2.5, 0, 5.5)]
    [InlineData(3.999, 0, 4.001)]
    [InlineData(403, 0.25, 4)]
    [InlineData(403.5, 0.5, 2.5)]
    public void All_that_is_done_so_often_is_done_at_the_same_instants(double now, double phase, double expected) =>
        Assert.Equal(expected, Beat.Next(Period, TimeSpan.FromSeconds(now), phase).TotalSeconds, 6);
}
