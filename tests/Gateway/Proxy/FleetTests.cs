using Matrix.Gateway.Fleet;
using Matrix.Gateway.Routing;
using Matrix.Replication;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Matrix.Gateway.Tests.Proxy;

public sealed class FleetTests
{
    private static ServiceInstance Instance(string name, string service, string? group = null, long started = 1) =>
        new(name, service, group ?? service, $"http://{name}", $"http://{name}:1", started);

    private static FleetState FleetOf(RouteGroups groups, params ServiceInstance[] instances)
    {
        var fleet = new FleetState(groups);
        fleet.SetInstances(instances);
        foreach (var backend in fleet.Backends) fleet.SetHealth(backend, BackendHealth.Up);
        return fleet;
    }

    private static string[] Members(FleetState fleet, RouteClass routeClass) => fleet.Current.PoolOf(routeClass).Names;

    [Fact]
    public void A_class_goes_to_its_service()
    {
        var fleet = FleetOf(RouteGroups.None, Instance("sync-1", "sync"), Instance("clientapi-1", "clientapi"), Instance("gateway-1", "gateway"));
        Assert.Equal(["sync-1"], Members(fleet, RouteClass.Sync));
        Assert.Equal(["sync-1"], Members(fleet, RouteClass.InitialSync));
        Assert.Equal(["clientapi-1"], Members(fleet, RouteClass.Login));
        Assert.Empty(Members(fleet, RouteClass.EventSend));
        Assert.DoesNotContain(fleet.Backends, b => b.Name == "gateway-1");
    }

    [Fact]
    public void A_class_with_a_group_of_its_own_goes_there_and_nobody_else_does()
    {
        var groups = new RouteGroups(new Dictionary<string, string> { ["initial_sync"] = "sync-initial", ["login"] = "logins", ["event_send"] = "eventpersister-2" });
        var fleet = FleetOf(groups, Instance("sync-1", "sync"), Instance("sync-9", "sync", "sync-initial"), Instance("clientapi-1", "clientapi"),
            Instance("clientapi-2", "clientapi", "logins"), Instance("eventpersister-1", "eventpersister"), Instance("eventpersister-2", "eventpersister"));
        Assert.Equal(["sync-9"], Members(fleet, RouteClass.InitialSync));
        Assert.Equal(["sync-1"], Members(fleet, RouteClass.Sync));
        Assert.Equal(["clientapi-2"], Members(fleet, RouteClass.Login));
        Assert.Equal(["clientapi-1"], Members(fleet, RouteClass.ClientRead));
        Assert.Equal(["eventpersister-2"], Members(fleet, RouteClass.EventSend));      // an instance may be named, too
        Assert.Equal(["eventpersister-2"], Members(fleet, RouteClass.CreateRoom));     // as the documentation has it: a writer of events makes rooms, too
    }

    [Fact]
    public void Several_names_are_one_group()
    {
        var groups = new RouteGroups(new Dictionary<string, string> { ["event_send"] = "eventpersister-1, eventpersister-3" });
        var fleet = FleetOf(groups, Instance("eventpersister-1", "eventpersister"), Instance("eventpersister-2", "eventpersister"), Instance("eventpersister-3", "eventpersister"));
        Assert.Equal(["eventpersister-1", "eventpersister-3"], Members(fleet, RouteClass.EventSend));
        fleet.ReportUnreachable(fleet.Backends.Single(b => b.Name == "eventpersister-1"));
        Assert.Equal(["eventpersister-3"], Members(fleet, RouteClass.DelayedEvents));
    }

    [Fact]
    public void A_group_without_living_members_is_stood_in_for_by_the_service()
    {
        var groups = new RouteGroups(new Dictionary<string, string> { ["login"] = "logins" });
        var fleet = FleetOf(groups, Instance("clientapi-1", "clientapi"), Instance("clientapi-2", "clientapi", "logins"));
        fleet.ReportUnreachable(fleet.Backends.Single(b => b.Name == "clientapi-2"));
        Assert.Equal(["clientapi-1"], Members(fleet, RouteClass.Login));

        var onlyLogins = FleetOf(groups, Instance("clientapi-2", "clientapi", "logins"));
        Assert.Equal(["clientapi-2"], Members(onlyLogins, RouteClass.ClientRead));
    }

