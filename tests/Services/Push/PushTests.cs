using Matrix.Testing;
using Matrix.Testing.Servers;

namespace Matrix.ServiceTests.Push;

/// <summary>What is pushed to whom.</summary>
public sealed class PushTests(PostgresFixture postgres) : PushScene(postgres)
{
    [Fact]
    public async Task A_message_is_pushed_to_the_others_once_and_by_its_id_alone()
    {
        var room = Room.Version("11").With(Alice, Bob);
        await SaveAsync(room);
        await StartAsync();
        await SetPusherAsync(Alice, pushkey: "alice");
        await SetPusherAsync(Bob);
        await SaveAsync(room.Say(Alice, "ahoy"));
        var n = await Gateway.NextAsync();
        Assert.Equal((room.Last.EventId, room.RoomId), (Text(n, "event_id"), Text(n, "room_id")));
        Assert.Equal(1, n.GetProperty("counts").GetProperty("unread").GetInt32());
        Assert.False(n.TryGetProperty("content", out _));
        var device = Assert.Single(n.GetProperty("devices").EnumerateArray());
        Assert.Equal((Unique + "key", "org.example.app", 12345), (Text(device, "pushkey"), Text(device, "app_id"), device.GetProperty("pushkey_ts").GetInt32()));
        Assert.Equal("""{"format":"event_id_only","other":1}""", device.GetProperty("data").GetRawText());
        await SaveAsync(room.Say(Alice, "and again"));
        Assert.Equal(room.Last.EventId, Text(await Gateway.NextAsync(), "event_id"));
        Assert.False(Gateway.HasMore);
    }

    [Fact]
    public async Task A_room_without_a_name_goes_by_its_alias()
    {
        var room = Room.Version("11").With(Alice, Bob);
        room.Set(Alice, "m.room.canonical_alias", """{"alias":"#harbour:test.example"}""");
        await SaveAsync(room);
        await StartAsync();
        await SetPusherAsync(Bob, format: null);
        await SaveAsync(room.Say(Alice, "come here"));
        var n = await Gateway.NextAsync();
        Assert.Equal(("#harbour:test.example", "#harbour:test.example"), (Text(n, "room_name"), Text(n, "room_alias")));
    }

    [Fact]
    public async Task A_gateway_that_wants_more_gets_names_and_content()
    {
        var room = Room.Version("11").With(Alice, Bob, Here.User(Unique + "carol"));      // three: no sound
        room.Set(Alice, "m.room.name", """{"name":"Harbour"}""").Set(Alice, "m.room.canonical_alias", """{"alias":"#harbour:test.example"}""");
        room.Set(Alice, "m.room.member", """{"membership":"join","displayname":"Alice"}""", Alice.Id);
        await SaveAsync(room);
        await StartAsync();
        await SetPusherAsync(Bob, format: null);
        await SaveAsync(room.Say(Alice, "come here"));
        var n = await Gateway.NextAsync();
        Assert.Equal(("m.room.message", Alice.Id, "Alice", "Harbour", "#harbour:test.example"),
            (Text(n, "type"), Text(n, "sender"), Text(n, "sender_display_name"), Text(n, "room_name"), Text(n, "room_alias")));
        Assert.Equal("come here", Text(n.GetProperty("content"), "body"));
        Assert.Equal("low", Text(n, "prio"));
        await SaveAsync(room.Send(Alice, "m.room.message", $$"""{"body":"x","msgtype":"m.text","m.mentions":{"user_ids":["{{Bob.Id}}"] } }"""));
        var mention = await Gateway.NextAsync();
        Assert.Equal("high", Text(mention, "prio"));
        var tweaks = Assert.Single(mention.GetProperty("devices").EnumerateArray()).GetProperty("tweaks");
        Assert.True(tweaks.GetProperty("highlight").GetBoolean());
        Assert.Equal("default", Text(tweaks, "sound"));
    }

    [Fact]
    public async Task Rules_of_the_user_decide_and_a_change_counts_at_once()
    {
        var (muted, loud) = (Room.Version("11").With(Alice, Bob), Room.Version("11").With(Alice, Bob));
        await SaveAsync(muted);
        await SaveAsync(loud);
        await StartAsync();
        await SetPusherAsync(Bob);
        await SaveAsync(muted.Say(Alice, "one"));
        Assert.Equal(muted.Last.EventId, Text(await Gateway.NextAsync(), "event_id"));
        await SetRulesAsync(Bob, $$"""{"global":{"room":[{"rule_id":"{{muted.RoomId}}","actions":[],"enabled":true,"default":false}] } }""");
        await SaveAsync(muted.Say(Alice, "two"));
        await SaveAsync(loud.Say(Alice, "three"));
        var n = await Gateway.NextAsync();
        Assert.Equal(loud.Last.EventId, Text(n, "event_id"));
        Assert.Equal(1, n.GetProperty("counts").GetProperty("unread").GetInt32());
    }

    [Fact]
    public async Task An_invite_is_pushed_and_who_left_hears_no_more()
    {
        var (room, other) = (Room.Version("11").With(Alice), Room.Version("11").With(Alice, Bob));
        await SaveAsync(room);
        await SaveAsync(other);
        await StartAsync();
        await SetPusherAsync(Bob, format: null);
        await SaveAsync(room.Invite(Bob));
        var n = await Gateway.NextAsync();
        Assert.Equal((room.Last.EventId, "invite"), (Text(n, "event_id"), Text(n, "membership")));
        Assert.True(n.GetProperty("user_is_target").GetBoolean());
        await SaveAsync(room.Join(Bob).Leave(Bob).Say(Alice, "he is gone"));
        await SaveAsync(other.Say(Alice, "he is here"));
        Assert.Equal(other.Last.EventId, Text(await Gateway.NextEventAsync(), "event_id"));
    }
}
