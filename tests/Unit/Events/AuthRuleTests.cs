using System.Text;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.Testing;

namespace Matrix.Unit.Events;

/// <summary>Create events, auth events, and whatever is no membership.</summary>
public class AuthRuleTests : AuthRuleScene
{
    // Create events

    [Theory]
    [InlineData("11", """{"room_version":"11"}""", true)]
    [InlineData("11", """{"room_version":"99"}""", false)]
    [InlineData("11", """{"room_version":11}""", false)]
    [InlineData("11", "{}", true)]
    [InlineData("10", """{"room_version":"10"}""", false)]
    [InlineData("10", """{"room_version":"10","creator":"@alice:a.example"}""", true)]
    [InlineData("12", """{"room_version":"12","additional_creators":["@bob:b.example"]}""", true)]
    [InlineData("12", """{"room_version":"12","additional_creators":[]}""", true)]
    [InlineData("12", """{"room_version":"12","additional_creators":"@bob:b.example"}""", false)]
    [InlineData("12", """{"room_version":"12","additional_creators":["bob"]}""", false)]
    [InlineData("12", """{"room_version":"12","additional_creators":[7]}""", false)]
    [InlineData("12", """{"room_version":"12","additional_creators":null}""", false)]
    [InlineData("11", """{"room_version":"11","additional_creators":"@bob:b.example"}""", true)]
    public void Create_events_say_what_their_version_wants(string version, string content, bool allowed)
    {
        var id = version == "12" ? null : "!x:a.example";
        var draft = new EventDraft(id, EventTypes.Create, "", Alice, Encoding.UTF8.GetBytes(content), 1, 1, [], []);
        Assert.Null(EventBuilder.TryBuild(draft, RoomVersions.Find(version)!, "a.example", Alice.Server.Key, Ed25519.Default, out var create));
        Assert.Equal(allowed, AuthRules.Check(create!, new Vectors.MapState()).Allowed);
    }

    [Fact]
    public void A_version_12_create_event_with_a_room_id_is_no_event()
    {
        var draft = new EventDraft("!x:a.example", EventTypes.Create, "", Alice, "{}"u8.ToArray(), 1, 1, [], []);
        Assert.NotNull(EventBuilder.TryBuild(draft, RoomVersions.V12, "a.example", Alice.Server.Key, Ed25519.Default, out var none));
        Assert.Null(none);
    }

    [Fact]
    public void A_version_12_event_belongs_to_the_room_of_its_create_event()
    {
        var room = Room.Version("12").With(Alice);
        var other = Room.Version("12").With(Alice, Bob);
        Assert.False(AuthRules.Check(other.Forged(Alice, EventTypes.Message, "{}"), room).Allowed);
        Assert.True(AuthRules.Check(room.Forged(Alice, EventTypes.Message, "{}"), room).Allowed);
    }

    [Fact]
    public void An_event_of_another_room_is_refused_before_version_12_too()
    {
        var room = Room.Version("11").With(Alice);
        var other = Room.Version("11").With(Alice);
        Assert.False(AuthRules.Check(other.Forged(Alice, EventTypes.Message, "{}"), room).Allowed);
    }

    // Auth events

    [Theory]
    [InlineData("11", true)]
    [InlineData("12", false)]
    public void The_create_event_is_selected_before_version_12_only(string version, bool selected)
    {
        var room = Room.Version(version).With(Alice).Say(Alice, "x");
        var create = room.Get(EventTypes.Create)!;
        Assert.Equal(selected, room.Last.AuthEvents.Contains(create.EventId));
        var auth = room.Last.AuthEvents.Select(room.Dag.Find).ToList();
        Assert.True(AuthRules.CheckAuthEvents(room.Last, auth, _ => false).Allowed);
        if (selected) auth.Remove(create);
        else auth.Add(create);
        Assert.False(AuthRules.CheckAuthEvents(room.Last, auth, _ => false).Allowed);
    }

    [Fact]
    public void Auth_events_are_known_accepted_single_selected_and_of_the_room()
    {
        var room = Room.Version("11").With(Alice, Bob).Say(Alice, "x");
        var e = room.Last;
        Pdu?[] auth = [.. e.AuthEvents.Select(room.Dag.Find)];
        AuthVerdict Check(params Pdu?[] events) => AuthRules.CheckAuthEvents(e, events, _ => false);
        Assert.True(Check(auth).Allowed);
        Assert.False(Check([.. auth, null]).Allowed);
        Assert.False(Check([.. auth, auth[0]]).Allowed);
        Assert.False(Check([.. auth, room.Get(EventTypes.Member, Bob)]).Allowed);
        Assert.False(Check([.. auth, e]).Allowed);
        Assert.False(AuthRules.CheckAuthEvents(e, auth, id => id == auth[1]!.EventId).Allowed);
        var other = Room.Version("11").With(Alice);
        Assert.False(Check([.. auth.Take(1), other.Get(EventTypes.PowerLevels)]).Allowed);
    }

