using Matrix.Gateway.Fleet;
using Matrix.Gateway.Proxy;
using Matrix.Gateway.Routing;
using Matrix.Replication;
using Xunit;

namespace Matrix.Gateway.Tests.Proxy;

public sealed class AffinityTests
{
    private static readonly string[] Users = [.. Enumerable.Range(0, 300).Select(i => $"@user{i}:example.org")];

    private static Pool PoolOf(params string[] names) => new("sync", [.. names.Select(n => new Backend(new(n, "sync", "sync", "http://x", "http://x", 1)))]);

    [Fact]
    public void Every_policy_has_a_name_and_stands_at_its_kind()
    {
        Assert.Equal(["RoundRobin", "UserAffinity", "RoomAffinity", "OriginAffinity", "AddressAffinity"], AffinityPolicies.All.Select(p => p.Name));
        Assert.All(Enum.GetValues<AffinityKind>(), kind => Assert.Equal(kind, AffinityPolicies.Of(kind).Kind));
    }

    [Fact]
    public void An_instance_that_comes_takes_only_its_own_share_and_gives_it_back_when_it_goes()
    {
        var policy = AffinityPolicies.Of(AffinityKind.User);
        var two = PoolOf("sync-1", "sync-2");
        var three = PoolOf("sync-1", "sync-2", "sync-3");
        var moved = 0;
        foreach (var user in Users)
        {
            var before = policy.Pick(two, user, null)!.Name;
            var after = policy.Pick(three, user, null)!.Name;
            if (before == after) continue;
            Assert.Equal("sync-3", after);
            moved++;
        }
        Assert.InRange(moved, 60, 140);
    }

    [Fact]
    public void Instances_share_the_keys_about_evenly()
    {
        var counts = Users.CountBy(u => AffinityPolicies.Of(AffinityKind.User).Pick(PoolOf("sync-1", "sync-2", "sync-3"), u, null)!.Name);
        Assert.All(counts, c => Assert.InRange(c.Value, 60, 140));
    }

    [Fact]
    public void The_second_choice_is_whom_the_others_would_choose_without_the_first()
    {
        var policy = AffinityPolicies.Of(AffinityKind.Room);
        var three = PoolOf("sync-1", "sync-2", "sync-3");
        foreach (var key in Users)
        {
            var first = policy.Pick(three, key, null)!;
            var without = PoolOf([.. three.Names.Where(n => n != first.Name)]);
            Assert.Equal(policy.Pick(without, key, null)!.Name, policy.Pick(three, key, [first])!.Name);
        }
        Assert.Null(policy.Pick(three, "k", three.Members));
        Assert.Null(policy.Pick(PoolOf(), "k", null));
    }

    [Fact]
    public void Round_robin_takes_turns_and_passes_over_who_was_tried()
    {
        var pool = PoolOf("sync-1", "sync-2", "sync-3");
        var policy = AffinityPolicies.Of(AffinityKind.None);
        Assert.Equal(["sync-1", "sync-2", "sync-3", "sync-1"], Enumerable.Range(0, 4).Select(_ => policy.Pick(pool, null, null)!.Name));
        Assert.DoesNotContain("sync-2", Enumerable.Range(0, 6).Select(_ => policy.Pick(pool, null, [pool.Members[1]])!.Name));
    }

    [Fact]
    public async Task A_user_stays_with_one_sync_instance_and_a_room_with_one_persister()
    {
        await using var sync1 = await Service.StartAsync("sync-1", "sync");
        await using var sync2 = await Service.StartAsync("sync-2", "sync");
        await using var persister1 = await Service.StartAsync("eventpersister-1", "eventpersister");
        await using var persister2 = await Service.StartAsync("eventpersister-2", "eventpersister");
        await using var gateway = await TestGateway.StartAsync(services: [sync1, sync2, persister1, persister2]);

        foreach (var user in Users[..12])
        {
            var token = TestGateway.TokenOf(user);
            var first = await gateway.GetTextAsync("/_matrix/client/v3/sync?since=s1", token);
            Assert.Equal(first, await gateway.GetTextAsync("/_matrix/client/v3/sync?since=s2", token));
            Assert.Equal(first, await gateway.GetTextAsync("/_matrix/client/v3/sync?since=s2&access_token=" + token));
            Assert.Equal(first, await gateway.GetTextAsync("/_matrix/client/v3/sync", token));
        }
        foreach (var room in (string[])["!a%2Fb:x", "!c:x", "!d:x", "!e:x"])
        {
            var first = await gateway.GetTextAsync($"/_matrix/client/v3/rooms/{room}/state/m.room.name/");
            Assert.Equal(first, await gateway.GetTextAsync($"/_matrix/client/v3/rooms/{room.Replace(":", "%3A")}/state/m.room.topic/"));
        }
        Assert.NotEmpty(sync1.Requests);
        Assert.NotEmpty(sync2.Requests);
    }

    [Fact]
    public async Task Without_room_affinity_persisters_share_every_room_and_users_stay_where_they_are()
    {
        await using var sync1 = await Service.StartAsync("sync-1", "sync");
        await using var sync2 = await Service.StartAsync("sync-2", "sync");
        await using var persister1 = await Service.StartAsync("eventpersister-1", "eventpersister");
        await using var persister2 = await Service.StartAsync("eventpersister-2", "eventpersister");
        await using var gateway = await TestGateway.StartAsync("armada: { room_affinity: false }", services: [sync1, sync2, persister1, persister2]);
        for (var i = 0; i < 10; i++) await gateway.GetTextAsync("/_matrix/client/v3/rooms/!a:x/state/m.room.name/");
        Assert.Equal((5, 5), (persister1.Requests.Count, persister2.Requests.Count));
        for (var i = 0; i < 10; i++) await gateway.GetTextAsync("/_matrix/client/v3/sync?since=s1", TestGateway.TokenOf(Users[0]));
        Assert.Equal(0, Math.Min(sync1.Requests.Count, sync2.Requests.Count));
    }
}
