using System.Text.Json;
using Matrix.Events;
using Matrix.ServiceTests.Hosting;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;
using Matrix.Storage;

namespace Matrix.ServiceTests.Sync;

/// <summary>
/// Clients walk from instance to instance with their tokens while rooms change and the bus loses frames. In the end each knows what the database
/// knows: nothing missing, nothing twice.
/// </summary>
public sealed class AnyInstanceTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private Database Database => fixture.Postgres.Database;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task A_client_that_changes_instances_ends_with_the_truth(int seed)
    {
        var random = new Random(seed);
        var users = Enumerable.Range(0, 3).Select(_ => fixture.NewUser($"walk{seed}x")).ToList();
        var rooms = new List<string>();
        for (var i = 0; i < 3; i++) rooms.Add(await users[i].CreateRoomAsync(new { preset = "public_chat", power_level_content_override = new { state_default = 0 } }));
        fixture.Bus.Loss = 0.2;
        await using var third = await fixture.StartAsync($"third{seed}");
        ServiceHost[] hosts = [fixture.One, fixture.Two, third];
        var clients = users.SelectMany(u => new[] { new Client(u, 2), new Client(u.On("OTHER"), 30) }).ToList();

        for (var step = 0; step < 100; step++)
        {
            var (user, room) = (users[random.Next(users.Count)], rooms[random.Next(rooms.Count)]);
            await TryAsync(random.Next(10) switch
            {
                0 => () => user.JoinAsync(room),
                1 when random.Next(2) == 0 => () => user.LeaveAsync(room),
                2 => () => user.SetAsync(room, "m.room.topic", new { topic = $"{step}" }),
                3 => () => user.SetAsync(room, "x.state", new { n = step }, $"k{random.Next(4)}"),
                4 => () => user.SetRoomDataAsync(room, "x.data", new { n = step }),
                5 => () => user.SetAccountDataAsync($"x.{random.Next(3)}", new { n = step }),
                _ => () => user.SayAsync(room, $"{step}"),
            });
            var client = clients[random.Next(clients.Count)];
            if (random.Next(2) == 0) await client.StepAsync(hosts[random.Next(hosts.Length)]);
        }

        fixture.Bus.Loss = 0;
        foreach (var client in clients)
        {
            var host = hosts[random.Next(hosts.Length)];
            var whole = new Client(client.User, 5);
            await whole.StepAsync(host);        // now the host has all that is committed
            await client.StepAsync(host);
            Assert.True((await client.User.SyncAsync(client.Since, at: host)).IsEmpty);
            await CheckAsync(client);
            await CheckAsync(whole);
            Assert.Equal(whole.AccountData.OrderBy(d => d.Key, StringComparer.Ordinal), client.AccountData.OrderBy(d => d.Key, StringComparer.Ordinal));
        }
    }

    private static async Task TryAsync(Func<Task> act)
    {
        try
        {
            await act();
        }
        catch (Xunit.Sdk.XunitException)
        {
            // He was not in the room.
        }
    }

    private async Task CheckAsync(Client client)
    {
        var reader = new RoomReader(Database);
        var joined = (await reader.MembershipsOfUserAsync(client.User.Id, default)).Where(m => m.Membership == "join").ToList();
        Assert.Equal(joined.Select(m => m.RoomId).Order(StringComparer.Ordinal), client.Rooms.Keys.Order(StringComparer.Ordinal));
        foreach (var member in joined)
        {
            var known = client.Rooms[member.RoomId];
            var state = (await reader.CurrentStateAsync(member.RoomNid, default)).ToDictionary(e => $"{e.Pdu.Type}|{e.Pdu.StateKey}", e => e.Pdu.EventId);
            Assert.Equal(state.OrderBy(s => s.Key, StringComparer.Ordinal), known.State.OrderBy(s => s.Key, StringComparer.Ordinal));
            var timeline = await new EventReader(Database).TimelineAsync(member.RoomNid, 0, long.MaxValue, backwards: true, known.Timeline.Count, default);
            timeline.Reverse();
            Assert.Equal(timeline.Select(e => e.Pdu.EventId), known.Timeline);
        }
    }

    /// <summary>What a client makes of its answers, by the specification.</summary>
    private sealed class Client(SyncUser user, int limit)
    {
        public SyncUser User { get; } = user;
        public string? Since { get; private set; }
        public Dictionary<string, Known> Rooms { get; } = [];
        public Dictionary<string, string> AccountData { get; } = [];

        internal sealed class Known
        {
            public Dictionary<string, string> State { get; } = [];
            /// <summary>Without gaps.</summary>
            public List<string> Timeline { get; } = [];
        }

        public async Task StepAsync(ServiceHost host)
        {
            var answer = await User.SyncAsync(Since, new { room = new { timeline = new { limit } } }, host);
            Since = answer.Next;
            foreach (var data in answer.AccountData) AccountData[data.Text("type")] = data.GetProperty("content").GetRawText();
            foreach (var id in answer.JoinedRooms) Apply(id, answer.Joined(id)!);
            if (answer.Json.At("rooms", "leave") is not { } left) return;
            foreach (var room in left.EnumerateObject())
            {
                Rooms.Remove(room.Name);
                AccountData.Remove($"{room.Name}|x.data");
            }
        }

        private void Apply(string id, RoomAnswer part)
        {
            if (!Rooms.TryGetValue(id, out var room)) Rooms[id] = room = new Known();
            if (part.Limited) room.Timeline.Clear();
            foreach (var e in part.State) Put(room, e);
            foreach (var e in part.Timeline)
            {
                Assert.DoesNotContain(e.Text("event_id"), room.Timeline);
                room.Timeline.Add(e.Text("event_id"));
                if (e.TryGetProperty("state_key", out _)) Put(room, e);
            }
            if (part.Data("x.data") is { } data) AccountData[$"{id}|x.data"] = data.GetRawText();
        }

        private static void Put(Known room, JsonElement e) => room.State[RoomAnswer.Key(e)] = e.Text("event_id");
    }
}
