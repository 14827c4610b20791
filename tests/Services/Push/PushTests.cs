using System.Text;
using System.Text.Json;
using Matrix.Push;
using Matrix.ServiceDefaults;
using Matrix.ServiceTests.Hosting;
using Matrix.Storage.Streams;
using Matrix.Testing;
using Matrix.Testing.Servers;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.Push;

public sealed class PushTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>, IAsyncLifetime
{
    private static readonly TestServer Here = TestServer.Named(ServiceHost.ServerName);
    private static int counter;
    private readonly string unique = $"p{Interlocked.Increment(ref counter)}";
    private FakePushGateway gateway = null!;
    private ServiceHost? host;
    private TestUser alice = null!, bob = null!;

    public async ValueTask InitializeAsync()
    {
        (alice, bob) = (Here.User(unique + "alice"), Here.User(unique + "bob"));
        gateway = await FakePushGateway.StartAsync();
    }

    private async Task StartAsync(Func<HomeserverConfig, HomeserverConfig>? configure = null) =>
        host = await ServiceHost.StartAsync(postgres.ConnectionString, b => b.AddPush(), _ => { }, configure);

    private async Task StopAsync()
    {
        if (host is not null) await host.DisposeAsync();
        host = null;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await gateway.DisposeAsync();
    }

    private async Task SetPusherAsync(TestUser user, string? format = "event_id_only", string pushkey = "key")
    {
        object wanted = format is null ? new { url = gateway.Url, other = 1 } : new { url = gateway.Url, format, other = 1 };
        var data = JsonSerializer.Serialize(wanted);
        await ExecuteAsync(
            """
            insert into pushers (user_id, app_id, pushkey, kind, app_display_name, device_display_name, lang, data, created_ts_ms, last_pos)
            values ($1, 'org.example.app', $2, 'http', 'App', 'Phone', 'en', $3, 12345678, (select pos from stream_counters where stream = 'events'))
            """, user.Id, unique + pushkey, Encoding.UTF8.GetBytes(data));
        await AppendAsync(Replication.Streams.Pushers, user.Id, default);
    }

    private async Task SetRulesAsync(TestUser user, string content)
    {
        await ExecuteAsync("insert into account_data (user_id, type, content) values ($1, 'm.push_rules', $2)", user.Id, Encoding.UTF8.GetBytes(content));
        await AppendAsync(Replication.Streams.AccountData, user.Id, new AccountDataRow("", "m.push_rules").Encode());
    }

    private async Task AppendAsync(Replication.StreamDefinition stream, string key, ReadOnlyMemory<byte> payload)
    {
        await StreamCounters.AppendAsync(postgres.Database, stream, [(key, payload)], CancellationToken.None);
        if (host is not null) await host.AnnounceAsync();
    }

    private async Task ExecuteAsync(string sql, params object[] values)
    {
        await using var command = postgres.Source.CreateCommand(sql);
        foreach (var value in values) command.Parameters.AddWithValue(value);
        await command.ExecuteNonQueryAsync();
    }

    private async Task<string?> ScalarAsync(string sql, params object[] values)
    {
        await using var command = postgres.Source.CreateCommand(sql);
        foreach (var value in values) command.Parameters.AddWithValue(value);
        return (await command.ExecuteScalarAsync())?.ToString();
    }

    private async Task SaveAsync(Room room)
    {
        await room.SaveAsync(postgres.Database);
        if (host is not null) await host.AnnounceAsync();
    }

    private static string Text(JsonElement o, string name) => o.GetProperty(name).GetString()!;

    [Fact]
    public async Task A_message_is_pushed_to_the_others_once_and_by_its_id_alone()
    {
        var room = Room.Version("11").With(alice, bob);
        await SaveAsync(room);
        await StartAsync();
        await SetPusherAsync(alice, pushkey: "alice");
        await SetPusherAsync(bob);
        await SaveAsync(room.Say(alice, "ahoy"));
        var n = await gateway.NextAsync();
        Assert.Equal((room.Last.EventId, room.RoomId), (Text(n, "event_id"), Text(n, "room_id")));
        Assert.Equal(1, n.GetProperty("counts").GetProperty("unread").GetInt32());
        Assert.False(n.TryGetProperty("content", out _));
        var device = Assert.Single(n.GetProperty("devices").EnumerateArray());
        Assert.Equal((unique + "key", "org.example.app", 12345), (Text(device, "pushkey"), Text(device, "app_id"), device.GetProperty("pushkey_ts").GetInt32()));
        Assert.Equal("""{"format":"event_id_only","other":1}""", device.GetProperty("data").GetRawText());
        await SaveAsync(room.Say(alice, "and again"));
        Assert.Equal(room.Last.EventId, Text(await gateway.NextAsync(), "event_id"));
        Assert.False(gateway.HasMore);
    }

