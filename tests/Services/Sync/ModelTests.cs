using System.Text.Json;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.ServiceDefaults;
using Matrix.ServiceTests.Hosting;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;
using Matrix.Sync.Engine;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.Sync;

/// <summary>
/// Clients of both kinds walk through instances that are evicted and restarted, over a bus that loses frames, while rooms change. What each was told is
/// compared with the database: nothing missing, nothing twice, nothing that he may not see.
/// </summary>
public sealed class ModelTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private const int Steps = 140;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public async Task What_clients_were_told_is_the_truth(int seed)
    {
        var random = new Random(seed);
        await using var fleet = new Fleet(fixture, seed);
        await fleet.StartAsync();
        var users = Enumerable.Range(0, 4).Select(_ => fixture.NewUser($"model{seed}x")).ToList();
        var rooms = new List<string>();
        foreach (var visibility in new[] { "shared", "joined", "invited", "world_readable" })
            rooms.Add(await users[rooms.Count].CreateRoomAsync(new
            {
                preset = "public_chat", power_level_content_override = new { state_default = 0, kick = 0, invite = 0 },
                initial_state = new[] { new { type = "m.room.history_visibility", state_key = "", content = new { history_visibility = visibility } } },
            }));
        var clients = new List<ModelClient>();
        foreach (var user in users)
        {
            clients.Add(new ClassicModel(user.On("CLASSIC"), random));
            clients.Add(new SlidingModel(user.On("SLIDING"), random, isLazy: false));
            clients.Add(new SlidingModel(user.On("LAZY"), random, isLazy: true));
        }
        fixture.Bus.Loss = 0.2;
        for (var step = 0; step < Steps; step++)
        {
            await ChangeAsync(random, users, rooms[random.Next(rooms.Count)], step);
            for (var i = random.Next(3); i > 0; i--) await clients[random.Next(clients.Count)].StepAsync(fleet.Any(random));
            if (random.Next(12) == 0) fleet.Evict(random);
            if (random.Next(40) == 0) await fleet.RestartAsync();
        }
        fixture.Bus.Loss = 0;
        foreach (var client in clients)
        {
            await client.FinishAsync(fleet, random);
            await CheckAsync(client);
        }
    }

    private static async Task ChangeAsync(Random random, List<SyncUser> users, string room, int step)
    {
        var (user, other) = (users[random.Next(users.Count)], users[random.Next(users.Count)]);
        Func<Task> change = random.Next(14) switch
        {
            0 or 1 => () => user.JoinAsync(room),
            2 => () => user.LeaveAsync(room),
            3 => () => user.KickAsync(room, other),
            4 => () => user.InviteAsync(room, other),
            5 => () => user.SetAsync(room, "m.room.topic", new { topic = $"{step}" }),
            6 => () => user.SetAsync(room, "x.state", new { n = step }, $"k{random.Next(4)}"),
            7 => () => user.SetAsync(room, "m.room.name", new { name = $"{step}" }),
            8 => () => user.SetRoomDataAsync(room, $"x.{random.Next(2)}", new { n = step }),
            9 => () => user.SetAccountDataAsync($"x.{random.Next(3)}", new { n = step }),
            _ => () => user.SayAsync(room, $"{step}"),
        };
        try
        {
            await change();
        }
        catch (Xunit.Sdk.XunitException)
        {
            // He was not allowed to.
        }
    }

    private async Task CheckAsync(ModelClient client)
    {
        var reader = new RoomReader(fixture.Postgres.Database);
        var joined = (await reader.MembershipsOfUserAsync(client.User.Id, default)).Where(m => m.Membership == "join").ToList();
        var rooms = client.Rooms.Where(r => r.Value.IsJoined).Select(r => r.Key).Order(StringComparer.Ordinal).ToList();
        Assert.True(joined.Select(m => m.RoomId).Order(StringComparer.Ordinal).SequenceEqual(rooms), $"{client}: believes to be in {string.Join(' ', rooms)}");
        foreach (var member in joined)
        {
            var known = client.Rooms[member.RoomId];
            // Whoever loads members lazily has those of the timeline; others may have changed in a gap.
            bool IsKept(string key) => !client.IsLazy || !key.StartsWith("m.room.member|", StringComparison.Ordinal) || known.Senders.Contains(key["m.room.member|".Length..]);
            var state = (await reader.CurrentStateAsync(member.RoomNid, default)).Where(e => IsKept(RoomState.Key(e))).ToDictionary(RoomState.Key, e => e.Pdu.EventId);
            var wrong = state.Where(s => known.State.GetValueOrDefault(s.Key) != s.Value).Select(s => s.Key)
                .Concat(known.State.Keys.Where(key => IsKept(key) && !state.ContainsKey(key))).ToList();
            Assert.True(wrong.Count == 0, $"{client}: state is wrong at {string.Join(' ', wrong)}");
            var visible = await VisibleAsync(client.User, member.RoomNid);
            var hidden = known.Timeline.Where(e => !visible.Contains(e) && known.Messages.Contains(e)).ToList();
            Assert.True(hidden.Count == 0, $"{client}: told what he may not see: {string.Join(' ', hidden)}");
            // Standing state is told of hidden times too: what counts is that the end of what he may see is there, in order.
            var told = known.Timeline.Where(visible.Contains).ToList();
            Assert.True(visible.TakeLast(told.Count).SequenceEqual(told), $"{client}: the timeline is {string.Join(' ', told)} where it should be {string.Join(' ', visible.TakeLast(told.Count))}");
        }
        foreach (var told in client.EverTold.GroupBy(t => t.RoomId))
        {
            var visible = (await VisibleAsync(client.User, (await reader.FindAsync(told.Key, default))!.RoomNid)).ToHashSet();
            var hidden = told.Where(t => !visible.Contains(t.EventId)).Select(t => t.EventId).ToList();
            Assert.True(hidden.Count == 0, $"{client}: was told what he may not see: {string.Join(' ', hidden)}");
        }
    }

    private async Task<List<string>> VisibleAsync(SyncUser user, long roomNid)
    {
        var database = fixture.Postgres.Database;
        var events = await new EventReader(database).TimelineAsync(roomNid, 0, long.MaxValue, backwards: false, 10_000, default);
        var visibility = fixture.One.Services.GetRequiredService<EventVisibility>();
        return [.. (await visibility.FilterAsync(new UserId(user.Id), events, default)).Select(e => e.Pdu.EventId)];
    }

    /// <summary>Instances: two that stay, one of which forgets, and one that is replaced.</summary>
    private sealed class Fleet(SyncFixture fixture, int seed) : IAsyncDisposable
    {
        private ServiceHost third = null!;
        private int restarts;

        public async Task StartAsync() => third = await fixture.StartAsync($"model{seed}-{restarts++}");

        public ServiceHost Any(Random random) => random.Next(3) switch { 0 => fixture.One, 1 => fixture.Two, _ => third };

        public void Evict(Random random)
        {
            var keeper = Any(random).Services.GetRequiredService<CacheKeeper>();
            keeper.Evict(0);
        }

        public async Task RestartAsync()
        {
            await third.DisposeAsync();
            await StartAsync();
        }

        public ValueTask DisposeAsync() => third.DisposeAsync();
    }
}

