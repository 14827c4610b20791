using System.Buffers;
using System.Text;
using System.Text.Json;
using Matrix.Events;

namespace Matrix.Unit.Events;

/// <summary>The default rules, written out from the specification by hand. Spec: client-server-api/#predefined-rules (v1.19)</summary>
public sealed class DefaultPushRuleTests
{
    private const string Sound = """{"set_tweak":"sound","value":"default"}""";
    private const string Highlight = """{"set_tweak":"highlight"}""";
    private const string OneToOne = """{"is":"2","kind":"room_member_count"}""";

    private static string Match(string key, string pattern) => $$"""{"key":"{{key}}","kind":"event_match","pattern":"{{pattern}}"}""";

    public static TheoryData<string, int, string, bool, string[], string[]> Rules { get; } = new()
    {
        { "override", 0, ".m.rule.master", false, [], [] },
        { "override", 1, ".m.rule.suppress_notices", true, [Match("content.msgtype", "m.notice")], [] },
        {
            "override", 2, ".m.rule.invite_for_me", true,
            [Match("type", "m.room.member"), Match("content.membership", "invite"), Match("state_key", "@me:example.org")], ["\"notify\"", Sound]
        },
        { "override", 3, ".m.rule.member_event", true, [Match("type", "m.room.member")], [] },
        {
            "override", 4, ".m.rule.is_user_mention", true,
            ["""{"key":"content.m\\.mentions.user_ids","kind":"event_property_contains","value":"@me:example.org"}"""], ["\"notify\"", Sound, Highlight]
        },
        {
            "override", 5, ".m.rule.is_room_mention", true,
            ["""{"key":"content.m\\.mentions.room","kind":"event_property_is","value":true}""", """{"key":"room","kind":"sender_notification_permission"}"""], ["\"notify\"", Highlight]
        },
        { "override", 6, ".m.rule.tombstone", true, [Match("type", "m.room.tombstone"), Match("state_key", "")], ["\"notify\"", Highlight] },
        { "override", 7, ".m.rule.reaction", true, [Match("type", "m.reaction")], [] },
        { "override", 8, ".m.rule.room.server_acl", true, [Match("type", "m.room.server_acl"), Match("state_key", "")], [] },
        { "override", 9, ".m.rule.suppress_edits", true, ["""{"key":"content.m\\.relates_to.rel_type","kind":"event_property_is","value":"m.replace"}"""], [] },
        { "underride", 0, ".m.rule.call", true, [Match("type", "m.call.invite")], ["\"notify\"", """{"set_tweak":"sound","value":"ring"}"""] },
        { "underride", 1, ".m.rule.encrypted_room_one_to_one", true, [OneToOne, Match("type", "m.room.encrypted")], ["\"notify\"", Sound] },
        { "underride", 2, ".m.rule.room_one_to_one", true, [OneToOne, Match("type", "m.room.message")], ["\"notify\"", Sound] },
        { "underride", 3, ".m.rule.message", true, [Match("type", "m.room.message")], ["\"notify\""] },
        { "underride", 4, ".m.rule.encrypted", true, [Match("type", "m.room.encrypted")], ["\"notify\""] },
    };

    [Theory]
    [MemberData(nameof(Rules))]
    public void Each_default_rule_is_the_specification_s(string kind, int place, string id, bool enabled, string[] conditions, string[] actions)
    {
        var rule = Global().GetProperty(kind)[place];
        Assert.Equal(id, rule.GetProperty("rule_id").GetString());
        Assert.Equal((true, enabled), (rule.GetProperty("default").GetBoolean(), rule.GetProperty("enabled").GetBoolean()));
        Assert.Equal(conditions, rule.GetProperty("conditions").EnumerateArray().Select(c => c.GetRawText()));
        Assert.Equal(actions, rule.GetProperty("actions").EnumerateArray().Select(a => a.GetRawText()));
    }

    [Fact]
    public void There_are_no_others()
    {
        var global = Global();
        Assert.Equal(Rules.Count, global.EnumerateObject().Sum(kind => kind.Value.GetArrayLength()));
        Assert.Equal(["content", "override", "room", "sender", "underride"], global.EnumerateObject().Select(k => k.Name).Order(StringComparer.Ordinal));
    }

    private static JsonElement Global()
    {
        var buffer = new ArrayBufferWriter<byte>();
        PushRuleSet.Default.WriteGlobal(buffer, "@me:example.org");
        using var json = JsonDocument.Parse(Encoding.UTF8.GetString(buffer.WrittenSpan));
        return json.RootElement.Clone();
    }
}
