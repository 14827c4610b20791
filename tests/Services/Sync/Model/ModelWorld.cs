using System.Collections.Concurrent;
using Xunit.Sdk;

namespace Matrix.ServiceTests.Sync.Model;

/// <summary>Who lives in a run and what they do, one change after the other. Knows what the database does not keep: messages to devices, who types.</summary>
internal sealed partial class ModelWorld(SyncFixture fixture, int seed, Random random)
{
    public static readonly string[] Devices = ["CLASSIC", "THRIFTY", "SLIDING", "LAZY"];
    private const int BurstSize = 55;
    private static readonly string[] Visibilities = ["shared", "joined", "invited", "world_readable"];
    private readonly List<(string Room, SyncUser Sender, string EventId, bool IsPlain)> said = [];
    private readonly ConcurrentDictionary<string, int> lists = new(StringComparer.Ordinal);
    private int messages;

    public List<SyncUser> Users { get; } = [];
    /// <summary>Shares a room with nobody.</summary>
    public SyncUser Hermit { get; private set; } = null!;
    /// <summary>Each made by the user of the same index.</summary>
    public List<string> Rooms { get; } = [];
    /// <summary>By user and device, in order.</summary>
    public Dictionary<(string User, string Device), List<int>> ToDevice { get; } = [];
    public Dictionary<string, HashSet<string>> Typing { get; } = [];
    public Dictionary<string, string> Status { get; } = [];
    /// <summary>Whom a user ignored at some time, but for the first user: he ignores the last one from the beginning.</summary>
    public HashSet<(string User, string Ignored)> SometimesIgnored { get; } = [];
    /// <summary>Root of the thread of what was sent in one; by event id.</summary>
    public Dictionary<string, string> Threads { get; } = [];
    /// <summary>What clients that ask for a user's devices now may find: how often they changed.</summary>
    public Dictionary<string, int> DeviceLists => lists.ToDictionary(StringComparer.Ordinal);

    public async Task BeginAsync()
    {
        for (var i = 0; i < 4; i++) Users.Add(fixture.NewUser($"model{seed}x"));
        Hermit = fixture.NewUser($"hermit{seed}x");
        foreach (var user in Users.Append(Hermit)) await RegisterAsync(user);
        await IgnoreAsync(Users[0], Users[^1]);
        foreach (var visibility in Visibilities)
        {
            Rooms.Add(await Users[Rooms.Count].CreateRoomAsync(new
            {
                preset = "public_chat", power_level_content_override = new { state_default = 0, kick = 0, ban = 0, invite = 0 },
                initial_state = new[] { new { type = "m.room.history_visibility", state_key = "", content = new { history_visibility = visibility } } },
            }));
            Typing[Rooms[^1]] = [];
        }
        await Hermit.SayAsync(await Hermit.CreateRoomAsync(), "alone");
    }

    private async Task RegisterAsync(SyncUser user)
    {
        lists[user.Id] = 0;
        foreach (var device in Devices)
        {
            ToDevice[(user.Id, device)] = [];
            await using var command = fixture.Postgres.Source.CreateCommand("insert into devices (user_id, device_id, created_ts_ms) values ($1, $2, 0)");
            command.Parameters.AddWithValue(user.Id);
            command.Parameters.AddWithValue(device);
            await command.ExecuteNonQueryAsync();
        }
    }

    private SyncUser AnyUser() => Users[random.Next(Users.Count)];

