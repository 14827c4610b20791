using Matrix.AppServices;
using Matrix.FederationSender;
using Matrix.FederationSender.Following;
using Matrix.Replication;
using Matrix.ServiceTests.Hosting;
using Matrix.Storage.Following;
using Matrix.Testing;
using Matrix.Testing.Servers;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.AppServices;

/// <summary>Services that follow the streams with saved positions.</summary>
public sealed class FollowingTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    private static readonly TestUser Alice = TestServer.Named(ServiceHost.ServerName).User("alice");

    private async Task<long> SavedAsync(string reader) =>
        (await new SavedPositions(postgres.Database).LoadAsync(reader, CancellationToken.None)).GetValueOrDefault(Streams.Events, -1);

    [Fact]
    public async Task An_application_service_has_a_position_of_its_own()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file,
            "{id: bridge, url: null, as_token: a, hs_token: h, sender_localpart: bot, namespaces: {users: [{exclusive: true, regex: '@alice.*'}]}}");
        try
        {
            await using var host = await ServiceHost.StartAsync(
                postgres.ConnectionString, b => b.AddAppServices(), e => e.MapAppServices(), c => c with { AppServiceConfigFiles = [file] });
            await Room.Version("11").With(Alice).SaveAsync(postgres.Database);
            var position = (await host.AnnounceAsync())[Streams.Events];
            await host.Services.GetRequiredKeyedService<DutyFollower>("appservice:bridge").WaitForAsync(Streams.Events, position, TestContext.Current.CancellationToken);
            Assert.Equal(position, await SavedAsync("appservices:bridge"));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task The_federation_sender_goes_on_where_it_was()
    {
        long position;
        await using (var host = await StartSenderAsync("one"))
        {
            await Room.Version("11").With(Alice).SaveAsync(postgres.Database);
            position = (await host.AnnounceAsync())[Streams.Events];
            await WaitAsync(host, position);
        }
        Assert.Equal(position, await SavedAsync("federationsender"));
        await Room.Version("11").With(Alice).SaveAsync(postgres.Database);
        await using var other = await StartSenderAsync("two");
        await WaitAsync(other, (await other.AnnounceAsync())[Streams.Events]);
        Assert.True(await SavedAsync("federationsender") > position);
    }

    [Fact]
    public async Task Two_instances_do_not_do_the_same_work()
    {
        await using var one = await StartSenderAsync("three");
        await WaitAsync(one, (await one.AnnounceAsync())[Streams.Events]);
        await using var two = await StartSenderAsync("four");
        await Room.Version("11").With(Alice).SaveAsync(postgres.Database);
        var position = (await two.AnnounceAsync())[Streams.Events];
        await one.AnnounceAsync();
        await WaitAsync(one, position);
        Assert.Null(two.Services.GetRequiredKeyedService<DutyFollower>(typeof(DestinationDuty)).Position(Streams.Events));
    }

    private Task<ServiceHost> StartSenderAsync(string instance) =>
        ServiceHost.StartAsync(postgres.ConnectionString, b => b.AddFederationSender(), e => e.MapFederationSender(), instance: instance);

    private static Task WaitAsync(ServiceHost host, long position) =>
        host.Services.GetRequiredKeyedService<DutyFollower>(typeof(DestinationDuty)).WaitForAsync(Streams.Events, position, TestContext.Current.CancellationToken);
}
