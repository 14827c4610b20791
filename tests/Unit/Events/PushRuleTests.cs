using System.Text;
using System.Text.Json;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Testing;

namespace Matrix.Unit.Events;

public class PushRuleTests
{
    private static readonly TestUser Alice = TestUser.Of("alice");
    private static readonly TestUser Bob = TestUser.Of("bob");

    private static PushEvent Message(string content, long members = 10, Action<Room>? before = null)
    {
        var room = Room.Version("11").With(Alice, Bob);
        before?.Invoke(room);
        room.Send(Alice, "m.room.message", content);
        return Of(room, members);
    }

    private static PushEvent Of(Room room, long members) =>
        new(room.Last, PowerLevels.Read(room.Get("m.room.create")!, room.Get("m.room.power_levels")), members);

    private static PushOutcome Default(PushEvent e, string? name = null) => PushRuleSet.Default.Evaluate(e, new PushUser(Bob, name));

    private static PushRuleSet Rules(string kind, string rule) => PushRuleSet.Parse(Encoding.UTF8.GetBytes($$"""{"{{kind}}":[{{rule}}]}"""))!;

    [Fact]
    public void A_message_notifies_and_has_a_sound_between_two()
    {
        Assert.Equal((true, false, null), Outcome(Default(Message("""{"body":"hi","msgtype":"m.text"}"""))));
        Assert.Equal((true, false, "default"), Outcome(Default(Message("""{"body":"hi","msgtype":"m.text"}""", members: 2))));
    }

    private static (bool, bool, string?) Outcome(PushOutcome o) => (o.Notify, o.Highlight, o.Sound);

    [Fact]
    public void Notices_edits_reactions_and_own_messages_do_not_notify()
    {
        Assert.False(Default(Message("""{"body":"hi","msgtype":"m.notice"}""")).Notify);
        Assert.False(Default(Message("""{"body":"hi","m.relates_to":{"rel_type":"m.replace"}}""")).Notify);
        Assert.False(PushRuleSet.Default.Evaluate(Message("""{"body":"hi"}"""), new PushUser(Alice)).Notify);
        Assert.False(Default(Of(Room.Version("11").With(Alice, Bob).Send(Alice, "m.reaction", "{}"), 2)).Notify);
    }

    [Fact]
    public void A_mention_highlights_for_the_mentioned_alone()
    {
        var e = Message("""{"body":"hi","m.mentions":{"user_ids":["@bob:example.org"]}}""");
        Assert.Equal((true, true, "default"), Outcome(Default(e)));
        Assert.Equal((true, false, null), Outcome(PushRuleSet.Default.Evaluate(e, new PushUser("@carol:example.org"))));
        Assert.True(e.Concerns(Bob));
        Assert.False(e.Concerns("@carol:example.org"));
        Assert.Equal((true, false, null), Outcome(PushRuleSet.Default.Evaluate(e, PushUser.Anybody)));
    }

    [Fact]
    public void A_room_mention_needs_the_level()
    {
        const string Content = """{"body":"hi","m.mentions":{"room":true}}""";
        Assert.True(Default(Message(Content)).Highlight);
        Assert.False(Default(Message(Content, before: r => r.Levels(Alice, (Alice, 49), (Bob, 50)))).Highlight);
        Assert.False(Default(Message("""{"body":"hi","m.mentions":{"room":"true"}}""")).Highlight);
    }

    [Fact]
    public void An_invite_notifies_the_invited()
    {
        var e = Of(Room.Version("11").With(Alice).Invite(Bob), 1);
        Assert.Equal((true, false, "default"), Outcome(Default(e)));
        Assert.False(PushRuleSet.Default.Evaluate(e, new PushUser("@carol:example.org")).Notify);
    }

    [Theory]
    [InlineData("coffee", "I want Coffee!", true)]
    [InlineData("coffee", "coffees", false)]
    [InlineData("coffee", "_coffee", false)]
    [InlineData("coffee", "coffeeé", true)]
    [InlineData("ex*ple", "An example event.", true)]
    [InlineData("ex*ple", "exple", true)]
    [InlineData("ex*ple", "An exciting triple-whammy", true)]
    [InlineData("ex*ple", "flex ample", false)]
    [InlineData("c?t", "a cat sat", true)]
    [InlineData("c?t", "a coat sat", false)]
    [InlineData(":)", "hello :) you", true)]
    [InlineData("*", "", true)]
    [InlineData("", "anything", true)]
    public void Keywords_match_whole_words_of_the_body(string pattern, string body, bool matches)
    {
        var rules = Rules("content", $$"""{"rule_id":"k","enabled":true,"actions":["notify",{"set_tweak":"highlight"}],"pattern":{{JsonSerializer.Serialize(pattern)}}}""");
        Assert.Equal(matches, rules.Evaluate(Message($$"""{"body":{{JsonSerializer.Serialize(body)}}}"""), new PushUser(Bob)).Highlight);
    }