    [Fact]
    public void A_member_event_selects_what_its_membership_needs()
    {
        string[] Select(string content, string target, RoomVersion version) =>
            [.. AuthRules.SelectKeys(EventTypes.Member, target, Alice, Encoding.UTF8.GetBytes(content), version).Select(k => k.ToString())];
        Assert.Equal(
            ["(m.room.power_levels, )", "(m.room.member, @alice:a.example)", "(m.room.join_rules, )", "(m.room.member, @bob:b.example)"],
            Select("""{ "membership": "join", "join_authorised_via_users_server": "@bob:b.example" }""", Alice, RoomVersions.V12));
        Assert.DoesNotContain("(m.room.member, @bob:b.example)",
            Select("""{"membership":"join","join_authorised_via_users_server":"@bob:b.example"}""", Alice, RoomVersions.V7));
        Assert.Contains("(m.room.third_party_invite, tok)",
            Select("""{"membership":"invite","third_party_invite":{"signed":{"token":"tok"}}}""", Bob, RoomVersions.V11));
        Assert.DoesNotContain("(m.room.join_rules, )", Select("""{"membership":"leave"}""", Bob, RoomVersions.V11));
        Assert.Contains("(m.room.join_rules, )", Select("""{"membership":"knock"}""", Alice, RoomVersions.V11));
    }

    [Fact]
    public void Federation_can_be_switched_off()
    {
        var room = Room.Version("11").With(Alice, Bob);
        var create = room.Forged(Alice, EventTypes.Create, """{"m.federate":false}""", "");
        var state = new Vectors.MapState(room.State.Values.Select(id => room.Dag.Find(id)!).Where(e => e.Type != EventTypes.Create).Append(create));
        Assert.False(AuthRules.Check(room.Forged(Bob, EventTypes.Message, "{}"), state).Allowed);
        Assert.True(AuthRules.Check(room.Forged(Alice, EventTypes.Message, "{}"), state).Allowed);
    }

    // Everything else

    [Fact]
    public void Sending_needs_membership_and_the_level_of_the_type()
    {
        var room = Levelled("11", 50, ""","events":{"m.secret":60,"m.free":0},"events_default":10,"state_default":50""");
        Assert.True(May(room, Bob, "m.room.message", "{}"));
        Assert.False(May(room, Carol, "m.room.message", "{}"));
        Assert.True(May(room, Carol, "m.free", "{}"));
        Assert.True(May(room, Carol, "m.free", "{}", ""));
        Assert.False(May(room, Bob, "m.secret", "{}"));
        Assert.True(May(room, Bob, "m.room.topic", "{}", ""));
        Assert.False(May(room, Dave, "m.free", "{}"));
    }

    [Fact]
    public void State_without_a_power_level_event_is_the_creators()
    {
        var room = Room.Version("11").Public().With(Alice, Bob);
        var state = new Vectors.MapState(room.State.Values.Select(id => room.Dag.Find(id)!).Where(e => e.Type != EventTypes.PowerLevels));
        Assert.True(AuthRules.Check(room.Forged(Alice, "m.room.topic", "{}", ""), state).Allowed);
        Assert.False(AuthRules.Check(room.Forged(Bob, "m.room.topic", "{}", ""), state).Allowed);
        Assert.True(AuthRules.Check(room.Forged(Bob, "m.room.message", "{}"), state).Allowed);
    }

    [Fact]
    public void A_state_key_of_a_user_is_that_users()
    {
        var room = Levelled("11", 50);
        Assert.True(May(room, Bob, "m.beacon", "{}", Bob));
        Assert.False(May(room, Bob, "m.beacon", "{}", Alice));
        Assert.False(May(room, Bob, "m.beacon", "{}", Bob.Id + "x"));
    }

    [Theory]
    [InlineData("1", true)]
    [InlineData("2", true)]
    [InlineData("3", false)]
    [InlineData("12", false)]
    public void Redactions_are_judged_by_the_rules_in_versions_1_and_2_alone(string version, bool judged)
    {
        var room = Levelled(version, 0).Say(Carol, "x");
        var said = room.Last.EventId;
        if (judged) Assert.Throws<InvalidOperationException>(() => room.Redact(Bob, said));
        else room.Redact(Bob, said);
        room.Redact(Carol, said).Redact(Alice, said);
        var levels = PowerLevels.Read(room.Get(EventTypes.Create)!, room.Get(EventTypes.PowerLevels));
        Assert.True(AuthRules.MayRedact(room.Last, room.Dag.Find(said)!, levels));
        if (!judged) Assert.False(AuthRules.MayRedact(room.Forged(Bob, EventTypes.Redaction, "{}"), room.Dag.Find(said)!, levels));
    }

    [Theory]
    [InlineData("5", true)]
    [InlineData("6", false)]
    public void Aliases_were_the_servers_own_up_to_version_5(string version, bool special)
    {
        var room = Levelled(version, 0);
        Assert.Equal(special, May(room, Carol, EventTypes.Aliases, "{}", "c.example"));
        Assert.False(May(room, Carol, EventTypes.Aliases, "{}", "b.example"));
        // Not even membership is asked for.
        Assert.Equal(special, May(room, Dave, EventTypes.Aliases, "{}", "d.example"));
    }
}