    [Fact]
    public void Who_is_not_ready_takes_traffic_only_when_nobody_else_can()
    {
        var fleet = FleetOf(RouteGroups.None, Instance("sync-1", "sync"), Instance("sync-2", "sync"));
        var (one, two) = (fleet.Backends.Single(b => b.Name == "sync-1"), fleet.Backends.Single(b => b.Name == "sync-2"));
        fleet.SetHealth(one, BackendHealth.Unready);
        Assert.Equal(["sync-2"], Members(fleet, RouteClass.Sync));
        fleet.SetHealth(two, BackendHealth.Down);
        Assert.Equal(["sync-1"], Members(fleet, RouteClass.Sync));
        fleet.SetHealth(one, BackendHealth.Down);
        Assert.Empty(Members(fleet, RouteClass.Sync));
    }

    [Fact]
    public void A_restarted_instance_is_another_one()
    {
        var fleet = FleetOf(RouteGroups.None, Instance("sync-1", "sync"));
        var (added, removed) = fleet.SetInstances([Instance("sync-1", "sync", started: 2)]);
        Assert.Single(added);
        Assert.Single(removed);
        Assert.Equal(BackendHealth.Unready, added[0].Health);
        Assert.Empty(fleet.SetInstances([Instance("sync-1", "sync", started: 2)]).Added);
    }

    [Fact]
    public void Unknown_route_classes_in_the_configuration_are_all_reported()
    {
        var groups = new RouteGroups(new Dictionary<string, string> { ["sink"] = "a", ["gateway"] = "b", ["login"] = "c" });
        Assert.Equal(2, groups.Faults.Count);
        Assert.Contains("'gateway'", groups.Faults[0]);
        Assert.Contains("'sink'", groups.Faults[1]);
        Assert.Equal("c", groups.Of(RouteClass.Login));
    }

    private sealed class ScriptedProbe : IInstanceProbe
    {
        public bool Reachable { get; set; } = true;
        public bool Ready { get; set; } = true;
        public int ReadyAsked { get; private set; }
        public TaskCompletionSource Closed { get; private set; } = new();

        public Task<IWatchedConnection?> ConnectAsync(ServiceInstance instance, CancellationToken ct)
        {
            Closed = new(TaskCreationOptions.RunContinuationsAsynchronously);
            return Task.FromResult<IWatchedConnection?>(Reachable ? new Connection(Closed.Task) : null);
        }

        public Task<bool> IsReadyAsync(ServiceInstance instance, CancellationToken ct)
        {
            ReadyAsked++;
            return Task.FromResult(Ready);
        }

        private sealed record Connection(Task Closed) : IWatchedConnection
        {
            public void Dispose() { }
        }
    }

    private static async Task<(FleetWatcher, FleetState, ScriptedProbe, ManualTime, FakeDirectory)> WatchAsync()
    {
        var (fleet, probe, time, directory) = (new FleetState(RouteGroups.None), new ScriptedProbe(), new ManualTime(), new FakeDirectory());
        var watcher = new FleetWatcher(fleet, directory, probe, time, NullLogger<FleetWatcher>.Instance);
        await watcher.StartAsync(default);
        return (watcher, fleet, probe, time, directory);
    }

    private static async Task UntilAsync(FleetState fleet, Func<bool> condition)
    {
        while (true)
        {
            var snapshot = fleet.Current;
            if (condition()) return;
            await snapshot.Changed.WaitAsync(TimeSpan.FromSeconds(60));
        }
    }