    [Fact]
    public async Task A_room_without_a_name_goes_by_its_alias()
    {
        var room = Room.Version("11").With(alice, bob);
        room.Set(alice, "m.room.canonical_alias", """{"alias":"#harbour:test.example"}""");
        await SaveAsync(room);
        await StartAsync();
        await SetPusherAsync(bob, format: null);
        await SaveAsync(room.Say(alice, "come here"));
        var n = await gateway.NextAsync();
        Assert.Equal(("#harbour:test.example", "#harbour:test.example"), (Text(n, "room_name"), Text(n, "room_alias")));
    }

    [Fact]
    public async Task A_gateway_that_wants_more_gets_names_and_content()
    {
        var room = Room.Version("11").With(alice, bob, Here.User(unique + "carol"));      // three: no sound
        room.Set(alice, "m.room.name", """{"name":"Harbour"}""").Set(alice, "m.room.canonical_alias", """{"alias":"#harbour:test.example"}""");
        room.Set(alice, "m.room.member", """{"membership":"join","displayname":"Alice"}""", alice.Id);
        await SaveAsync(room);
        await StartAsync();
        await SetPusherAsync(bob, format: null);
        await SaveAsync(room.Say(alice, "come here"));
        var n = await gateway.NextAsync();
        Assert.Equal(("m.room.message", alice.Id, "Alice", "Harbour", "#harbour:test.example"),
            (Text(n, "type"), Text(n, "sender"), Text(n, "sender_display_name"), Text(n, "room_name"), Text(n, "room_alias")));
        Assert.Equal("come here", Text(n.GetProperty("content"), "body"));
        Assert.Equal("low", Text(n, "prio"));
        await SaveAsync(room.Send(alice, "m.room.message", $$"""{"body":"x","msgtype":"m.text","m.mentions":{"user_ids":["{{bob.Id}}"] } }"""));
        var mention = await gateway.NextAsync();
        Assert.Equal("high", Text(mention, "prio"));
        var tweaks = Assert.Single(mention.GetProperty("devices").EnumerateArray()).GetProperty("tweaks");
        Assert.True(tweaks.GetProperty("highlight").GetBoolean());
        Assert.Equal("default", Text(tweaks, "sound"));
    }

    [Fact]
    public async Task Rules_of_the_user_decide_and_a_change_counts_at_once()
    {
        var (muted, loud) = (Room.Version("11").With(alice, bob), Room.Version("11").With(alice, bob));
        await SaveAsync(muted);
        await SaveAsync(loud);
        await StartAsync();
        await SetPusherAsync(bob);
        await SaveAsync(muted.Say(alice, "one"));
        Assert.Equal(muted.Last.EventId, Text(await gateway.NextAsync(), "event_id"));
        await SetRulesAsync(bob, $$"""{"global":{"room":[{"rule_id":"{{muted.RoomId}}","actions":[],"enabled":true,"default":false}] } }""");
        await SaveAsync(muted.Say(alice, "two"));
        await SaveAsync(loud.Say(alice, "three"));
        var n = await gateway.NextAsync();
        Assert.Equal(loud.Last.EventId, Text(n, "event_id"));
        Assert.Equal(1, n.GetProperty("counts").GetProperty("unread").GetInt32());
    }

    [Fact]
    public async Task An_invite_is_pushed_and_who_left_hears_no_more()
    {
        var (room, other) = (Room.Version("11").With(alice), Room.Version("11").With(alice, bob));
        await SaveAsync(room);
        await SaveAsync(other);
        await StartAsync();
        await SetPusherAsync(bob, format: null);
        await SaveAsync(room.Invite(bob));
        var n = await gateway.NextAsync();
        Assert.Equal((room.Last.EventId, "invite"), (Text(n, "event_id"), Text(n, "membership")));
        Assert.True(n.GetProperty("user_is_target").GetBoolean());
        await SaveAsync(room.Join(bob).Leave(bob).Say(alice, "he is gone"));
        await SaveAsync(other.Say(alice, "he is here"));
        Assert.Equal(other.Last.EventId, Text(await gateway.NextEventAsync(), "event_id"));
    }

    [Fact]
    public async Task The_badge_counts_rooms_and_falls_when_they_are_read()
    {
        var (one, two) = (Room.Version("11").With(alice, bob), Room.Version("11").With(alice, bob));
        await SaveAsync(one);
        await SaveAsync(two.Say(alice, "before the pusher"));
        await StartAsync();
        await SetPusherAsync(bob);
        await SaveAsync(one.Say(alice, "a"));
        Assert.Equal(2, (await gateway.NextAsync()).GetProperty("counts").GetProperty("unread").GetInt32());
        await ReadAsync(one);
        var counts = await gateway.NextAsync();
        Assert.Equal(1, counts.GetProperty("counts").GetProperty("unread").GetInt32());
        Assert.False(counts.TryGetProperty("event_id", out _));
        await ReadAsync(two);
        Assert.Equal(0, (await gateway.NextAsync()).GetProperty("counts").GetProperty("unread").GetInt32());
    }