    /// <summary>One change of anything, drawn now and made when it is called; it may turn out that it was not allowed.</summary>
    public Func<Task> Next(int step)
    {
        var at = random.Next(Rooms.Count);
        var (room, owner, user, other) = (Rooms[at], Users[at], AnyUser(), AnyUser());
        Func<Task> change = random.Next(30) switch
        {
            0 or 1 or 2 => () => user.JoinAsync(room),
            3 => () => GoAsync(room, user, () => user.LeaveAsync(room)),
            4 => () => GoAsync(room, other, () => owner.KickAsync(room, other)),
            5 => () => GoAsync(room, other, () => owner.BanAsync(room, other)),
            6 => () => UnbanAsync(room, owner, other),
            7 => () => user.InviteAsync(room, other),
            8 => () => user.SetAsync(room, "m.room.topic", new { topic = $"{step}" }),
            9 => () => user.SetAsync(room, "m.room.name", new { name = $"{step}" }),
            10 => Of(random.Next(4), n => user.SetAsync(room, "x.state", new { n = step }, $"k{n}")),
            11 => Of(random.Next(4), n => owner.SetAsync(room, "m.room.history_visibility", new { history_visibility = Visibilities[n] })),
            12 => Redaction(),
            13 or 14 or 15 => Receipt(),
            16 or 17 => Of(random.Next(3), n => TypeAsync(room, user, n > 0)),
            18 or 19 => MessageTo(user, other),
            20 => Of(random.Next(2), n => user.SetRoomDataAsync(room, $"x.{n}", new { n = step })),
            21 => Of(random.Next(3), n => user.SetAccountDataAsync($"x.{n}", new { n = step })),
            22 => Of(random.Next(6), n => TagAsync(room, user, $"u.{n / 2}", n % 2 == 0)),
            23 => Of(random.Next(5), n => ChangeDevicesAsync(n == 0 ? Hermit : user, step)),
            24 => () => IgnoreAsync(Users[1], other.Id == Users[1].Id ? null : other),
            25 => Of(random.Next(5), n => SetStatusAsync(n == 0 ? Hermit : user, $"{step}")),
            _ => Saying(room, user, other, step),
        };
        var besides = Besides(room, owner, user, other);
        return async () =>
        {
            await TryAsync(change);
            if (besides is not null) await TryAsync(besides);
        };
    }

    /// <summary>More than instances hold in memory of a room that they load anew, after changes of its state: a gap for whoever was not there.</summary>
    public async Task BurstAsync()
    {
        var at = random.Next(Rooms.Count);
        var (room, owner) = (Rooms[at], Users[at]);
        for (var n = 0; n < 4; n++) await TryAsync(() => owner.SetAsync(room, "x.state", new { burst = n }, $"k{n}"));
        foreach (var user in Users) await TryAsync(random.Next(2) == 0 ? () => user.JoinAsync(room) : () => GoAsync(room, user, () => user.LeaveAsync(room)));
        for (var n = 0; n < BurstSize; n++) await TryAsync(() => owner.SayAsync(room, $"burst {n}"));
    }

    /// <summary>The last changes: something of everything, in every room and by every user.</summary>
    public async Task EndAsync()
    {
        foreach (var user in Users)
        {
            foreach (var room in Rooms) await TryAsync(() => TypeAsync(room, user, random.Next(2) == 0));
            await SetStatusAsync(user, "the end");
            await MessageTo(user, AnyUser())();
            await ChangeDevicesAsync(user, -1);
        }
        for (var i = 0; i < 4; i++) await TryAsync(Receipt());
        await EndApartAsync();
    }

    private static Func<Task> Of(int drawn, Func<int, Task> change) => () => change(drawn);

    private static async Task TryAsync(Func<Task> change)
    {
        try
        {
            await change();
        }
        catch (XunitException e) when (!e.Message.Contains(": 50", StringComparison.Ordinal))
        {
            // He was not allowed to.
        }
    }

    /// <summary>Who goes has stopped typing: what a server makes of those who do not is its own affair.</summary>
    private async Task GoAsync(string room, SyncUser who, Func<Task> go)
    {
        if (Typing[room].Contains(who.Id)) await TypeAsync(room, who, typing: false);
        await go();
    }