internal static class RoomState
{
    public static string Key(StoredEvent e) => $"{e.Pdu.Type}|{e.Pdu.StateKey}";
}

/// <summary>What a client makes of its answers, by the specification.</summary>
internal abstract class ModelClient(SyncUser user, Random random)
{
    public SyncUser User { get; } = user;
    protected Random Random { get; } = random;
    public virtual bool IsLazy => false;
    public Dictionary<string, Known> Rooms { get; } = [];
    /// <summary>Messages of all answers.</summary>
    public HashSet<(string RoomId, string EventId)> EverTold { get; } = [];

    internal sealed class Known
    {
        public bool IsJoined { get; set; } = true;
        public Dictionary<string, string> State { get; } = [];
        /// <summary>Without gaps.</summary>
        public List<string> Timeline { get; } = [];
        public HashSet<string> Messages { get; } = [];
        public HashSet<string> Senders { get; } = [];
    }

    public abstract Task StepAsync(ServiceHost host);

    /// <summary>Until there is nothing more to be told.</summary>
    public abstract Task FinishAsync(object fleet, Random random);

    /// <param name="mayRepeat">The answer says that it begins before what the client has.</param>
    protected void Apply(string roomId, Known room, IEnumerable<JsonElement> state, IEnumerable<JsonElement> timeline, bool mayRepeat, bool stateInTimeline)
    {
        foreach (var e in state) room.State[RoomAnswer.Key(e)] = e.Text("event_id");
        foreach (var e in timeline)
        {
            var id = e.Text("event_id");
            if (room.Timeline.Contains(id))
            {
                Assert.True(mayRepeat, $"{this}: told twice: {e}");
                continue;
            }
            room.Timeline.Add(id);
            room.Senders.Add(e.Text("sender"));
            if (!e.TryGetProperty("state_key", out _))
            {
                room.Messages.Add(id);
                EverTold.Add((roomId, id));
            }
            else if (stateInTimeline) room.State[RoomAnswer.Key(e)] = id;
        }
    }

    public override string ToString() => $"{GetType().Name} of {User.Id} on {User.Device}";
}

internal sealed class ClassicModel(SyncUser user, Random random) : ModelClient(user, random)
{
    private readonly int limit = random.Next(1, 8);
    private string? since;

