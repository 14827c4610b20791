using System.Text.Json;

namespace Matrix.ServiceTests.Sync;

/// <summary>Requests of sliding sync as clients that are in use send them.</summary>
public sealed class ClientBodyTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private const string RoomList =
        """
        {"conn_id":"room-list","lists":{"all_rooms":{"ranges":[[0,19]],"timeline_limit":1,"filters":{"not_room_types":["m.space"]},"required_state":[
          ["m.room.name",""],["m.room.encryption",""],["m.room.member","$LAZY"],["m.room.member","$ME"],["m.room.topic",""],["m.room.avatar",""],
          ["m.room.canonical_alias",""],["m.room.power_levels",""],["org.matrix.msc3401.call.member","*"],["m.room.join_rules",""],["m.room.tombstone",""],
          ["m.room.create",""],["m.room.history_visibility",""],["io.element.functional_members",""],["m.space.parent","*"],["m.space.child","*"]]}},
         "room_subscriptions":{},
         "extensions":{"account_data":{"enabled":true},"receipts":{"enabled":true,"rooms":["*"]},"typing":{"enabled":true},
           "io.element.msc4308.thread_subscriptions":{"enabled":true,"limit":10}}}
        """;

    private const string Encryption = """{"conn_id":"encryption","lists":{},"room_subscriptions":{},"extensions":{"to_device":{"enabled":true},"e2ee":{"enabled":true}}}""";

    private const string Web =
        """
        {"lists":{"list":{"ranges":[[0,20]],"slow_get_all_rooms":true,"sort":["by_notification_level","by_recency"],"timeline_limit":20,
           "required_state":[["*","*"]],"include_old_rooms":{"timeline_limit":0,"required_state":[["m.room.create",""]]},"filters":{"room_types":[null],"is_tombstoned":false}}},
         "unsubscribe_rooms":["!gone:x"],"txn_id":"m1","clientTimeout":20000,"delta_token":"x",
         "extensions":{"e2ee":{"enabled":true},"to_device":{"enabled":true,"limit":100},"account_data":{"enabled":true},"typing":{"enabled":true},"receipts":{"enabled":true}}}
        """;

    private static async Task<SlidingAnswerView> AskAsync(SyncUser user, string body, string? pos = null, string timeout = "0") => new(await user.CallAsync(
        user.Fixture.One, HttpMethod.Post, $"/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?timeout={timeout}{(pos is null ? "" : "&pos=" + pos)}", body));

    [Fact]
    public async Task The_two_connections_of_a_mobile_client_go_on_beside_each_other()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var room = await alice.CreateRoomAsync(new { preset = "public_chat", name = "Tea" });
        await bob.JoinAsync(room);
        await alice.SayAsync(room, "hello");
        var (rooms, keys) = (await AskAsync(bob, RoomList), await AskAsync(bob, Encryption));
        var told = rooms.Room(room)!;
        Assert.Equal(1, rooms.Json.At("lists", "all_rooms", "count")!.Value.GetInt32());
        Assert.Equal(("Tea", "hello"), (told.Name, Assert.Single(told.Bodies)));
        Assert.Equal(new[] { alice.Id, bob.Id }.Order(), told.State.Where(k => k.StartsWith("m.room.member|", StringComparison.Ordinal)).Select(k => k[14..]).Order());
        Assert.Empty(keys.RoomIds);
        Assert.Equal(0, keys.Extension("e2ee", "device_one_time_keys_count", "signed_curve25519")!.Value.GetInt32());
        await alice.SendToDeviceAsync(bob, "x.hello", new { n = 1 });
        var message = await AskAsync(bob, Encryption, keys.Pos, "10000");
        Assert.Equal(1, message.Extension("to_device", "events")!.Value.GetArrayLength());
        await alice.SayAsync(room, "again");
        Assert.Equal(["again"], (await AskAsync(bob, RoomList, rooms.Pos, "10000")).Room(room)!.Bodies);
    }

    [Fact]
    public async Task What_a_request_names_beyond_the_proposal_is_passed_over()
    {
        var alice = fixture.NewUser();
        var room = await alice.CreateRoomAsync();
        await alice.CreateRoomAsync(new { creation_content = new { type = "m.space" } });
        var first = await AskAsync(alice, Web);
        Assert.Equal([room], first.RoomIds);
        Assert.Equal(["m.push_rules"], first.Extension("account_data", "global")!.Value.EnumerateArray().Select(d => d.Text("type")));
        var second = await AskAsync(alice, Web, first.Pos);
        Assert.Empty(second.RoomIds);
        Assert.Equal(JsonValueKind.Array, second.Json.At("lists", "list", "ops")!.Value.ValueKind);
    }
}
