using Matrix.Storage.Instances;
using Matrix.Testing.Servers;

namespace Matrix.StorageTests.Instances;

public class LeaseStoreTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Over = TimeSpan.FromSeconds(-1);

    [Fact]
    public async Task One_holder_has_it_until_it_is_released()
    {
        var leases = new LeaseStore(postgres.Database);
        Assert.True(await leases.TryTakeAsync("purge", "a", Minute, default));
        Assert.False(await leases.TryTakeAsync("purge", "b", Minute, default));
        Assert.True(await leases.TryTakeAsync("purge", "a", Minute, default));
        Assert.True(await leases.RenewAsync("purge", "a", Minute, default));
        Assert.False(await leases.RenewAsync("purge", "b", Minute, default));
        Assert.False(await leases.ReleaseAsync("purge", "b", default));
        Assert.True(await leases.ReleaseAsync("purge", "a", default));
        Assert.True(await leases.TryTakeAsync("purge", "b", Minute, default));
    }

    [Fact]
    public async Task One_that_expired_can_be_taken_and_not_renewed()
    {
        var leases = new LeaseStore(postgres.Database);
        Assert.True(await leases.TryTakeAsync("statistics", "a", Over, default));
        Assert.False(await leases.RenewAsync("statistics", "a", Minute, default));
        Assert.True(await leases.TryTakeAsync("statistics", "b", Minute, default));
        Assert.False(await leases.ReleaseAsync("statistics", "a", default));
    }

    [Fact]
    public async Task Of_many_that_try_at_once_one_gets_it()
    {
        var leases = new LeaseStore(postgres.Database);
        var taken = await Task.WhenAll(Enumerable.Range(0, 10).Select(i => leases.TryTakeAsync("race", $"holder {i}", Minute, default)));
        Assert.Single(taken, t => t);
    }
}
