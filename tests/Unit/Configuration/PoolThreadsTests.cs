using Matrix.ServiceDefaults.Hosting;

namespace Matrix.Unit.Configuration;

public class PoolThreadsTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(7, 1)]
    [InlineData(8, 2)]
    [InlineData(64, 16)]
    public void A_larger_machine_begins_with_more_threads(int cores, int threads) => Assert.Equal(threads, PoolThreads.For(cores));
}
