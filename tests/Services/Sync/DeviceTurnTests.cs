using System.Text.Json;
using Matrix.Replication;
using Matrix.Sync.Engine;
using Matrix.Sync.Rooms;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.Sync;

/// <summary>What each way of coming and going of somebody else means for the device lists that a reader is told, by instances that saw it and by one that reads it.</summary>
public sealed class DeviceTurnTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private const string None = "", Changed = "changed", Left = "left";
    /// <summary>He came and went: that his devices are asked for again does no harm.</summary>
    private const string NotLeft = "not left";

    /// <summary>
    /// Steps of somebody else, before and after the reader's token; <c>out</c> and <c>in</c> are the reader's own. What is told to a reader who shares nothing else
    /// with him, and to one who does.
    /// </summary>
    private static readonly Dictionary<string, (string Stranger, string Friend)> Turns = new()
    {
        ["| invite"] = (None, None),
        ["| invite leave"] = (None, None),
        ["| invite kick"] = (None, None),
        ["| invite ban"] = (None, None),
        ["| knock"] = (None, None),
        ["| knock leave"] = (None, None),
        ["| knock kick"] = (None, None),
        ["| knock ban"] = (None, None),
        ["| ban"] = (None, None),
        ["| ban unban"] = (None, None),
        ["ban | unban"] = (None, None),
        ["invite | leave"] = (None, None),
        ["| join"] = (Changed, Changed),
        ["invite | join"] = (Changed, Changed),
        ["| knock invite join"] = (Changed, Changed),
        ["join | name"] = (None, None),
        ["join | leave"] = (Left, None),
        ["join | kick"] = (Left, None),
        ["join | ban"] = (Left, None),
        ["join | ban unban"] = (Left, None),
        ["join | leave invite"] = (Left, None),
        ["join | name leave"] = (Left, None),
        ["join | leave join"] = (Changed, Changed),
        ["join | kick invite join"] = (Changed, Changed),
        ["| join leave"] = (Left, NotLeft),
        ["join leave | invite leave"] = (None, None),
        // The reader goes.
        ["join | out"] = (Left, None),
        ["join | leave out"] = (Left, None),
        ["join | out leave"] = (Left, None),
        ["join | out name"] = (Left, None),
        ["| join out"] = (Left, NotLeft),
        ["| invite out"] = (None, None),
        ["| ban out"] = (None, None),
        ["| out join"] = (None, None),
        ["| out join leave"] = (None, None),
        ["join leave | out join"] = (None, None),
        // The reader comes.
        ["join out | in"] = (Changed, Changed),
        ["join out | leave in"] = (None, None),
        ["join out leave | in"] = (None, None),
        ["out | join leave in"] = (None, None),
        ["join out | in leave"] = (Left, NotLeft),
        ["out | in join"] = (Changed, Changed),
        ["out | in invite leave"] = (None, None),
        // He goes and comes.
        ["join | out in"] = (Changed, Changed),
        ["join | out leave in"] = (Left, None),
        ["| out join in"] = (Changed, Changed),
        ["| out join leave in"] = (None, None),
        ["| out in invite leave"] = (None, None),
    };

    public static TheoryData<string, bool> Cases
    {
        get
        {
            var cases = new TheoryData<string, bool>();
            foreach (var turn in Turns.Keys) foreach (var isFriend in (bool[])[false, true]) cases.Add(turn, isFriend);
            return cases;
        }
    }

    private static Task GoAsync(string step, string room, SyncUser admin, SyncUser reader, SyncUser other) => step switch
    {
        "out" => reader.LeaveAsync(room),
        "in" => reader.JoinAsync(room),
        "knock" => other.KnockAsync(room),
        "join" => other.JoinAsync(room),
        "leave" => other.LeaveAsync(room),
        "name" => other.SetAsync(room, "m.room.member", new { membership = "join", displayname = "Another" }, other.Id),
        "invite" => admin.InviteAsync(room, other),
        "kick" => admin.KickAsync(room, other),
        "ban" => admin.BanAsync(room, other),
        _ => admin.UnbanAsync(room, other),
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public Task Every_instance_tells_the_same_of_somebody(string steps, bool isFriend) => PlayAsync(steps, isFriend, messages: 0);

    [Theory]
    [InlineData("| invite leave")]
    [InlineData("| ban")]
    [InlineData("| join")]
    [InlineData("join | name")]
    [InlineData("join | leave")]
    [InlineData("join | kick invite join", "cold sync", "cold gap")]
    [InlineData("out | in join")]
    [InlineData("join | out leave in")]
    public async Task So_it_is_where_a_room_has_had_more_events_since_than_memory_holds(string steps, params string[] sameAsBefore)
    {
        foreach (var isFriend in (bool[])[false, true]) await PlayAsync(steps, isFriend, messages: RoomCacheLoader.Depth + 10, sameAsBefore);
    }

    /// <param name="sameAsBefore">Who compares the state before and after, and sees no difference.</param>
    private async Task PlayAsync(string steps, bool isFriend, int messages, params string[] sameAsBefore)
    {
        var (admin, reader, other) = (fixture.NewUser(), fixture.NewUser(), fixture.NewUser());
        var rule = steps.Contains("knock", StringComparison.Ordinal) ? "knock" : "public";
        var room = await admin.CreateRoomAsync(new
        {
            preset = "public_chat", initial_state = new[] { new { type = "m.room.join_rules", state_key = "", content = new { join_rule = rule } } },
        });
        await admin.InviteAsync(room, reader);
        await reader.JoinAsync(room);
        if (isFriend) await other.JoinAsync(await reader.CreateRoomAsync());
        var all = steps.Split(' ');
        var token = Array.IndexOf(all, "|");
        foreach (var step in all[..token]) await GoAsync(step, room, admin, reader, other);

        var since = (await reader.SyncAsync()).Next;
        var sliding = new SlidingClient(reader.On("PHONE"), SlidingClient.Lists(SlidingClient.List(), new { e2ee = new { enabled = true } }));
        await sliding.StepAsync();
        await AllSeeAsync();
        await reader.SyncAsync(since, at: fixture.Two);
        foreach (var step in all[(token + 1)..]) await GoAsync(step, room, admin, reader, other);
        for (var i = 0; i < messages; i++) await admin.SayAsync(room, "and so on");
        await AllSeeAsync();

        var told = new List<string>();
        foreach (var (name, host, isCold) in new[] { ("writer", fixture.One, false), ("reader", fixture.Two, false), ("cold", fixture.Two, true) })
        {
            foreach (var (form, filter) in new[] { ("sync", null), ("gap", Limit(1)), ("hidden", new { room = new { not_rooms = new[] { room } } }) })
            {
                if (isCold) Forget();
                var answer = await reader.SyncAsync(since, filter, host);
                told.Add($"{name} {form}: {Word(answer.Json.At("device_lists"), other)}");
            }
            if (isCold) Forget();
            var slid = await sliding.StepAsync(at: host, keep: false);
            told.Add($"{name} sliding: {Word(slid.Extension("e2ee", "device_lists"), other)}");
        }
        var expected = isFriend ? Turns[steps].Friend : Turns[steps].Stranger;
        if (expected == NotLeft) Assert.DoesNotContain(told, t => t.EndsWith(Left, StringComparison.Ordinal));
        else Assert.Equal(told.Select(t => t.Split(": ")[0]).Select(by => $"{by}: {(sameAsBefore.Contains(by) ? None : expected)}"), told);
    }

    private static object Limit(int events) => new { room = new { timeline = new { limit = events } } };

    private static string Word(JsonElement? lists, SyncUser user)
    {
        bool IsIn(string name) => lists?.At(name)?.EnumerateArray().Any(u => u.GetString() == user.Id) == true;
        return string.Join(' ', new[] { Changed, Left }.Where(IsIn));
    }

    private void Forget() => fixture.Two.Services.GetRequiredService<CacheKeeper>().Evict(0);

    private async Task AllSeeAsync()
    {
        var position = fixture.One.Services.GetRequiredService<IStreamFollower>().Position(Streams.Events);
        await fixture.Two.Services.GetRequiredService<IStreamFollower>().WaitForAsync(Streams.Events, position, TimeSpan.FromSeconds(20), CancellationToken.None);
    }
}