    [Fact]
    public void A_long_hostile_pattern_ends()
    {
        var pattern = string.Concat(Enumerable.Repeat("*a", 50));
        Assert.False(WordGlob.Matches(pattern + "b", new string('a', 20_000)));
        Assert.False(Glob.Matches(pattern + "b", new string('a', 20_000)));
    }

    [Theory]
    [InlineData("""{"kind":"event_match","key":"content.topic","pattern":"lunc?*"}""", """{"topic":"Lunch plans"}""", true)]
    [InlineData("""{"kind":"event_match","key":"content.topic","pattern":"lunc?*"}""", """{"topic":" lunch"}""", false)]
    [InlineData("""{"kind":"event_match","key":"content.topic","pattern":"lunc?*"}""", """{"topic":"lunc"}""", false)]
    [InlineData("""{"kind":"event_match","key":"content.topic","pattern":"*"}""", """{"topic":null}""", false)]
    [InlineData("""{"kind":"event_match","key":"content.a\\.b.c","pattern":"x"}""", """{"a.b":{"c":"X"}}""", true)]
    [InlineData("""{"kind":"event_property_is","key":"content.n","value":1}""", """{"n":1}""", true)]
    [InlineData("""{"kind":"event_property_is","key":"content.n","value":1}""", """{"n":"1"}""", false)]
    [InlineData("""{"kind":"event_property_is","key":"content.n","value":true}""", """{"n":1}""", false)]
    [InlineData("""{"kind":"event_property_is","key":"content.n","value":null}""", """{"n":null}""", true)]
    [InlineData("""{"kind":"event_property_is","key":"content.n","value":null}""", """{}""", false)]
    [InlineData("""{"kind":"event_property_is","key":"content.n","value":[]}""", """{"n":[]}""", false)]
    [InlineData("""{"kind":"event_property_contains","key":"content.n","value":"b"}""", """{"n":["a","b"]}""", true)]
    [InlineData("""{"kind":"event_property_contains","key":"content.n","value":"b"}""", """{"n":"b"}""", false)]
    [InlineData("""{"kind":"contains_display_name"}""", """{"body":"hello BOBBY, hi"}""", true)]
    [InlineData("""{"kind":"contains_display_name"}""", """{"body":"bobbys"}""", false)]
    [InlineData("""{"kind":"room_member_count","is":"10"}""", "{}", true)]
    [InlineData("""{"kind":"room_member_count","is":"==10"}""", "{}", true)]
    [InlineData("""{"kind":"room_member_count","is":">9"}""", "{}", true)]
    [InlineData("""{"kind":"room_member_count","is":"<10"}""", "{}", false)]
    [InlineData("""{"kind":"room_member_count","is":"<=10"}""", "{}", true)]
    [InlineData("""{"kind":"room_member_count","is":">=11"}""", "{}", false)]
    [InlineData("""{"kind":"room_member_count","is":"ten"}""", "{}", false)]
    [InlineData("""{"kind":"sender_notification_permission","key":"room"}""", "{}", true)]
    [InlineData("""{"kind":"something_new"}""", "{}", false)]
    public void Conditions_hold_as_the_spec_says(string condition, string content, bool holds)
    {
        var rules = Rules("override", $$"""{"rule_id":"c","enabled":true,"actions":["notify",{"set_tweak":"sound","value":"ding"}],"conditions":[{{condition}}]}""");
        Assert.Equal(holds, rules.Evaluate(Message(content), new PushUser(Bob, "Bobby")).Sound == "ding");
    }

