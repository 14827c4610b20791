using System.Text.Json;

namespace Matrix.ServiceTests.ClientApi;

public sealed class RelationTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private static string Room(string room, string rest) => $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/{rest}";
    private static string RoomV1(string room, string rest) => $"/_matrix/client/v1/rooms/{Uri.EscapeDataString(room)}/{rest}";
    private static string[] Ids(JsonElement events) => [.. events.EnumerateArray().Select(e => e.GetProperty("event_id").GetString()!)];
    private static JsonElement? Bundle(JsonElement e) =>
        e.TryGetProperty("unsigned", out var u) && u.TryGetProperty("m.relations", out var r) ? r : null;

    private Task<Answer> TryRelateAsync(TestUser user, string room, string relType, string parent, string type = "m.room.message", string? key = null, object? more = null) =>
        api.PutAsync(user, Room(room, $"send/{type}/{Guid.NewGuid():N}"), JsonSerializer.Serialize(new Dictionary<string, object?>
        {
            ["body"] = "* x", ["m.new_content"] = more,
            ["m.relates_to"] = key is null ? new { rel_type = relType, event_id = parent } : (object)new { rel_type = relType, event_id = parent, key },
        }.Where(p => p.Value is not null).ToDictionary(p => p.Key, p => p.Value)));

    private async Task<string> RelateAsync(TestUser user, string room, string relType, string parent, string type = "m.room.message", string? key = null) =>
        (await TryRelateAsync(user, room, relType, parent, type, key)).RequireOk().Text("event_id");

    private async Task<string> EditAsync(TestUser user, string room, string parent, string body, string type = "m.room.message") =>
        (await TryRelateAsync(user, room, "m.replace", parent, type, more: new { body })).RequireOk().Text("event_id");

    private async Task<JsonElement> EventAsync(TestUser user, string room, string id) => (await api.GetAsync(user, Room(room, $"event/{id}"))).RequireOk().Body;

    private async Task<(TestUser Alice, TestUser Bob, string Room, string Root)> BeginAsync()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        var room = await api.CreateRoomAsync(alice);
        await api.JoinAsync(bob, room);
        return (alice, bob, room, await api.SayAsync(alice, room, "root"));
    }

    [Fact]
    public async Task Children_are_paged_both_ways_and_filtered()
    {
        var (alice, bob, room, root) = await BeginAsync();
        var ids = new List<string>();
        for (var i = 0; i < 5; i++) ids.Add(await RelateAsync(i % 2 == 0 ? alice : bob, room, i < 4 ? "m.reference" : "m.thread", root, i == 1 ? "x.y" : "m.room.message"));
        var all = (await api.GetAsync(bob, RoomV1(room, $"relations/{root}"))).RequireOk();
        Assert.Equal(Enumerable.Reverse(ids), Ids(all.Body.GetProperty("chunk")));
        Assert.False(all.Has("next_batch") || all.Has("prev_batch") || all.Has("recursion_depth"));
        Assert.Equal([ids[4]], Ids((await api.GetAsync(bob, RoomV1(room, $"relations/{root}/m.thread"))).RequireOk().Body.GetProperty("chunk")));
        Assert.Equal([ids[1]], Ids((await api.GetAsync(bob, RoomV1(room, $"relations/{root}/m.reference/x.y"))).RequireOk().Body.GetProperty("chunk")));
        foreach (var dir in new[] { "b", "f" })
        {
            var seen = new List<string>();
            for (string? from = null; ;)
            {
                var page = (await api.GetAsync(bob, RoomV1(room, $"relations/{root}?limit=2&dir={dir}" + (from is null ? "" : "&from=" + from)))).RequireOk();
                Assert.InRange(page.Body.GetProperty("chunk").GetArrayLength(), 1, 2);
                Assert.Equal(from, page.Has("prev_batch") ? page.Text("prev_batch") : null);
                seen.AddRange(Ids(page.Body.GetProperty("chunk")));
                if (!page.Has("next_batch")) break;
                from = page.Text("next_batch");
            }
            Assert.Equal(dir == "f" ? ids : Enumerable.Reverse(ids), seen);
        }
    }

    [Fact]
    public async Task Recursion_follows_what_matches_the_filter_and_three_steps()
    {
        var (alice, _, room, root) = await BeginAsync();
        var one = await RelateAsync(alice, room, "m.reference", root);
        var two = await RelateAsync(alice, room, "m.reference", one);
        var three = await RelateAsync(alice, room, "x.other", two);
        var four = await RelateAsync(alice, room, "m.reference", three);
        await RelateAsync(alice, room, "m.reference", four);
        var deep = (await api.GetAsync(alice, RoomV1(room, $"relations/{root}?recurse=true"))).RequireOk();
        Assert.Equal([three, two, one], Ids(deep.Body.GetProperty("chunk")));
        Assert.Equal(3, deep.Body.GetProperty("recursion_depth").GetInt32());
        Assert.Equal([two, one], Ids((await api.GetAsync(alice, RoomV1(room, $"relations/{root}/m.reference?recurse=true"))).RequireOk().Body.GetProperty("chunk")));
        Assert.Equal([one], Ids((await api.GetAsync(alice, RoomV1(room, $"relations/{root}?recurse=false"))).RequireOk().Body.GetProperty("chunk")));
    }

    [Fact]
    public async Task A_parent_that_cannot_be_seen_has_no_children()
    {
        var (alice, _, room, root) = await BeginAsync();
        var eve = await api.RegisterUserAsync();
        await RelateAsync(alice, room, "m.reference", root);
        (await api.GetAsync(eve, RoomV1(room, $"relations/{root}"))).Require(404, "M_NOT_FOUND");
        (await api.GetAsync(alice, RoomV1(room, "relations/$nothing"))).Require(404, "M_NOT_FOUND");
        (await api.GetAsync(alice, RoomV1(await api.CreateRoomAsync(alice), $"relations/{root}"))).Require(404, "M_NOT_FOUND");
        (await api.GetAsync(null, RoomV1(room, $"relations/{root}"))).Require(401, "M_MISSING_TOKEN");
        (await api.GetAsync(eve, RoomV1(room, "threads"))).Require(403, "M_FORBIDDEN");
        foreach (var bad in new[] { "dir=x", "limit=0", "limit=-1", "limit=x", "from=nonsense", "to=nonsense", "recurse=perhaps" })
            (await api.GetAsync(alice, RoomV1(room, $"relations/{root}?{bad}"))).Require(400, "M_INVALID_PARAM");
        foreach (var bad in new[] { "include=some", "limit=0", "from=nonsense" })
            (await api.GetAsync(alice, RoomV1(room, $"threads?{bad}"))).Require(400, "M_INVALID_PARAM");
    }

    [Fact]
    public async Task The_newest_valid_edit_is_bundled_and_the_content_stays()
    {
        var (alice, bob, room, root) = await BeginAsync();
        await EditAsync(alice, room, root, "first");
        var second = await EditAsync(alice, room, root, "second");
        await EditAsync(bob, room, root, "of another");
        await EditAsync(alice, room, root, "of another type", "x.y");
        await RelateAsync(alice, room, "m.replace", root);          // without new content
        await EditAsync(alice, room, second, "of an edit");
        var e = await EventAsync(bob, room, root);
        Assert.Equal("root", e.GetProperty("content").GetProperty("body").GetString());
        var edit = Bundle(e)!.Value.GetProperty("m.replace");
        Assert.Equal(second, edit.GetProperty("event_id").GetString());
        Assert.Equal("second", edit.GetProperty("content").GetProperty("m.new_content").GetProperty("body").GetString());
        Assert.Equal(room, edit.GetProperty("room_id").GetString());
        Assert.Null(Bundle(await EventAsync(bob, room, second)));
        Assert.False(Bundle(e)!.Value.TryGetProperty("m.thread", out _));

        (await api.PutAsync(alice, Room(room, $"redact/{second}/r1"), new { })).RequireOk();
        Assert.Equal("first", Bundle(await EventAsync(bob, room, root))!.Value.GetProperty("m.replace").GetProperty("content").GetProperty("m.new_content").GetProperty("body").GetString());
        (await api.PutAsync(alice, Room(room, $"redact/{root}/r2"), new { })).RequireOk();
        Assert.Null(Bundle(await EventAsync(bob, room, root)));
        Assert.Equal(4, (await api.GetAsync(bob, RoomV1(room, $"relations/{root}/m.replace"))).RequireOk().Body.GetProperty("chunk").GetArrayLength());
    }

    [Fact]
    public async Task State_events_and_those_they_edit_get_no_aggregations()
    {
        var (alice, _, room, root) = await BeginAsync();
        var topic = await api.SetStateAsync(alice, room, "m.room.topic", new { topic = "x" });
        await EditAsync(alice, room, topic, "y", "m.room.topic");
        await RelateAsync(alice, room, "m.reference", topic);
        Assert.Null(Bundle(await EventAsync(alice, room, topic)));
        await api.SetStateAsync(alice, room, "m.room.message", new Dictionary<string, object>
        {
            ["m.new_content"] = new { body = "state" }, ["m.relates_to"] = new { rel_type = "m.replace", event_id = root },
        });
        Assert.Null(Bundle(await EventAsync(alice, room, root)));
    }

    [Fact]
    public async Task A_thread_is_summed_up_with_its_latest_event_and_what_that_one_has()
    {
        var (alice, bob, room, root) = await BeginAsync();
        var carol = await api.RegisterUserAsync();
        await api.JoinAsync(carol, room);
        await RelateAsync(bob, room, "m.thread", root);
        var last = await RelateAsync(bob, room, "m.thread", root);
        await EditAsync(bob, room, last, "edited");
        var reference = await RelateAsync(carol, room, "m.reference", root);

        foreach (var (user, participated) in new[] { (alice, true), (bob, true), (carol, false) })
        {
            var bundle = Bundle(await EventAsync(user, room, root))!.Value;
            var thread = bundle.GetProperty("m.thread");
            Assert.Equal(2, thread.GetProperty("count").GetInt32());
            Assert.Equal(participated, thread.GetProperty("current_user_participated").GetBoolean());
            Assert.Equal(last, thread.GetProperty("latest_event").GetProperty("event_id").GetString());
            Assert.Equal("edited", Bundle(thread.GetProperty("latest_event"))!.Value.GetProperty("m.replace").GetProperty("content").GetProperty("m.new_content").GetProperty("body").GetString());
            Assert.Equal([reference], Ids(bundle.GetProperty("m.reference").GetProperty("chunk")));
        }
        (await api.PutAsync(carol, $"/_matrix/client/v3/user/{carol.Id}/account_data/m.ignored_user_list", $$"""{"ignored_users":{"{{bob.Id}}":{} } }""")).RequireOk();
        Assert.False(Bundle(await EventAsync(carol, room, root))!.Value.TryGetProperty("m.thread", out _));
        Assert.Empty(Ids((await api.GetAsync(carol, RoomV1(room, $"relations/{root}/m.thread"))).RequireOk().Body.GetProperty("chunk")));
    }

    [Fact]
    public async Task Every_endpoint_that_shows_events_bundles()
    {
        var (alice, bob, room, root) = await BeginAsync();
        var child = await RelateAsync(bob, room, "m.thread", root);
        await EditAsync(bob, room, child, "edited");
        string[] With(JsonElement events) => [.. events.EnumerateArray().Where(e => Bundle(e) is not null).Select(e => e.GetProperty("event_id").GetString()!)];
        Assert.Equal([child, root], With((await api.GetAsync(alice, Room(room, "messages?dir=b&limit=50"))).RequireOk().Body.GetProperty("chunk")));
        var context = (await api.GetAsync(alice, Room(room, $"context/{root}?limit=4"))).RequireOk().Body;
        Assert.NotNull(Bundle(context.GetProperty("event")));
        Assert.Equal([child], With(context.GetProperty("events_after")));
        Assert.Equal([child], With((await api.GetAsync(alice, RoomV1(room, $"relations/{root}"))).RequireOk().Body.GetProperty("chunk")));
        Assert.Equal([root], With((await api.GetAsync(alice, RoomV1(room, "threads"))).RequireOk().Body.GetProperty("chunk")));
    }

    [Fact]
    public async Task What_was_written_after_somebody_left_is_not_told_to_him()
    {
        var (alice, bob, room, root) = await BeginAsync();
        var seen = await EditAsync(alice, room, root, "seen");
        await api.LeaveAsync(bob, room);
        await EditAsync(alice, room, root, "secret");
        await RelateAsync(alice, room, "m.thread", root);
        var bundle = Bundle(await EventAsync(bob, room, root))!.Value;
        Assert.Equal(seen, bundle.GetProperty("m.replace").GetProperty("event_id").GetString());
        Assert.False(bundle.TryGetProperty("m.thread", out _));
        Assert.Equal([seen], Ids((await api.GetAsync(bob, RoomV1(room, $"relations/{root}"))).RequireOk().Body.GetProperty("chunk")));
        Assert.Empty(Ids((await api.GetAsync(bob, RoomV1(room, "threads"))).RequireOk().Body.GetProperty("chunk")));
    }

    [Fact]
    public async Task Threads_are_listed_by_their_latest_event()
    {
        var (alice, bob, room, first) = await BeginAsync();
        var second = await api.SayAsync(bob, room, "second");
        var third = await api.SayAsync(bob, room, "third");
        await RelateAsync(bob, room, "m.thread", third);
        await RelateAsync(bob, room, "m.thread", first);
        await RelateAsync(bob, room, "m.thread", second);
        async Task<string[]> Threads(TestUser user, string query = "") =>
            Ids((await api.GetAsync(user, RoomV1(room, "threads" + query))).RequireOk().Body.GetProperty("chunk"));
        Assert.Equal([second, first, third], await Threads(alice));
        Assert.Equal([first], await Threads(alice, "?include=participated"));
        await RelateAsync(alice, room, "m.thread", third);
        Assert.Equal([third, second, first], await Threads(alice));
        Assert.Equal([third, first], await Threads(alice, "?include=participated"));

        var page = (await api.GetAsync(alice, RoomV1(room, "threads?limit=2"))).RequireOk();
        Assert.Equal([third, second], Ids(page.Body.GetProperty("chunk")));
        var rest = (await api.GetAsync(alice, RoomV1(room, "threads?limit=2&from=" + page.Text("next_batch")))).RequireOk();
        Assert.Equal([first], Ids(rest.Body.GetProperty("chunk")));
        Assert.False(rest.Has("next_batch"));

        (await api.PutAsync(alice, $"/_matrix/client/v3/user/{alice.Id}/account_data/m.ignored_user_list", $$"""{"ignored_users":{"{{bob.Id}}":{} } }""")).RequireOk();
        var own = (await api.GetAsync(alice, RoomV1(room, "threads"))).RequireOk().Body.GetProperty("chunk");
        Assert.Equal([third], Ids(own));
        Assert.Equal("{}", own[0].GetProperty("content").GetRawText());
    }

    [Fact]
    public async Task The_same_annotation_is_taken_once_until_it_is_redacted()
    {
        var (alice, bob, room, root) = await BeginAsync();
        var thumb = await RelateAsync(alice, room, "m.annotation", root, "m.reaction", "👍");
        (await TryRelateAsync(alice, room, "m.annotation", root, "m.reaction", "👍")).Require(400, "M_DUPLICATE_ANNOTATION");
        await RelateAsync(bob, room, "m.annotation", root, "m.reaction", "👍");
        await RelateAsync(alice, room, "m.annotation", root, "m.reaction", "👎");
        await RelateAsync(alice, room, "m.annotation", root, "x.reaction", "👍");
        Assert.Null(Bundle(await EventAsync(alice, room, root)));
        (await api.PutAsync(alice, Room(room, $"redact/{thumb}/r1"), new { })).RequireOk();
        await RelateAsync(alice, room, "m.annotation", root, "m.reaction", "👍");
        var both = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => TryRelateAsync(bob, room, "m.annotation", root, "m.reaction", "🎉")));
        Assert.Equal(3, both.Count(a => a.Code == "M_DUPLICATE_ANNOTATION"));
    }

    [Fact]
    public async Task A_repeated_transaction_is_no_duplicate_annotation()
    {
        var (alice, _, room, root) = await BeginAsync();
        var body = JsonSerializer.Serialize(new Dictionary<string, object> { ["m.relates_to"] = new { rel_type = "m.annotation", event_id = root, key = "x" } });
        var first = (await api.PutAsync(alice, Room(room, "send/m.reaction/same"), body)).RequireOk().Text("event_id");
        Assert.Equal(first, (await api.PutAsync(alice, Room(room, "send/m.reaction/same"), body)).RequireOk().Text("event_id"));
    }

    [Fact]
    public async Task No_thread_begins_with_a_child_and_no_relation_leads_to_another_room()
    {
        var (alice, _, room, root) = await BeginAsync();
        var child = await RelateAsync(alice, room, "m.reference", root);
        (await TryRelateAsync(alice, room, "m.thread", child)).Require(400, "M_UNKNOWN");
        (await TryRelateAsync(alice, await api.CreateRoomAsync(alice), "m.reference", root)).Require(400, "M_UNKNOWN");
        (await TryRelateAsync(alice, room, "m.thread", "$unknown")).RequireOk();
    }

    [Fact]
    public async Task State_of_ignored_users_is_among_the_children()
    {
        var (alice, bob, room, root) = await BeginAsync();
        await RelateAsync(alice, room, "m.reference", root);
        var state = await api.SetStateAsync(alice, room, "x.state", new Dictionary<string, object> { ["m.relates_to"] = new { rel_type = "m.reference", event_id = root } });
        (await api.PutAsync(bob, $"/_matrix/client/v3/user/{bob.Id}/account_data/m.ignored_user_list", $$"""{"ignored_users":{"{{alice.Id}}":{} } }""")).RequireOk();
        Assert.Equal([state], Ids((await api.GetAsync(bob, $"/_matrix/client/v1/rooms/{Uri.EscapeDataString(room)}/relations/{root}")).RequireOk().Body.GetProperty("chunk")));
    }

    [Fact]
    public async Task Messages_can_be_asked_for_that_others_relate_to()
    {
        var (alice, bob, room, root) = await BeginAsync();
        var plain = await api.SayAsync(alice, room, "plain");
        var second = await api.SayAsync(alice, room, "second");
        await RelateAsync(bob, room, "m.thread", root);
        await RelateAsync(alice, room, "m.reference", second);
        async Task<string[]> Messages(string filter) =>
            Ids((await api.GetAsync(alice, Room(room, $"messages?dir=b&limit=1&filter={Uri.EscapeDataString(filter)}"))).RequireOk().Body.GetProperty("chunk"));
        Assert.Equal([root], await Messages("""{"related_by_rel_types":["m.thread"]}"""));
        Assert.Equal([second], await Messages($$"""{"related_by_senders":["{{alice.Id}}"]}"""));
        Assert.Empty(await Messages($$"""{"related_by_rel_types":["m.thread"],"related_by_senders":["{{alice.Id}}"]}"""));
        Assert.DoesNotContain(plain, await Messages("""{"related_by_rel_types":["m.thread","m.reference"]}"""));
    }
}
