using System.Text.Json;
using Matrix.Events;
using Matrix.Testing;
using Matrix.Testing.Replication;

namespace Matrix.Unit.Sync;

/// <summary>
/// Random histories, two instances behind buses that lose, repeat, reorder and delay, tokens that go from one to the other: what clients are told one by
/// one is what the database holds, and what an initial sync tells.
/// </summary>
public class SyncLossyBusProperties
{
    private static readonly TestUser[] Users = [.. Enumerable.Range(0, 3).Select(i => TestServer.Named("one.example").User($"u{i}"))];
    private static readonly BusFaults Faults = new(Drop: 0.15, Repeat: 0.15, Reorder: 0.3, Delay: 0.2);

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 25)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Clients_are_told_everything_once(int seed)
    {
        var random = new Random(seed);
        await using var one = await new SyncHost(seed, Faults).StartAsync();
        await using var two = await new SyncHost(seed + 1000, Faults, cacheBudget: 30_000, beside: one).StartAsync();
        SyncHost[] hosts = [one, two];
        var rooms = Users.Select(u => Room.Version("11").Public().With(u)).ToList();
        foreach (var room in rooms) await PublishAsync(hosts, one.Store.Commit(room));
        var clients = Users.SelectMany(u => new[] { new ModelClient(u, "A", 3), new ModelClient(u, "B", 50) }).ToList();

        for (var step = 0; step < 60; step++)
        {
            var (user, room) = (Users[random.Next(Users.Length)], rooms[random.Next(rooms.Count)]);
            Act(random, room, user, step);
            await PublishAsync(hosts, one.Store.Commit(room));
            if (random.Next(6) == 0) await PublishAsync(hosts, [one.Store.SetAccountData(user, "", $"x{random.Next(2)}", $$"""{"n":{{step}}}""")]);
            if (random.Next(4) == 0)
            {
                var to = clients[random.Next(clients.Count)];
                to.Sent.Add($"x.{step}");
                await PublishAsync(hosts, [one.Store.SendToDevice(to.User, to.Device, $"x.{step}")]);
            }
            if (random.Next(10) == 0) two.Keeper.Sweep();
            if (random.Next(2) == 0) await clients[random.Next(clients.Count)].StepAsync(hosts[random.Next(2)]);
        }
        foreach (var client in clients)
        {
            var host = hosts[random.Next(2)];
            await host.SettleAsync();
            await client.StepAsync(host);
            await client.StepAsync(host);
            client.Check(one.Store, rooms);
            var whole = new ModelClient(client.User, "C", 4);
            await whole.StepAsync(host);
            whole.Check(one.Store, rooms);
            Assert.Equal(client.Sent, client.Received);
            Assert.Equal(whole.AccountData.OrderBy(d => d.Key, StringComparer.Ordinal), client.AccountData.OrderBy(d => d.Key, StringComparer.Ordinal));
        }
    }

    private static void Act(Random random, Room room, TestUser user, int step)
    {
        var isIn = room.MembershipOf(user) == Memberships.Join;
        switch (random.Next(8))
        {
            case 0 when !isIn:
                room.Join(user);
                break;
            case 0 or 1 when isIn && user != room.Creator:
                room.Leave(user);
                break;
            case 2:
                room.Set(room.Creator, "m.room.topic", $$"""{"topic":"{{step}}"}""");
                break;
            case 3 when random.Next(2) == 0:
                room.Redact(room.Creator, room.Events[random.Next(room.Events.Count)] is { Type: EventTypes.Message or EventTypes.Topic } target ? target.EventId : room.Last.EventId);
                break;
            case 3:
                room.Set(room.Creator, "x.state", $$"""{"n":{{step}}}""", $"k{random.Next(3)}");
                break;
            default:
                room.Say(isIn ? user : room.Creator, $"{step}");
                break;
        }
    }

    private static async Task PublishAsync(SyncHost[] hosts, List<Matrix.Replication.StreamFrame> frames)
    {
        foreach (var host in hosts) await host.PublishAsync(frames);
    }

    private sealed class ModelClient(TestUser user, string device, int limit)
    {
        private readonly Dictionary<string, (Dictionary<StateKey, string> State, List<string> Timeline)> rooms = [];
        private string? since;

        public TestUser User { get; } = user;
        public string Device => device;
        /// <summary>Types of messages to this device.</summary>
        public List<string> Sent { get; } = [];
        public List<string> Received { get; } = [];
        public Dictionary<string, string> AccountData { get; } = [];

        public async Task StepAsync(SyncHost host)
        {
            JsonElement answer;
            while (true)
            {
                try
                {
                    answer = await host.SyncAsync(User, since, "{\"room\":{\"timeline\":{\"limit\":" + limit + "}}}", device);
                    break;
                }
                catch (Matrix.Primitives.MatrixException e) when (e.Error.Status == 503)
                {
                    // The instance is behind: clients try again.
                }
            }
            since = answer.GetProperty("next_batch").GetString();
            if (answer.TryGetProperty("account_data", out var data))
                foreach (var d in data.GetProperty("events").EnumerateArray()) AccountData[d.GetProperty("type").GetString()!] = d.GetProperty("content").GetRawText();
            if (answer.TryGetProperty("to_device", out var messages))
                Received.AddRange(messages.GetProperty("events").EnumerateArray().Select(m => m.GetProperty("type").GetString()!));
            if (!answer.TryGetProperty("rooms", out var sections)) return;
            if (sections.TryGetProperty("join", out var join)) foreach (var part in join.EnumerateObject()) Apply(part.Name, part.Value);
            if (sections.TryGetProperty("leave", out var leave)) foreach (var part in leave.EnumerateObject()) rooms.Remove(part.Name);
        }

        private void Apply(string id, JsonElement part)
        {
            if (!rooms.TryGetValue(id, out var room)) rooms[id] = room = ([], []);
            if (part.GetProperty("timeline").GetProperty("limited").GetBoolean()) room.Timeline.Clear();
            foreach (var e in part.GetProperty("state").GetProperty("events").EnumerateArray()) Put(room.State, e);
            foreach (var e in part.GetProperty("timeline").GetProperty("events").EnumerateArray())
            {
                var eventId = e.GetProperty("event_id").GetString()!;
                Assert.DoesNotContain(eventId, room.Timeline);
                room.Timeline.Add(eventId);
                if (e.TryGetProperty("state_key", out _)) Put(room.State, e);
            }
        }

        private static void Put(Dictionary<StateKey, string> state, JsonElement e) =>
            state[new StateKey(e.GetProperty("type").GetString()!, e.GetProperty("state_key").GetString()!)] = e.GetProperty("event_id").GetString()!;

        public void Check(MemorySyncStore store, List<Room> all)
        {
            var joined = all.Where(r => r.MembershipOf(User) == Memberships.Join).Select(r => r.RoomId).ToList();
            Assert.Equal(joined.Order(StringComparer.Ordinal), rooms.Keys.Order(StringComparer.Ordinal));
            foreach (var id in joined)
            {
                Assert.Equal(store.StateOf(id).OrderBy(s => s.Key.ToString(), StringComparer.Ordinal), rooms[id].State.OrderBy(s => s.Key.ToString(), StringComparer.Ordinal));
                Assert.Equal(store.TimelineOf(id).TakeLast(rooms[id].Timeline.Count), rooms[id].Timeline);
            }
        }
    }
}
