using System.Text;

namespace Matrix.ServiceTests.EventPersister;

/// <summary>Limits of the specification, with what a client hears. Spec: client-server-api/#size-limits, rooms/v*, #room-membership</summary>
public sealed class LimitTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    private static string E(string part) => Uri.EscapeDataString(part);

    /// <remarks>255 bytes are allowed, in whatever characters.</remarks>
    [Theory]
    [InlineData("a", 255, 200, null)]
    [InlineData("a", 256, 413, "M_TOO_LARGE")]
    [InlineData("é", 127, 200, null)]
    [InlineData("é", 128, 413, "M_TOO_LARGE")]
    [InlineData("𠀀", 63, 200, null)]
    [InlineData("𠀀", 64, 413, "M_TOO_LARGE")]
    public async Task Event_types_and_state_keys_have_255_bytes(string unit, int count, int status, string? code)
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        var text = new StringBuilder().Insert(0, unit, count).ToString();
        foreach (var answer in new[]
        {
            await alice.PutAsync($"/rooms/{E(room)}/send/{E(text)}/{User.NewTxn()}", "{}"),
            await alice.PutAsync($"/rooms/{E(room)}/state/{E(text)}/", "{}"),
            await alice.PutAsync($"/rooms/{E(room)}/state/x.y/{E(text)}", "{}"),
        })
            Assert.True(answer.Status == status && answer.Code == code, $"{answer.Status} {answer.Body}");
    }

    [Theory]
    [InlineData("1")]
    [InlineData("6")]
    [InlineData("12")]
    public async Task An_event_has_65536_bytes_with_all_that_belongs_to_it(string version)
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync(new { room_version = version });
        (await alice.SendAsync(room, "x")).Ok();
        var overhead = (await fixture.TimelineAsync(room))[^1].Pdu.Json.Length - 1;
        (await alice.SendAsync(room, new string('x', 65_536 - overhead - 200))).Ok();
        (await alice.SendAsync(room, new string('x', 65_536 - overhead + 200))).Is(413, "M_TOO_LARGE");
        (await alice.SendAsync(room, new string('é', 40_000))).Is(413, "M_TOO_LARGE");
    }

    [Theory]
    [InlineData("""{"users":{"ALICE":100.5}}""", "*", 400, "M_BAD_JSON")]
    [InlineData("""{"users":{"ALICE":"100"}}""", "10", 400, "M_BAD_JSON")]
    [InlineData("""{"users":{"ALICE":"100"}}""", "9", 400, "M_BAD_JSON")]
    [InlineData("""{"users":{"ALICE":null}}""", "*", 400, "M_BAD_JSON")]
    [InlineData("""{"users":{"ALICE":9007199254740992}}""", "*", 400, "M_BAD_JSON")]
    [InlineData("""{"users":[]}""", "*", 400, "M_BAD_JSON")]
    [InlineData("""{"events":7}""", "*", 400, "M_BAD_JSON")]
    [InlineData("""{"notifications":{"room":"50"}}""", "*", 400, "M_BAD_JSON")]
    [InlineData("""{"kick":{}}""", "*", 400, "M_BAD_JSON")]
    [InlineData("""{"users":{"ALICE":100,"nobody":1}}""", "*", 403, "M_FORBIDDEN")]
    [InlineData("""{"users":{"ALICE":101}}""", "11", 403, "M_FORBIDDEN")]
    [InlineData("""{"users":{"ALICE":100},"events_default":101}""", "11", 403, "M_FORBIDDEN")]
    [InlineData("""{"users":{"ALICE":100}}""", "12", 403, "M_FORBIDDEN")]
    [InlineData("""{"users":{"ALICE":100},"ban":7,"users_default":3}""", "11", 200, null)]
    public async Task Power_levels_have_a_shape(string content, string versions, int status, string? code)
    {
        foreach (var version in versions == "*" ? ["1", "5", "9", "10", "11"] : versions.Split(','))
        {
            var alice = await fixture.NewUserAsync();
            var room = await alice.CreateRoomAsync(new { room_version = version });
            var answer = await alice.PutAsync($"/rooms/{E(room)}/state/m.room.power_levels", content.Replace("ALICE", alice.Id, StringComparison.Ordinal));
            Assert.True(answer.Status == status && answer.Code == code, $"version {version}: {answer.Status} {answer.Body}");
        }
    }

    /// <summary>From: what the target's membership is before.</summary>
    [Theory]
    [InlineData("none", "join:200 invite:200 kick:403:M_FORBIDDEN ban:200 unban:403:M_BAD_STATE leave:403:M_FORBIDDEN knock:403:M_FORBIDDEN")]
    [InlineData("invite", "join:200 invite:200 kick:200 ban:200 unban:403:M_BAD_STATE leave:200 knock:403:M_FORBIDDEN")]
    [InlineData("join", "join:200 invite:403:M_FORBIDDEN kick:200 ban:200 unban:403:M_BAD_STATE leave:200 knock:403:M_FORBIDDEN")]
    [InlineData("leave", "join:200 invite:200 kick:403:M_FORBIDDEN ban:200 unban:403:M_BAD_STATE leave:200 knock:403:M_FORBIDDEN")]
    [InlineData("ban", "join:403:M_FORBIDDEN invite:403:M_BAD_STATE kick:403:M_BAD_STATE ban:200 unban:200 leave:403:M_FORBIDDEN knock:403:M_FORBIDDEN")]
    public async Task Each_membership_goes_to_each_other_one_or_says_why_not(string from, string outcomes)
    {
        foreach (var outcome in outcomes.Split(' '))
        {
            var (alice, bob) = (await fixture.NewUserAsync(), await fixture.NewUserAsync());
            var room = await alice.CreateRoomAsync(new { preset = "public_chat" });
            if (from is "invite") (await alice.InviteAsync(room, bob)).Ok();
            if (from is "join" or "leave") (await bob.JoinAsync(room)).Ok();
            if (from is "leave") (await bob.LeaveAsync(room)).Ok();
            if (from is "ban") (await alice.ActAsync(room, "ban", bob)).Ok();
            var expected = outcome.Split(':');
            var answer = expected[0] switch
            {
                "join" => await bob.JoinAsync(room),
                "leave" => await bob.LeaveAsync(room),
                "knock" => await bob.PostAsync($"/knock/{E(room)}"),
                var action => await alice.ActAsync(room, action, bob),
            };
            Assert.True($"{answer.Status}" == expected[1] && answer.Code == expected.ElementAtOrDefault(2), $"{from} {outcome}: {answer.Status} {answer.Body}");
        }
    }

    [Theory]
    [InlineData("knock", "7", 200, null)]
    [InlineData("knock", "6", 403, "M_FORBIDDEN")]
    [InlineData("knock_restricted", "10", 200, null)]
    [InlineData("knock_restricted", "9", 403, "M_FORBIDDEN")]
    [InlineData("invite", "12", 403, "M_FORBIDDEN")]
    [InlineData("public", "12", 403, "M_FORBIDDEN")]
    public async Task Knocking_takes_a_rule_and_a_version(string rule, string version, int status, string? code)
    {
        var (alice, bob) = (await fixture.NewUserAsync(), await fixture.NewUserAsync());
        var room = await alice.CreateRoomAsync(new { room_version = version });
        (await alice.SetStateAsync(room, "m.room.join_rules", "", new { join_rule = rule })).Ok();
        foreach (var prefix in new[] { "r0", "v3", "unstable" })
        {
            var answer = await fixture.One.SendAsync(HttpMethod.Post, bob.Token, $"/_matrix/client/{prefix}/knock/{E(room)}", new { reason = "please" });
            Assert.True(answer.Status == status && answer.Code == code, $"{prefix}: {answer.Status} {answer.Body}");
        }
        if (status != 200) return;
        (await bob.JoinAsync(room)).Is(403, "M_FORBIDDEN");
        (await alice.InviteAsync(room, bob)).Ok();
        (await bob.JoinAsync(room)).Ok();
        (await bob.PostAsync($"/knock/{E(room)}")).Is(403, "M_FORBIDDEN");
    }

    [Fact]
    public async Task A_new_room_is_refused_for_what_is_wrong_with_it()
    {
        var alice = await fixture.NewUserAsync();
        async Task Refused(object body, int status, string code) => (await alice.PostAsync("/createRoom", body)).Is(status, code);
        await Refused(new { room_version = "99" }, 400, "M_UNSUPPORTED_ROOM_VERSION");
        await Refused(new { room_version = 6 }, 400, "M_BAD_JSON");
        await Refused(new { visibility = "hidden" }, 400, "M_BAD_JSON");
        await Refused(new { preset = "party" }, 400, "M_BAD_JSON");
        await Refused(new { room_alias_name = "with:colon" }, 400, "M_INVALID_PARAM");
        await Refused(new { room_alias_name = new string('x', 255) }, 400, "M_INVALID_PARAM");
        await Refused(new { invite = new[] { "nonsense" } }, 400, "M_INVALID_PARAM");
        await Refused(new { invite = Enumerable.Range(0, 501).Select(i => $"@u{i}:test.example") }, 400, "M_INVALID_PARAM");
        await Refused(new { initial_state = new[] { new { type = "x" } } }, 400, "M_BAD_JSON");
        await Refused(new { initial_state = new[] { 7 } }, 400, "M_BAD_JSON");
        await Refused(new { creation_content = new Dictionary<string, object> { ["m.federate"] = "no" } }, 400, "M_BAD_JSON");
        await Refused(new { power_level_content_override = new { users = new Dictionary<string, object> { ["nobody"] = 1 } } }, 400, "M_INVALID_ROOM_STATE");
        await Refused(new { name = new string('x', 70_000) }, 413, "M_TOO_LARGE");
        var closed = await alice.CreateRoomAsync(new { creation_content = new Dictionary<string, object> { ["m.federate"] = false } });
        var create = (await fixture.StateAsync(closed))[new("m.room.create", "")];
        Assert.Contains("\"m.federate\":false", Encoding.UTF8.GetString(create.Pdu.Content.Span), StringComparison.Ordinal);
    }
}
