using System.Text.Json;
using Matrix.Storage.Streams;
using Matrix.Testing;
using Matrix.Testing.Servers;

namespace Matrix.ServiceTests.Push;

/// <summary>The number that notifications carry: rooms with something unread, as /sync counts it.</summary>
public sealed class BadgeTests(PostgresFixture postgres) : PushScene(postgres)
{
    private static int Unread(JsonElement notification) =>
        notification.GetProperty("counts").TryGetProperty("unread", out var count) ? count.GetInt32() : 0;

    /// <summary>The badge, after counts alone have been told.</summary>
    private async Task<int> CountsAsync()
    {
        var counts = await Gateway.NextAsync();
        Assert.False(counts.TryGetProperty("event_id", out _));
        return Unread(counts);
    }

    private Task<Room> RoomAsync() => SavedAsync(Room.Version("11").With(Alice, Bob));

    private async Task<Room> SavedAsync(Room room)
    {
        await SaveAsync(room);
        return room;
    }

    /// <summary>Bob reads up to the newest event of the room, or another one.</summary>
    private async Task ReadAsync(Room room, string thread = "", string? eventId = null)
    {
        eventId ??= room.Last.EventId;
        var position = long.Parse((await ScalarAsync(
            """
            insert into receipts (room_id, user_id, receipt_type, thread_id, event_id, event_pos, ts_ms, pos)
            select $1, $2, 'm.read', $3, e.event_id, s.pos, 0, 1 from event_stream s join events e using (event_nid) where e.event_id = $4
            on conflict (room_id, user_id, receipt_type, thread_id) do update set event_id = excluded.event_id, event_pos = excluded.event_pos
            returning event_pos
            """, room.RoomId, Bob.Id, thread, eventId))!);
        await AppendAsync(Replication.Streams.Receipts, room.RoomId, new ReceiptRow(Bob.Id, "m.read", thread, eventId, position, 0).Encode());
    }

    private async Task RedactAsync(Room room, string eventId)
    {
        await ExecuteAsync("update events set flags = flags | 8 where event_id = $1", eventId);
        await SaveAsync(room.Redact(Alice, eventId));
    }

    private Room Relate(Room room, string to, string type = "m.thread", TestUser? by = null) => room.Send(
        by ?? Alice, "m.room.message", $$$"""{"body":"x","msgtype":"m.text","m.relates_to":{"rel_type":"{{{type}}}","event_id":"{{{to}}}"} }""");

    [Fact]
    public async Task The_badge_counts_rooms_and_falls_when_they_are_read()
    {
        var (one, two) = (Room.Version("11").With(Alice, Bob), Room.Version("11").With(Alice, Bob));
        await SaveAsync(one);
        await SaveAsync(two.Say(Alice, "before the pusher"));
        await StartAsync();
        await SetPusherAsync(Bob);
        await SaveAsync(one.Say(Alice, "a"));
        Assert.Equal(2, (await Gateway.NextAsync()).GetProperty("counts").GetProperty("unread").GetInt32());
        await ReadAsync(one);
        var counts = await Gateway.NextAsync();
        Assert.Equal(1, counts.GetProperty("counts").GetProperty("unread").GetInt32());
        Assert.False(counts.TryGetProperty("event_id", out _));
        await ReadAsync(two);
        Assert.Equal(0, (await Gateway.NextAsync()).GetProperty("counts").GetProperty("unread").GetInt32());
    }

    [Fact]
    public async Task What_was_redacted_is_in_no_badge()
    {
        var (one, two, three) = (Room.Version("11").With(Alice, Bob), Room.Version("11").With(Alice, Bob), Room.Version("11").With(Alice, Bob));
        await SaveAsync(one.Say(Alice, "taken back before the pusher"));
        await SaveAsync(two);
        await SaveAsync(three);
        await RedactAsync(one, one.Last.EventId);
        await StartAsync();
        await SetPusherAsync(Bob);
        await SaveAsync(two.Say(Alice, "a"));
        Assert.Equal(1, (await Gateway.NextAsync()).GetProperty("counts").GetProperty("unread").GetInt32());
        await SaveAsync(three.Say(Alice, "b"));
        Assert.Equal(2, (await Gateway.NextEventAsync()).GetProperty("counts").GetProperty("unread").GetInt32());
        await RedactAsync(three, three.Last.EventId);
        var counts = await Gateway.NextAsync();
        Assert.Equal(1, counts.GetProperty("counts").GetProperty("unread").GetInt32());
        Assert.False(counts.TryGetProperty("event_id", out _));
    }

