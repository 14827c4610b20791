using Matrix.Replication.Buses;
using Matrix.Testing.Servers;
using Microsoft.Extensions.Logging.Abstractions;

namespace Matrix.StorageTests.Bus;

/// <summary>Token buckets in Redis, shared by two instances.</summary>
public sealed class RateBucketTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private RedisBus NewBus(string prefix) => new(new RedisBusOptions(redis.ConnectionString, prefix), TimeProvider.System, NullLogger<RedisBus>.Instance);

    private static async Task ConnectedAsync(RedisBus bus)
    {
        while (!bus.IsConnected) await Task.Yield();
    }

    [Fact]
    public async Task What_one_instance_takes_is_gone_for_the_other()
    {
        var prefix = Guid.NewGuid().ToString("N");
        await using RedisBus one = NewBus(prefix), two = NewBus(prefix);
        await ConnectedAsync(one);
        await ConnectedAsync(two);
        // So slow that nothing comes back while the test runs.
        Assert.Equal(3, (await one.TakeAsync("k", 0.001, 5, 3, default))!.Value.Taken);
        Assert.Equal((0, 0L), ((await two.TakeAsync("k", 0.001, 5, 0, default))!.Value.Taken, (await two.TakeAsync("k", 0.001, 5, 0, default))!.Value.RetryAfterMs));
        Assert.Equal(2, (await two.TakeAsync("k", 0.001, 5, 3, default))!.Value.Taken);
        var empty = (await one.TakeAsync("k", 0.001, 5, 3, default))!.Value;
        Assert.Equal(0, empty.Taken);
        Assert.InRange(empty.RetryAfterMs, 900_000, 1_000_000);
        Assert.Equal(1, (await one.TakeAsync("another", 0.001, 5, 1, default))!.Value.Taken);
    }

    [Fact]
    public async Task Of_many_who_take_at_once_no_more_than_the_bucket_holds_get_something()
    {
        var prefix = Guid.NewGuid().ToString("N");
        await using RedisBus one = NewBus(prefix), two = NewBus(prefix);
        await ConnectedAsync(one);
        await ConnectedAsync(two);
        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => (i % 2 == 0 ? one : two).TakeAsync("k", 0.001, 10, 1, default).AsTask()));
        Assert.Equal(10, answers.Sum(a => a!.Value.Taken));
    }
}