    private static Task UnbanAsync(string room, SyncUser owner, SyncUser other) =>
        owner.CallAsync(owner.Fixture.One, HttpMethod.Post, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/unban", new { user_id = other.Id });

    private async Task TypeAsync(string room, SyncUser user, bool typing)
    {
        await user.TypingAsync(room, typing, timeout: 120_000);
        if (typing) Typing[room].Add(user.Id);
        else Typing[room].Remove(user.Id);
    }

    /// <summary>Of the room's only thread; null: nothing that could be one was said yet.</summary>
    private string? Root(string room) => said.Find(s => s.Room == room && s.IsPlain).EventId;

    private Func<Task> Saying(string room, SyncUser user, SyncUser other, int step)
    {
        var root = random.Next(4) == 0 ? Root(room) : null;
        var content = new Dictionary<string, object> { ["msgtype"] = "m.text", ["body"] = $"{step}" };
        if (root is not null) content["m.relates_to"] = new { rel_type = "m.thread", event_id = root };
        if (random.Next(4) == 0) content["m.mentions"] = new { user_ids = new[] { other.Id } };
        return async () =>
        {
            said.Add((room, user, await user.SayAsync(room, "", content), content.Count == 2));
            if (root is not null) Threads[said[^1].EventId] = root;
        };
    }

    private Func<Task> Redaction()
    {
        var plain = said.Where(s => s.IsPlain).ToList();
        if (plain.Count == 0) return () => Task.CompletedTask;
        var (room, sender, id, _) = plain[random.Next(plain.Count)];
        return () => RedactAsync(room, sender, id);
    }

    private async Task RedactAsync(string room, SyncUser sender, string id)
    {
        await sender.RedactAsync(room, id);
        redacted.Add(id);
    }

    private Func<Task> Receipt()
    {
        if (said.Count == 0) return () => Task.CompletedTask;
        var (room, _, id, _) = said[^(1 + random.Next(Math.Min(said.Count, 12)))];
        var user = AnyUser();
        var type = random.Next(5) switch { 0 or 1 => "m.read.private", 2 => "m.fully_read", _ => "m.read" };
        var thread = type == "m.fully_read" ? null : random.Next(4) switch { 0 => "main", 1 => Root(room), _ => null };
        return () => user.ReceiptAsync(room, id, type, thread);
    }

    private Func<Task> MessageTo(SyncUser user, SyncUser other)
    {
        var n = messages++;
        var device = random.Next(3) == 0 ? "*" : Devices[random.Next(Devices.Length)];
        var body = new { messages = new Dictionary<string, object> { [other.Id] = new Dictionary<string, object> { [device] = new { n } } } };
        return async () =>
        {
            await user.CallAsync(user.Fixture.One, HttpMethod.Put, $"/_matrix/client/v3/sendToDevice/x.n/{SyncUser.NewTxn()}", body);
            foreach (var to in device == "*" ? Devices : [device]) ToDevice[(other.Id, to)].Add(n);
        };
    }

    private static Task TagAsync(string room, SyncUser user, string tag, bool isSet) => user.CallAsync(
        user.Fixture.One, isSet ? HttpMethod.Put : HttpMethod.Delete,
        $"/_matrix/client/v3/user/{Uri.EscapeDataString(user.Id)}/rooms/{Uri.EscapeDataString(room)}/tags/{tag}", isSet ? new { order = 0.5 } : null);

    private Task ChangeDevicesAsync(SyncUser user, int step)
    {
        // Counted first: whoever asks while it happens may find either.
        lists.AddOrUpdate(user.Id, 1, (_, n) => n + 1);
        return user.CallAsync(user.Fixture.One, HttpMethod.Put, $"/_matrix/client/v3/devices/{Devices[0]}", new { display_name = $"{step}" });
    }

    private Task IgnoreAsync(SyncUser user, SyncUser? other)
    {
        if (user.Id != Users[0].Id && other is not null) SometimesIgnored.Add((user.Id, other.Id));
        var ignored = other is null ? [] : new Dictionary<string, object> { [other.Id] = new { } };
        return user.SetAccountDataAsync("m.ignored_user_list", new { ignored_users = ignored });
    }

    private async Task SetStatusAsync(SyncUser user, string text)
    {
        await user.CallAsync(
            user.Fixture.One, HttpMethod.Put, $"/_matrix/client/v3/presence/{Uri.EscapeDataString(user.Id)}/status", new { presence = "online", status_msg = text });
        Status[user.Id] = text;
    }
}
