namespace Matrix.ServiceTests.Sync;

/// <summary>Sliding sync: what is not in rooms.</summary>
public sealed class SlidingExtensionTests(SyncFixture fixture) : IClassFixture<SyncFixture>
{
    private static readonly string[][] Name = [["m.room.name", ""]];

    [Fact]
    public async Task Extensions_tell_what_is_not_in_rooms()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var (room, other) = (await alice.CreateRoomAsync(), await alice.CreateRoomAsync());
        await bob.JoinAsync(room);
        var id = await alice.SayAsync(room, "x");
        await bob.ReceiptAsync(room, id);
        await alice.SetRoomDataAsync(room, "x.room", new { n = 1 });
        await alice.SetAccountDataAsync("x.global", new { n = 1 });
        await bob.SendToDeviceAsync(alice, "x.message", new { n = 1 });
        var enabled = new { enabled = true };
        var extensions = new { to_device = enabled, e2ee = enabled, account_data = enabled, receipts = enabled, typing = enabled };
        var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(), extensions));
        var first = await client.StepAsync();
        Assert.NotNull(first.Extension("receipts", "rooms", room, "content", id, "m.read", bob.Id));
        Assert.Equal("m.receipt", first.Extension("receipts", "rooms", room)!.Value.Text("type"));
        Assert.Equal("x.room", first.Extension("account_data", "rooms", room)!.Value[0].Text("type"));
        Assert.Contains(first.Extension("account_data", "global")!.Value.EnumerateArray(), d => d.Text("type") == "x.global");
        Assert.Contains(first.Extension("account_data", "global")!.Value.EnumerateArray(), d => d.Text("type") == "m.push_rules");
        Assert.Equal("x.message", first.Extension("to_device", "events")!.Value[0].Text("type"));
        Assert.NotNull(first.Extension("e2ee", "device_one_time_keys_count"));
        Assert.Null(first.Extension("typing"));

        var seen = first.Extension("to_device")!.Value.Text("next_batch");
        client.Body = SlidingClient.Lists(SlidingClient.List(), new { to_device = new { enabled = true, since = seen }, account_data = enabled, receipts = enabled, typing = enabled, e2ee = enabled });
        var quiet = await client.StepAsync(at: fixture.Two);
        Assert.Equal(0, quiet.Extension("to_device", "events")!.Value.GetArrayLength());
        Assert.True(quiet.Extension("account_data") is null && quiet.Extension("receipts") is null && quiet.Extension("typing") is null, quiet.Json.ToString());

        await bob.TypingAsync(room, true);
        var typing = await client.UntilAsync(a => a.Extension("typing") is not null, fixture.Two);
        Assert.Equal(bob.Id, typing.Extension("typing", "rooms", room, "content", "user_ids")!.Value[0].GetString());
        Assert.Empty(typing.RoomIds);
        var second = await alice.SayAsync(room, "y");
        await bob.ReceiptAsync(room, second);
        await alice.SetRoomDataAsync(other, "x.room", new { n = 2 });
        await bob.SendToDeviceAsync(alice, "x.message", new { n = 2 });
        var next = await client.StepAsync(at: fixture.One);
        Assert.NotNull(next.Extension("receipts", "rooms", room, "content", second, "m.read", bob.Id));
        Assert.Equal(2, next.Extension("account_data", "rooms", other)!.Value[0].GetProperty("content").GetProperty("n").GetInt32());
        Assert.Equal(0, next.Extension("account_data", "global")!.Value.GetArrayLength());
        Assert.Equal(1, next.Extension("to_device", "events")!.Value.GetArrayLength());
    }

    [Fact]
    public async Task What_extensions_missed_while_a_room_was_out_of_range_comes_when_it_is_back()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var (one, two) = (await alice.CreateRoomAsync(), await alice.CreateRoomAsync());
        await bob.JoinAsync(two);
        var id = await bob.SayAsync(two, "x");
        var enabled = new { enabled = true };
        var extensions = new { account_data = enabled, receipts = enabled };
        var client = new SlidingClient(alice, SlidingClient.Lists(SlidingClient.List(to: 0), extensions));
        await client.StepAsync();
        await alice.SayAsync(one, "on top");
        Assert.Equal([one], (await client.StepAsync()).RoomIds);
        await alice.SetRoomDataAsync(two, "x.room", new { n = 1 });
        await alice.ReceiptAsync(two, id);
        var quiet = await client.StepAsync();
        Assert.Null(quiet.Extension("account_data", "rooms", two));
        client.Body = SlidingClient.Lists(SlidingClient.List(to: 1), extensions);
        var back = await client.StepAsync(at: fixture.Two);
        // Nothing was said there, but he has read.
        Assert.Equal((0, 0), (back.Room(two)!.Timeline.Count, back.Room(two)!.Json.GetProperty("notification_count").GetInt32()));
        Assert.Equal("x.room", back.Extension("account_data", "rooms", two)!.Value[0].Text("type"));
        Assert.NotNull(back.Extension("receipts", "rooms", two, "content", id, "m.read", alice.Id));
    }

    [Fact]
    public async Task Extensions_keep_to_the_lists_and_rooms_that_they_are_asked_for()
    {
        var (alice, bob) = (fixture.NewUser(), fixture.NewUser());
        var (one, two) = (await alice.CreateRoomAsync(), await alice.CreateRoomAsync());
        foreach (var room in new[] { one, two }) await alice.SetRoomDataAsync(room, "x.room", new { n = 1 });
        var subscription = new Dictionary<string, object> { [two] = new { timeline_limit = 1, required_state = Name } };
        SlidingClient Client(object scope) => new(alice, SlidingClient.Lists(SlidingClient.List(to: 1), new { account_data = scope }, subscription));
        async Task<List<string>> RoomsAsync(SlidingClient client) =>
            (await client.StepAsync()).Extension("account_data", "rooms") is { } rooms ? [.. rooms.EnumerateObject().Select(r => r.Name)] : [];
        Assert.Equal(new[] { one, two }.Order(), (await RoomsAsync(Client(new { enabled = true }))).Order());
        var none = Array.Empty<string>();
        var client = Client(new { enabled = true, lists = none, rooms = new[] { two } });
        Assert.Equal([two], await RoomsAsync(client));
        Assert.Empty(await RoomsAsync(client));
        client.Body = Client(new { enabled = true, lists = new[] { "a" }, rooms = none }).Body;
        Assert.Equal(new[] { one, two }.Order(), (await RoomsAsync(client)).Order());
        Assert.Empty(await RoomsAsync(Client(new { enabled = true, lists = new[] { "b" }, rooms = none })));
        // One that a list has, by its name.
        Assert.Equal([one], await RoomsAsync(Client(new { enabled = true, lists = none, rooms = new[] { one } })));
    }
}