    [Fact]
    public void Room_and_sender_rules_name_theirs()
    {
        var e = Message("""{"body":"hi"}""");
        Assert.False(Rules("room", $$"""{"rule_id":"{{e.Event.RoomId}}","enabled":true,"actions":["dont_notify"]}""").Evaluate(e, new PushUser(Bob)).Notify);
        Assert.False(Rules("sender", $$"""{"rule_id":"{{Alice}}","enabled":true,"actions":[]}""").Evaluate(e, new PushUser(Bob)).Notify);
        Assert.True(Rules("sender", $$"""{"rule_id":"{{Alice}}","enabled":false,"actions":[]}""").Evaluate(e, new PushUser(Bob)).Notify);
    }

    [Fact]
    public void The_default_rules_are_written_as_the_spec_lists_them()
    {
        using var buffer = new PooledBuffer();
        PushRuleSet.Default.WriteGlobal(buffer, Bob);
        var expected = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Vectors", "data", "push-rules-default.json"))
            .Replace("[the user's Matrix ID]", Bob.Id, StringComparison.Ordinal);
        using var document = JsonDocument.Parse(expected);
        using var actual = JsonDocument.Parse(buffer.Written.ToArray());
        foreach (var kind in actual.RootElement.EnumerateObject())
        {
            var wanted = CanonicalJson.Of(Encoding.UTF8.GetBytes(document.RootElement.GetProperty(kind.Name).GetRawText()));
            Assert.Equal(Encoding.UTF8.GetString(wanted), kind.Value.GetRawText());
        }
    }

    [Fact]
    public void Users_without_own_rules_share_one_set()
    {
        using var buffer = new PooledBuffer();
        PushRuleSet.Default.Write(buffer, Bob);
        Assert.Same(PushRuleSet.Default, PushRuleSet.Parse(buffer.Written));
        Assert.Same(PushRuleSet.Default, PushRuleSet.Parse("{}"u8));
    }

    [Fact]
    public void Stored_switches_of_default_rules_stay_and_own_rules_come_between_master_and_defaults()
    {
        var set = PushRuleSet.Parse("""
            {"global":{"override":[{"rule_id":".m.rule.master","enabled":true,"actions":[]},{"rule_id":"mine","enabled":true,"actions":["notify"]},
            {"rule_id":".m.rule.gone","enabled":true,"actions":["notify"]}]}}
            """u8)!;
        Assert.Equal([".m.rule.master", "mine", ".m.rule.suppress_notices"], set[PushRuleKind.Override].Take(3).Select(r => r.RuleId));
        Assert.True(set.Find(PushRuleKind.Override, ".m.rule.master")!.Enabled);
        Assert.Null(set.Find(PushRuleKind.Override, ".m.rule.gone"));
        Assert.False(set.Evaluate(Message("""{"body":"hi"}"""), new PushUser(Bob)).Notify);
        using var buffer = new PooledBuffer();
        set.Write(buffer, Bob);
        using var again = new PooledBuffer();
        PushRuleSet.Parse(buffer.Written)!.Write(again, Bob);
        Assert.Equal(Encoding.UTF8.GetString(buffer.Written), Encoding.UTF8.GetString(again.Written));
    }

    [Fact]
    public void Rules_are_added_moved_and_removed()
    {
        static PushRule Rule(string id) => new() { RuleId = id, IsDefault = id[0] == '.', Enabled = true, Actions = PushActions.None };
        string[] Own(PushRuleSet s) => [.. s[PushRuleKind.Override].Where(r => !r.IsDefault).Select(r => r.RuleId)];
        var set = PushRuleSet.Default.With(PushRuleKind.Override, Rule("a"))!.With(PushRuleKind.Override, Rule("b"))!;
        Assert.Equal(["b", "a"], Own(set));
        Assert.Equal(".m.rule.master", set[PushRuleKind.Override][0].RuleId);
        Assert.Equal(["b", "c", "a"], Own(set.With(PushRuleKind.Override, Rule("c"), before: "a")!));
        Assert.Equal(["a", "b"], Own(set.With(PushRuleKind.Override, Rule("b"), after: "a")!));
        Assert.Null(set.With(PushRuleKind.Override, Rule("c"), before: "nobody"));
        Assert.Null(set.With(PushRuleKind.Override, Rule(".m.mine")));
        Assert.Equal(["a"], Own(set.Without(PushRuleKind.Override, "b")!));
        Assert.Null(set.Without(PushRuleKind.Override, ".m.rule.master"));
        var off = set.Change(PushRuleKind.Underride, ".m.rule.message", r => r.With(enabled: false))!;
        Assert.False(off.Evaluate(Message("""{"body":"hi"}"""), new PushUser(Bob)).Notify);
    }
}
