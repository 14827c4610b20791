using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Web.Following;

namespace Matrix.ServiceTests.Following;

public class ShardTests
{
    private sealed class Directory(params string[] names) : IInstanceDirectory
    {
        private string[] names = names;
        public IReadOnlyList<ServiceInstance> All => [.. names.Select(n => new ServiceInstance(n, "push", "push", "", "", 0))];
        public IReadOnlyList<ServiceInstance> Of(string groupOrService) => groupOrService == "push" ? All : [];
        public long Version { get; private set; } = 1;
        public Task WaitForChangeAsync(long version, CancellationToken ct) => Task.CompletedTask;
        public void Change(params string[] now) => (names, Version) = (now, Version + 1);
    }

    private static Shard Of(string instance, IInstanceDirectory directory) => new("push", new InstanceIdentity("push", instance, "push"), directory);
    private static readonly string[] Keys = [.. Enumerable.Range(0, 500).Select(i => $"@user{i}:test.example")];

    [Fact]
    public void Every_key_belongs_to_exactly_one_instance()
    {
        var directory = new Directory("push-1", "push-2", "push-3");
        Shard[] shards = [Of("push-1", directory), Of("push-2", directory), Of("push-3", directory)];
        foreach (var key in Keys) Assert.Single(shards, s => s.Owns(key));
        foreach (var shard in shards) Assert.InRange(Keys.Count(shard.Owns), 100, 250);
    }

    [Fact]
    public void A_new_instance_takes_only_its_share_and_the_version_says_that_something_changed()
    {
        var directory = new Directory("push-1", "push-2");
        var shard = Of("push-1", directory);
        var before = Keys.Where(shard.Owns).ToHashSet();
        var version = shard.Version;
        directory.Change("push-1", "push-2", "push-3");
        Assert.NotEqual(version, shard.Version);
        var after = Keys.Where(shard.Owns).ToHashSet();
        Assert.Subset(before, after);
        Assert.InRange(before.Count - after.Count, 1, before.Count - 1);
    }

    [Fact]
    public void Who_is_not_in_the_list_owns_nothing() => Assert.DoesNotContain(Keys, Of("push-9", new Directory("push-1")).Owns);

    [Fact]
    public void A_process_that_hosts_everything_owns_everything()
    {
        var shard = new Shard("push", new InstanceIdentity("monolith", "monolith-1", "monolith"), new Directory());
        Assert.All(Keys, k => Assert.True(shard.Owns(k)));
    }
}