    [Fact]
    public async Task A_replica_that_registers_takes_part_without_any_time_passing()
    {
        var (watcher, fleet, _, _, directory) = await WatchAsync();
        directory.Set(Instance("sync-1", "sync"));
        await UntilAsync(fleet, () => Members(fleet, RouteClass.Sync) is ["sync-1"] && fleet.Backends.All(b => b.Health == BackendHealth.Up));
        directory.Set(Instance("sync-1", "sync"), Instance("sync-2", "sync"));
        await UntilAsync(fleet, () => Members(fleet, RouteClass.Sync) is ["sync-1", "sync-2"]);
        directory.Set(Instance("sync-2", "sync"));
        await UntilAsync(fleet, () => Members(fleet, RouteClass.Sync) is ["sync-2"]);
        await watcher.StopAsync(default);
    }

    [Fact]
    public async Task An_instance_whose_connection_closes_and_that_cannot_be_reached_is_out_at_once_and_back_within_a_quarter_of_a_second()
    {
        var (watcher, fleet, probe, time, directory) = await WatchAsync();
        directory.Set(Instance("sync-1", "sync"));
        await UntilAsync(fleet, () => fleet.Backends.Any(b => b.Health == BackendHealth.Up));
        await time.WaitForTimerAsync(FleetWatcher.WhenIdle);

        var watched = probe.Closed;
        probe.Reachable = false;
        watched.SetResult();
        await UntilAsync(fleet, () => Members(fleet, RouteClass.Sync).Length == 0);

        await time.WaitForTimerAsync(FleetWatcher.Reconnect);
        probe.Reachable = true;
        time.Advance(FleetWatcher.Reconnect);
        await UntilAsync(fleet, () => Members(fleet, RouteClass.Sync) is ["sync-1"]);
        await watcher.StopAsync(default);
    }

    [Fact]
    public async Task An_instance_that_stops_being_ready_under_traffic_is_out_within_two_seconds()
    {
        var (watcher, fleet, probe, time, directory) = await WatchAsync();
        directory.Set(Instance("sync-1", "sync"));
        await UntilAsync(fleet, () => fleet.Backends.Any(b => b.Health == BackendHealth.Up));
        await time.WaitForTimerAsync(FleetWatcher.WhenIdle);

        probe.Ready = false;
        fleet.Backends.Single().MarkUsed();
        await time.WaitForTimerAsync(FleetWatcher.WhenBusy);
        time.Advance(FleetWatcher.WhenBusy);
        await UntilAsync(fleet, () => fleet.Backends.Single().Health == BackendHealth.Unready);

        await time.WaitForTimerAsync(FleetWatcher.WhenUnready);
        probe.Ready = true;
        time.Advance(FleetWatcher.WhenUnready);
        await UntilAsync(fleet, () => fleet.Backends.Single().Health == BackendHealth.Up);
        await watcher.StopAsync(default);
    }

    [Fact]
    public async Task An_idle_instance_is_asked_only_every_ten_seconds()
    {
        var (watcher, fleet, probe, time, directory) = await WatchAsync();
        directory.Set(Instance("sync-1", "sync"));
        await UntilAsync(fleet, () => fleet.Backends.Any(b => b.Health == BackendHealth.Up));
        await time.WaitForTimerAsync(FleetWatcher.WhenIdle);
        time.Advance(FleetWatcher.WhenIdle - TimeSpan.FromMilliseconds(1));
        Assert.Equal(1, probe.ReadyAsked);
        time.Advance(TimeSpan.FromMilliseconds(1));
        await time.WaitForTimerAsync(FleetWatcher.WhenIdle);
        Assert.Equal(2, probe.ReadyAsked);
        await watcher.StopAsync(default);
    }

    [Fact]
    public async Task A_killed_instance_gets_no_traffic_though_the_directory_still_lists_it()
    {
        var one = await Service.StartAsync("clientapi-1", "clientapi");
        await using var two = await Service.StartAsync("clientapi-2", "clientapi");
        await using var gateway = await TestGateway.StartAsync(services: [one, two]);
        await one.DisposeAsync();
        await gateway.UntilAsync(() => gateway.Fleet.Backends.Single(b => b.Name == "clientapi-1").Health == BackendHealth.Down);
        for (var i = 0; i < 5; i++) Assert.Equal("clientapi-2", await gateway.GetTextAsync("/_matrix/client/versions"));
    }
}
