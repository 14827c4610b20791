using Matrix.Background.Duties;
using Matrix.Background.Redactions;
using Matrix.Storage.Redactions;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.ClientApi;

public sealed class RedactionJobTests(DelayedEventFixture api) : IClassFixture<DelayedEventFixture>
{
    private RedactionJobStore Store => api.Services.GetRequiredService<RedactionJobStore>();
    private static string Room(string room, string rest) => $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/{rest}";

    private async Task<RedactionJob> FinishedAsync(string id)
    {
        var duty = api.Services.GetServices<IBackgroundDuty>().OfType<RedactionJobDuty>().Single();
        while (true)
        {
            await duty.RunAsync(CancellationToken.None);
            if (await Store.FindAsync(id, CancellationToken.None) is { FinishedTsMs: not null } done) return done;
        }
    }

    [Fact]
    public async Task All_messages_of_a_user_are_emptied_in_the_rooms_named()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var rooms = new[] { await api.CreateRoomAsync(alice), await api.CreateRoomAsync(alice), await api.CreateRoomAsync(alice) };
        var said = new List<string>();
        foreach (var room in rooms)
        {
            await api.JoinAsync(bob, room);
            for (var i = 0; i < 2; i++) said.Add(await api.SayAsync(bob, room, "spam"));
        }
        var kept = await api.SayAsync(alice, rooms[0], "kept");
        var id = api.NewName("job");
        await Store.AddAsync(new RedactionJob(id, bob.Id, bob.Id, rooms[..2], "spam", 100), 0, CancellationToken.None);
        var done = await FinishedAsync(id);
        Assert.Equal((4, 0, 0), (done.Redacted, done.Failures.Count, done.RoomIds.Count));
        for (var i = 0; i < said.Count; i++)
        {
            var e = (await api.GetAsync(alice, Room(rooms[i / 2], $"event/{said[i]}"))).RequireOk().Body;
            Assert.Equal(i < 4, e.GetProperty("content").GetRawText() == "{}");
            if (i < 4) Assert.Equal("spam", e.GetProperty("unsigned").GetProperty("redacted_because").GetProperty("content").GetProperty("reason").GetString());
        }
        Assert.NotEqual("{}", (await api.GetAsync(alice, Room(rooms[0], $"event/{kept}"))).RequireOk().Body.GetProperty("content").GetRawText());
    }

    [Fact]
    public async Task What_a_room_refuses_is_told()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice);
        await api.JoinAsync(bob, room);
        var said = await api.SayAsync(bob, room, "spam");
        await api.LeaveAsync(bob, room);
        var (id, empty) = (api.NewName("job"), api.NewName("job"));
        await Store.AddAsync(new RedactionJob(id, bob.Id, bob.Id, [room], null, 100), 0, CancellationToken.None);
        await Store.AddAsync(new RedactionJob(empty, bob.Id, bob.Id, [], null, 100), 0, CancellationToken.None);
        Assert.Equal(said, Assert.Single((await FinishedAsync(id)).Failures).Key);
        Assert.Equal(0, (await FinishedAsync(empty)).Redacted);
    }
}