    [Fact]
    public async Task What_was_redacted_is_in_no_badge()
    {
        var (one, two, three) = (Room.Version("11").With(alice, bob), Room.Version("11").With(alice, bob), Room.Version("11").With(alice, bob));
        await SaveAsync(one.Say(alice, "taken back before the pusher"));
        await SaveAsync(two);
        await SaveAsync(three);
        await RedactAsync(one);
        await StartAsync();
        await SetPusherAsync(bob);
        await SaveAsync(two.Say(alice, "a"));
        Assert.Equal(1, (await gateway.NextAsync()).GetProperty("counts").GetProperty("unread").GetInt32());
        await SaveAsync(three.Say(alice, "b"));
        Assert.Equal(2, (await gateway.NextEventAsync()).GetProperty("counts").GetProperty("unread").GetInt32());
        await RedactAsync(three);
        var counts = await gateway.NextAsync();
        Assert.Equal(1, counts.GetProperty("counts").GetProperty("unread").GetInt32());
        Assert.False(counts.TryGetProperty("event_id", out _));
    }

    /// <summary>The newest event of the room; it is redacted before the redaction is announced, as persisters do it.</summary>
    private async Task RedactAsync(Room room)
    {
        await ExecuteAsync("update events set flags = flags | 8 where event_id = $1", room.Last.EventId);
        await SaveAsync(room.Redact(alice, room.Last.EventId));
    }

    private async Task ReadAsync(Room room)
    {
        var position = long.Parse((await ScalarAsync(
            "select s.pos from event_stream s join events e using (event_nid) where e.event_id = $1", room.Last.EventId))!);
        await AppendAsync(Replication.Streams.Receipts, room.RoomId, new ReceiptRow(bob.Id, "m.read", "", room.Last.EventId, position, 0).Encode());
    }

    [Fact]
    public async Task A_rejected_push_key_is_forgotten()
    {
        var room = Room.Version("11").With(alice, bob);
        await SaveAsync(room);
        await StartAsync();
        await SetPusherAsync(bob);
        var carol = Here.User(unique + "carol");
        await SaveAsync(room.With(carol));
        gateway.Rejected.Add(unique + "key");
        await SaveAsync(room.Say(alice, "ahoy"));
        await gateway.NextAsync();
        await SetPusherAsync(carol, pushkey: "other");
        await SaveAsync(room.Say(alice, "who is there?"));
        Assert.Equal(unique + "other", Text(Assert.Single((await gateway.NextAsync()).GetProperty("devices").EnumerateArray()), "pushkey"));
        await StopAsync();
        Assert.Equal("0", await ScalarAsync("select count(*) from pushers where pushkey = $1", unique + "key"));
        Assert.Equal("1", await ScalarAsync("select count(*) from pushers where pushkey = $1", unique + "other"));
    }

    [Fact]
    public async Task What_could_not_be_delivered_is_tried_again()
    {
        var room = Room.Version("11").With(alice, bob);
        await SaveAsync(room);
        await StartAsync();
        await SetPusherAsync(bob);
        gateway.Statuses.Enqueue(502);
        await SaveAsync(room.Say(alice, "ahoy"));
        var first = await gateway.NextAsync();
        var second = await gateway.NextAsync();
        Assert.Equal(Text(first, "event_id"), Text(second, "event_id"));
    }

    [Fact]
    public async Task A_restart_repeats_nothing_and_misses_nothing()
    {
        var room = Room.Version("11").With(alice, bob);
        await SaveAsync(room);
        await StartAsync();
        await SetPusherAsync(bob);
        await SaveAsync(room.Say(alice, "before"));
        await gateway.NextAsync();
        await StopAsync();
        await SaveAsync(room.Say(alice, "meanwhile"));
        var meanwhile = room.Last.EventId;
        await StartAsync();
        Assert.Equal(meanwhile, Text(await gateway.NextAsync(), "event_id"));
        await SaveAsync(room.Say(alice, "after"));
        Assert.Equal(room.Last.EventId, Text(await gateway.NextAsync(), "event_id"));
        Assert.False(gateway.HasMore);
    }

    [Fact]
    public async Task A_gateway_in_a_blocked_range_is_never_asked()
    {
        var room = Room.Version("11").With(alice, bob);
        await SaveAsync(room);
        await StartAsync(c => c with { IpRangeBlacklist = ["127.0.0.0/8"] });
        await SetPusherAsync(bob);
        await SaveAsync(room.Say(alice, "ahoy"));
        var failing = "";
        while (string.IsNullOrEmpty(failing))
        {
            await Task.Yield();
            failing = await ScalarAsync("select failing_since_ts_ms from pushers where pushkey = $1", unique + "key");
        }
        Assert.Equal(0, gateway.Count);
    }
}
