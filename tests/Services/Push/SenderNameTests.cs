using Matrix.Testing;
using Matrix.Testing.Servers;

namespace Matrix.ServiceTests.Push;

/// <summary>The names of senders that notifications carry.</summary>
public sealed class SenderNameTests(PostgresFixture postgres) : PushScene(postgres)
{
    private Room Call(Room room, TestUser user, string name) =>
        room.Set(user, "m.room.member", $$"""{"membership":"join","displayname":"{{name}}"}""", user.Id);

    private async Task<string?> NextNameAsync() =>
        (await Gateway.NextEventAsync()).TryGetProperty("sender_display_name", out var name) ? name.GetString() : null;

    /// <summary>Names that are read, and state.</summary>
    private CountedStatements Count() => new(Postgres.ConnectionString, s => s.ContainsAny(["q(room_nid, user_id)", "q(type, state_key)"]));

    [Fact]
    public async Task Once_known_they_cost_no_statement_and_follow_every_change()
    {
        var room = Call(Room.Version("11").With(Alice, Bob), Alice, "Alice");
        await SaveAsync(room);
        await StartAsync();
        await SetPusherAsync(Bob, format: null);
        await SaveAsync(room.Say(Alice, "a"));
        Assert.Equal("Alice", await NextNameAsync());
        using (var sql = Count())
        {
            for (var i = 0; i < 3; i++)
            {
                await SaveAsync(room.Say(Alice, $"{i}"));
                Assert.Equal("Alice", await NextNameAsync());
            }
            Assert.Empty(sql.All);
        }
        await SaveAsync(Call(room, Alice, "Alicia"));
        using (var sql = Count())
        {
            await SaveAsync(room.Say(Alice, "b"));
            Assert.Equal("Alicia", await NextNameAsync());
            // The room is another one now, but not who sends.
            Assert.Equal(0, sql.Containing("q(room_nid, user_id)"));
        }
        await SaveAsync(room.Set(Alice, "m.room.member", """{"membership":"join"}""", Alice.Id).Say(Alice, "c"));
        Assert.Null(await NextNameAsync());
    }

    [Fact]
    public async Task Of_a_name_that_was_redacted_nothing_is_told()
    {
        var room = Call(Room.Version("11").With(Alice, Bob), Alice, "Unfortunate");
        var named = room.Last.EventId;
        await SaveAsync(room);
        await StartAsync();
        await SetPusherAsync(Bob, format: null);
        await SaveAsync(room.Say(Alice, "a"));
        Assert.Equal("Unfortunate", await NextNameAsync());
        await room.Redact(Alice, named).SaveAsync(Postgres.Database);
        await ExecuteAsync("update events set flags = flags | 32 where event_id = $1", room.Last.EventId);
        await ExecuteAsync(
            "update events set json = convert_to(replace(convert_from(json, 'UTF8'), '\"displayname\":\"Unfortunate\",', ''), 'UTF8') where event_id = $1", named);
        await SaveAsync(room.Say(Alice, "b"));
        Assert.Null(await NextNameAsync());
    }

    [Fact]
    public async Task Those_of_many_events_are_read_together()
    {
        var carol = Here.User(Unique + "carol");
        var rooms = Enumerable.Range(0, 3).Select(i => Call(Call(Room.Version("11").With(Alice, Bob, carol), Alice, $"Alice {i}"), carol, $"Carol {i}")).ToList();
        foreach (var room in rooms) await SaveAsync(room);
        await StartAsync();
        await SetPusherAsync(Bob, format: null);
        await StopAsync();
        foreach (var room in rooms) await SaveAsync(room.Say(Alice, "a").Say(carol, "b"));
        using var sql = Count();
        await StartAsync();
        for (var i = 0; i < rooms.Count; i++) Assert.Equal(($"Alice {i}", $"Carol {i}"), (await NextNameAsync(), await NextNameAsync()));
        Assert.Equal(1, sql.Containing("q(room_nid, user_id)"));
    }
}