    [Fact]
    public async Task What_notifies_is_found_behind_much_that_does_not()
    {
        var (quiet, other) = (await RoomAsync(), await RoomAsync());
        quiet.Say(Alice, "for him");
        for (var i = 0; i < 30; i++) quiet.Send(Alice, "m.room.message", """{"body":"x","msgtype":"m.notice"}""");
        await SaveAsync(quiet);
        await StartAsync();
        await SetPusherAsync(Bob);
        await SaveAsync(other.Say(Alice, "a"));
        Assert.Equal(2, Unread(await Gateway.NextAsync()));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_receipt_of_a_thread_is_about_that_thread_alone(bool isCountedBefore)
    {
        var (room, other) = (await RoomAsync(), await RoomAsync());
        if (isCountedBefore)
        {
            await StartAsync();
            await SetPusherAsync(Bob);
            await SaveAsync(other.Say(Alice, "count"));
            Assert.Equal(1, Unread(await Gateway.NextAsync()));
        }
        var root = room.Say(Alice, "root").Last.EventId;
        var first = Relate(room, root).Last.EventId;
        Relate(room, first, "m.reference");     // one step away from the thread
        room.Say(Alice, "after the thread");
        await SaveAsync(room);
        if (isCountedBefore) for (var i = 0; i < 4; i++) Assert.Equal(2, Unread(await Gateway.NextAsync()));
        await ReadAsync(room, "main");
        if (!isCountedBefore)
        {
            await StartAsync();
            await SetPusherAsync(Bob);
        }
        await SaveAsync(other.Say(Alice, "again"));
        Assert.Equal(2, Unread(await Gateway.NextAsync()));
        await ReadAsync(room, root, first);
        await SaveAsync(other.Say(Alice, "the reference is still unread"));
        Assert.Equal(2, Unread(await Gateway.NextAsync()));
        await ReadAsync(room, root, room.Last.EventId);
        Assert.Equal(1, await CountsAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_the_user_sends_reads_its_thread(bool isCountedBefore)
    {
        var (room, other) = (await RoomAsync(), await RoomAsync());
        async Task CountAsync()
        {
            await StartAsync();
            await SetPusherAsync(Bob);
            await SaveAsync(other.Say(Alice, "count"));
            Assert.Equal(2, Unread(await Gateway.NextAsync()));
        }
        var root = room.Say(Alice, "root").Last.EventId;
        await SaveAsync(Relate(room, root));
        if (isCountedBefore) await CountAsync();
        await SaveAsync(room.Say(Bob, "in the main timeline"), read: true);
        if (!isCountedBefore) await CountAsync();
        await SaveAsync(other.Say(Alice, "the thread is still unread"));
        Assert.Equal(2, Unread(await Gateway.NextEventAsync()));
        await SaveAsync(Relate(room, root, by: Bob), read: true);
        Assert.Equal(1, await CountsAsync());
        // Looked for anew, it is not found again.
        await StopAsync();
        await StartAsync();
        await SaveAsync(other.Say(Alice, "once more"));
        Assert.Equal(1, Unread(await Gateway.NextEventAsync()));
    }

    [Fact]
    public async Task What_is_older_than_what_was_found_first_counts_once_that_has_been_read_or_redacted()
    {
        var (room, other) = (await RoomAsync(), await RoomAsync());
        var root = room.Say(Alice, "root").Last.EventId;
        var inThread = Relate(room, root).Last.EventId;
        var newest = room.Say(Alice, "newest").Last.EventId;
        await SaveAsync(room);
        await StartAsync();
        await SetPusherAsync(Bob);
        await SaveAsync(other.Say(Alice, "a"));
        Assert.Equal(2, Unread(await Gateway.NextAsync()));
        await ReadAsync(room, "main", newest);
        await SaveAsync(other.Say(Alice, "b"));
        Assert.Equal(2, Unread(await Gateway.NextAsync()));
        await RedactAsync(room, inThread);
        Assert.Equal(1, await CountsAsync());
    }

    [Fact]
    public async Task What_counts_follows_the_rules_of_now_when_a_room_of_two_becomes_one_of_three()
    {
        var carol = Here.User(Unique + "carol");
        var (room, other) = (await RoomAsync(), await RoomAsync());
        await SetRulesAsync(Bob, """{"global":{"underride":[{"rule_id":".m.rule.message","actions":[],"enabled":false,"default":true,"conditions":[]}] } }""");
        await StartAsync();
        await SetPusherAsync(Bob);
        await SaveAsync(room.Say(Alice, "for two"));
        Assert.Equal(1, Unread(await Gateway.NextAsync()));
        await SaveAsync(room.With(carol));
        await SaveAsync(other.Say(Alice, "for two"));
        Assert.Equal(1, Unread(await Gateway.NextEventAsync()));
        await SaveAsync(room.Leave(carol));
        await SaveAsync(other.Say(Alice, "again"));
        Assert.Equal(2, Unread(await Gateway.NextEventAsync()));
    }

    [Fact]
    public async Task An_invitation_counts_until_it_is_answered()
    {
        var (pending, answered, other) = (await SavedAsync(Room.Version("11").With(Alice).Invite(Bob)), await SavedAsync(Room.Version("11").With(Alice)), await RoomAsync());
        await StartAsync();
        await SetPusherAsync(Bob);
        await SaveAsync(other.Say(Alice, "a"));
        Assert.Equal(2, Unread(await Gateway.NextAsync()));
        await SaveAsync(answered.Invite(Bob));
        Assert.Equal(3, Unread(await Gateway.NextAsync()));
        await SaveAsync(answered.Join(Bob));
        Assert.Equal(2, await CountsAsync());
        await SaveAsync(pending.Leave(Bob));
        Assert.Equal(1, await CountsAsync());
    }

    [Fact]
    public async Task Once_counted_a_badge_costs_no_statement()
    {
        var (room, other) = (await RoomAsync(), await RoomAsync());
        await StartAsync();
        await SetPusherAsync(Bob);
        foreach (var r in new[] { room, other })
        {
            await SaveAsync(r.Say(Alice, "warm"));
            await Gateway.NextAsync();
        }
        using var sql = new CountedStatements(Postgres.ConnectionString, s => s.ContainsAny(["from receipts", "room_memberships", "event_relations"]) && !s.ContainsAny(["insert into"]));
        for (var i = 0; i < 5; i++)
        {
            await SaveAsync(room.Say(Alice, $"{i}"));
            Assert.Equal(2, Unread(await Gateway.NextEventAsync()));
        }
        await ReadAsync(room);
        Assert.Equal(1, await CountsAsync());
        await SaveAsync(room.Say(Alice, "and again"));
        Assert.Equal(2, Unread(await Gateway.NextAsync()));
        Assert.Empty(sql.All);
    }
}