    public override async Task StepAsync(ServiceHost host)
    {
        var answer = await User.SyncAsync(since, new { room = new { timeline = new { limit } } }, host);
        // Now and then an answer is lost on the way.
        if (Random.Next(6) == 0) return;
        since = answer.Next;
        foreach (var id in answer.JoinedRooms)
        {
            var part = answer.Joined(id)!;
            if (!Rooms.TryGetValue(id, out var room)) Rooms[id] = room = new Known();
            if (part.Limited)
            {
                room.Timeline.Clear();
                room.Messages.Clear();
            }
            Apply(id, room, part.State, part.Timeline, mayRepeat: false, stateInTimeline: true);
        }
        // Who was removed and invited again is invited.
        if (answer.Json.At("rooms", "invite") is { } invited) foreach (var room in invited.EnumerateObject()) Rooms.Remove(room.Name);
        if (answer.Json.At("rooms", "leave") is not { } left) return;
        foreach (var room in left.EnumerateObject())
        {
            if (room.Value.At("timeline", "events") is { } events) Apply(room.Name, new Known(), [], events.EnumerateArray(), false, true);
            Rooms.Remove(room.Name);
        }
    }

    public override async Task FinishAsync(object fleet, Random random)
    {
        await User.SyncAsync(null, at: User.Fixture.Two);       // now the host has all that is committed
        for (var i = 0; i < 30; i++) await StepAsync(User.Fixture.Two);
        Assert.True((await User.SyncAsync(since, at: User.Fixture.Two)).IsEmpty);
    }
}

internal sealed class SlidingModel(SyncUser user, Random random, bool isLazy) : ModelClient(user, random)
{
    private readonly SlidingClient client = new(user, new { });
    private readonly Dictionary<string, string> data = [];

    public override bool IsLazy => isLazy;

    private static object Everything => new[] { new[] { "*", "*" } };
    private static object Lazily => new[] { new[] { "*", "*" }, ["m.room.member", "$LAZY"] };

    private object Ask(int to, int limit) => SlidingClient.Lists(
        SlidingClient.List(to, limit, isLazy ? Lazily : Everything), new { account_data = new { enabled = true } });

    public override Task StepAsync(ServiceHost host)
    {
        if (Random.Next(20) == 0)
        {
            // Another device of the same name: everything begins anew.
            client.Pos = null;
            Rooms.Clear();
            data.Clear();
        }
        client.Body = Ask(Random.Next(4), Random.Next(1, 6));
        return StepAsync(host, Random.Next(6) == 0);
    }

    private async Task<int> StepAsync(ServiceHost host, bool isLost)
    {
        var answer = await client.StepAsync(at: host, keep: !isLost);
        if (isLost) return 1;
        foreach (var id in answer.RoomIds) Apply(id, answer.Room(id)!);
        if (answer.Extension("account_data", "rooms") is { } rooms)
            foreach (var room in rooms.EnumerateObject())
                foreach (var e in room.Value.EnumerateArray()) data[$"{room.Name}|{e.Text("type")}"] = e.GetProperty("content").GetRawText();
        if (answer.Extension("account_data", "global") is { } global)
            foreach (var e in global.EnumerateArray()) data[e.Text("type")] = e.GetProperty("content").GetRawText();
        return answer.RoomIds.Count;
    }

    private void Apply(string id, SlidingRoomView part)
    {
        if (part.IsInitial || !Rooms.TryGetValue(id, out var room)) Rooms[id] = room = new Known();
        room.IsJoined = part.Json.Text("membership") == "join";
        if (!part.Json.TryGetProperty("timeline", out _)) return;
        var isExpanded = part.Json.TryGetProperty("unstable_expanded_timeline", out _);
        if (part.Limited || isExpanded)
        {
            room.Timeline.Clear();
            room.Messages.Clear();
            room.Senders.Clear();
        }
        Apply(id, room, part.Json.GetProperty("required_state").EnumerateArray(), part.Timeline, mayRepeat: false, stateInTimeline: false);
    }

    public override async Task FinishAsync(object fleet, Random random)
    {
        await User.SyncAsync(null, at: User.Fixture.Two);
        client.Body = Ask(99, 3);
        for (var i = 0; i < 20 && await StepAsync(User.Fixture.Two, isLost: false) > 0; i++) { }
        Assert.Equal(0, await StepAsync(User.Fixture.Two, isLost: false));
        foreach (var gone in Rooms.Where(r => !r.Value.IsJoined).Select(r => r.Key).ToList()) Rooms.Remove(gone);
        var fresh = new SlidingModel(User.On("FRESH"), random, isLazy);
        fresh.client.Body = fresh.Ask(99, 3);
        await fresh.StepAsync(User.Fixture.Two, isLost: false);
        foreach (var (key, value) in fresh.data) Assert.True(data.GetValueOrDefault(key) == value, $"{this}: account data {key} is {data.GetValueOrDefault(key)}, not {value}");
    }
}
