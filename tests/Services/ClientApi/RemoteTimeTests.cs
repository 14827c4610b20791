using System.Text.Json;
using Matrix.ClientApi;
using Matrix.Events;
using Matrix.FederationClient.Rooms;
using Matrix.Rooms.Ingest;
using Matrix.ServiceTests.EventPersister;
using Matrix.ServiceTests.EventPersister.Ingest;
using Matrix.ServiceTests.Hosting;
using Matrix.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using RemoteUser = Matrix.Testing.TestUser;

namespace Matrix.ServiceTests.ClientApi;

/// <summary>Events by time where a part of the room's history is not here. Spec: client-server-api/#get_matrixclientv1roomsroomidtimestamp_to_event</summary>
public sealed class RemoteTimeTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>, IAsyncLifetime
{
    private static readonly RemoteUser Alice = RemoteUser.Of("@alice:remote.example"), Carol = RemoteUser.Of("@carol:third.example");
    private ServiceHost host = null!;

    public async ValueTask InitializeAsync() => host = await ServiceHost.StartAsync(
        fixture.ConnectionString, b => b.AddClientApi(), e => e.MapClientApi(), replace: services =>
        {
            services.Replace(ServiceDescriptor.Singleton<IRemoteRooms>(fixture.Remote));
            services.Replace(ServiceDescriptor.Singleton(fixture.One.Services.GetRequiredService<IPduIngest>()));
        });

    public async ValueTask DisposeAsync() => await host.DisposeAsync();

    /// <summary>A room in which others have talked before our user came; what they said is not here.</summary>
    private async Task<(RemoteRoom Entered, User Bob, List<Pdu> Said)> EnterAsync()
    {
        var room = Room.Version("11").Public().With(Alice, Carol);
        for (var i = 0; i < 5; i++) room.Say(Alice, $"{i}");
        var said = room.Events.TakeLast(5).ToList();
        fixture.Remote.Know(room);
        var bob = await fixture.NewUserAsync();
        var entered = new RemoteRoom(fixture, room);
        await entered.EnterAsync(RemoteUser.Of(bob.Id));
        return (entered, bob, said);
    }

    private Task<(int Status, JsonElement Body)> AskAsync(string user, string room, long ts, char dir) =>
        host.JsonAsync(HttpMethod.Get, $"/_matrix/client/v1/rooms/{Uri.EscapeDataString(room)}/timestamp_to_event?ts={ts}&dir={dir}", user);

    private int Questions(RemoteRoom entered) => fixture.Remote.Asked(entered.Id).Count(a => a.StartsWith("timestamp_to_event", StringComparison.Ordinal));

    [Fact]
    public async Task What_is_closer_elsewhere_is_fetched_and_found()
    {
        var (entered, bob, said) = await EnterAsync();
        var (status, found) = await AskAsync(bob.Id, entered.Id, said[2].OriginServerTs - 1, 'f');
        Assert.Equal((200, said[2].EventId, said[2].OriginServerTs), (status, found.GetProperty("event_id").GetString(), found.GetProperty("origin_server_ts").GetInt64()));
        Assert.Equal(said[1].EventId, (await AskAsync(bob.Id, entered.Id, said[1].OriginServerTs + 1, 'b')).Body.GetProperty("event_id").GetString());
        // It is part of the room now.
        var context = await host.JsonAsync(HttpMethod.Get, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(entered.Id)}/context/{Uri.EscapeDataString(said[2].EventId)}", bob.Id);
        Assert.Equal("2", context.Body.GetProperty("event").GetProperty("content").GetProperty("body").GetString());
        var asked = Questions(entered);
        Assert.Equal(said[2].EventId, (await AskAsync(bob.Id, entered.Id, said[2].OriginServerTs, 'f')).Body.GetProperty("event_id").GetString());
        Assert.Equal(asked, Questions(entered));
    }

    [Fact]
    public async Task Nobody_is_asked_where_nothing_can_be_missing()
    {
        var (entered, bob, _) = await EnterAsync();
        var room = entered.Room;
        room.Say(Alice, "live").Say(Alice, "live too");
        await entered.AcceptedAsync([.. room.Events.TakeLast(2)]);
        // What is missing came before the join.
        Assert.Equal(room.Last.EventId, (await AskAsync(bob.Id, entered.Id, room.Last.OriginServerTs - 1, 'f')).Body.GetProperty("event_id").GetString());
        Assert.Equal(room.Events[^2].EventId, (await AskAsync(bob.Id, entered.Id, room.Events[^2].OriginServerTs + 1, 'b')).Body.GetProperty("event_id").GetString());
        Assert.Equal(0, Questions(entered));
        var own = await bob.CreateRoomAsync();
        Assert.Equal(404, (await AskAsync(bob.Id, own, 99_999_999_999_999, 'f')).Status);
        Assert.Empty(fixture.Remote.Asked(own));
        // Nor for somebody who is not in the room.
        Assert.Equal(403, (await AskAsync((await fixture.NewUserAsync()).Id, entered.Id, 1, 'f')).Status);
        Assert.Equal(0, Questions(entered));
    }

    [Fact]
    public async Task What_others_name_and_do_not_give_or_what_is_hidden_is_no_answer()
    {
        var (entered, bob, said) = await EnterAsync();
        // Backwards there is nothing here: each server of the room is asked, and some only.
        fixture.Remote.Withheld.UnionWith(entered.Room.Events.Select(e => e.EventId));
        try
        {
            Assert.Equal(404, (await AskAsync(bob.Id, entered.Id, said[2].OriginServerTs, 'b')).Status);
            Assert.Equal(2, Questions(entered));
        }
        finally
        {
            fixture.Remote.Withheld.Clear();
        }
        Assert.Equal(200, (await AskAsync(bob.Id, entered.Id, said[2].OriginServerTs, 'b')).Status);
    }
}
