namespace Matrix.ServiceTests.Specification;

/// <summary>What people write is kept and given back, whatever characters it is made of.</summary>
public sealed class EventTextTests(WholeFixture api) : IClassFixture<WholeFixture>
{
    /// <summary>Names, topics and the like become text of the database.</summary>
    [Theory]
    [InlineData("\\u0000")]
    [InlineData("\\u0001\\u001f\\u007f")]
    [InlineData("\\ud83d\\ude00")]
    [InlineData("\\uffff\\ufdd0")]
    public async Task Any_text_may_stand_in_an_event(string text)
    {
        var user = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(user);
        var wrong = new List<string>();
        var path = $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}";
        foreach (var (type, key, content) in new[]
        {
            ("m.room.name", "", """{"name":"T"}"""), ("m.room.topic", "", """{"topic":"T","m.topic":{"m.text":[{"body":"T","mimetype":"T"}]}}"""),
            ("m.room.canonical_alias", "", """{"alias":"T"}"""), ("m.room.canonical_alias", "", """{"alt_aliases":["#T:test.example"]}"""), ("m.room.history_visibility", "", """{"history_visibility":"T"}"""),
            ("m.room.guest_access", "", """{"guest_access":"T"}"""), ("m.room.member", Uri.EscapeDataString(user.Id), """{"membership":"join","displayname":"T","reason":"T"}"""),
            ("m.room.server_acl", "", """{"allow":["*","T"],"deny":["T"]}"""), ("m.room.pinned_events", "", """{"pinned":["T"]}"""), ("m.room.third_party_invite", "T", """{"display_name":"T","public_key":"T","key_validity_url":"T"}"""),
            ("m.space.child", "!T:test.example", """{"via":["T"],"order":"T"}"""), ("m.space.parent", "!T:test.example", """{"via":["T"]}"""), ("m.room.tombstone", "", """{"body":"T","replacement_room":"T"}"""),
            ("m.room.retention", "", """{"max_lifetime":"T"}"""), ("x.T", "T", """{"T":"T"}"""), ("org.matrix.msc3401.call.member", "", """{"T":{"T":["T"]}}"""), ("m.room.join_rules", "", """{"join_rule":"T","allow":[{"type":"T","room_id":"T"}]}"""),
            ("m.room.power_levels", "", """{"users":{"USER":100,"T":1},"events":{"T":1},"notifications":{"T":1}}"""),
        })
            await TryAsync("PUT", $"{path}/state/{Uri.EscapeDataString(type.Replace("T", "", StringComparison.Ordinal))}/{key}", content.Replace("USER", user.Id, StringComparison.Ordinal).Replace("T", text, StringComparison.Ordinal));
        foreach (var content in new[]
        {
            """{"msgtype":"m.text","body":"T","format":"T","formatted_body":"T"}""", """{"msgtype":"T","body":"T","url":"T","m.mentions":{"user_ids":["T"]}}""",
            """{"m.relates_to":{"rel_type":"m.annotation","event_id":"T","key":"T"}}""", """{"m.relates_to":{"rel_type":"T","event_id":"T"}}""", """{"m.relates_to":{"m.in_reply_to":{"event_id":"T"}}}""",
            """{"m.relates_to":{"rel_type":"m.thread","event_id":"T"}}""", """{"T":{"T":"T"}}""", """{"org.matrix.labels":["T"]}""", """{"m.relates_to":{"rel_type":"m.replace","event_id":"T"},"m.new_content":{"body":"T"}}""",
        })
            await TryAsync("PUT", $"{path}/send/m.room.message/{Guid.NewGuid():N}", content.Replace("T", text, StringComparison.Ordinal));
        await TryAsync("POST", "/_matrix/client/v3/createRoom", """{"preset":"public_chat","visibility":"public","name":"T","topic":"T","creation_content":{"type":"T","T":"T"},"initial_state":[{"type":"T","state_key":"T","content":{"T":"T"}}]}""".Replace("T", text, StringComparison.Ordinal));
        await TryAsync("PUT", $"/_matrix/client/v3/profile/{user.Id}/displayname", $$"""{"displayname":"{{text}}"}""");
        await TryAsync("PUT", $"/_matrix/client/v3/user/{user.Id}/account_data/x", $$"""{"{{text}}":"{{text}}"}""");
        await TryAsync("PUT", $"/_matrix/client/v3/presence/{user.Id}/status", $$"""{"presence":"online","status_msg":"{{text}}"}""");
        await TryAsync("PUT", $"/_matrix/client/v3/sendToDevice/m.x/{Guid.NewGuid():N}", """{"messages":{"USER":{"*":{"T":"T"}}}}""".Replace("USER", user.Id, StringComparison.Ordinal).Replace("T", text, StringComparison.Ordinal));
        foreach (var read in new[] { "/state", "/messages?dir=b&limit=100", "/members", "/joined_members", "/initialSync", "/aliases" }) await TryAsync("GET", path + read, null);
        foreach (var read in new[] { "/_matrix/client/v3/sync?timeout=0", "/_matrix/client/v3/initialSync", "/_matrix/client/v3/publicRooms", $"/_matrix/client/v1/room_summary/{Uri.EscapeDataString(room)}", $"/_matrix/client/v1/rooms/{Uri.EscapeDataString(room)}/hierarchy" })
            await TryAsync("GET", read, null);
        await TryAsync("POST", "/_matrix/client/v3/search", """{"search_categories":{"room_events":{"search_term":"T"}}}""".Replace("T", text, StringComparison.Ordinal));
        await TryAsync("POST", "/_matrix/client/v3/user_directory/search", """{"search_term":"T"}""".Replace("T", text, StringComparison.Ordinal));
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));

        async Task TryAsync(string method, string target, string? json)
        {
            var answer = await Caller.AskAsync(api, user, method, target, json);
            if (answer.StartsWith('5') || method == "GET" && !answer.StartsWith('2')) wrong.Add($"{answer} {method} {target} {json}");
        }
    }
}
