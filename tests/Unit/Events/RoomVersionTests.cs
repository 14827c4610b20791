using System.Text;
using Matrix.Events;

namespace Matrix.Unit.Events;

public class RoomVersionTests
{
    [Fact]
    public void The_table_has_the_twelve_versions_in_order()
    {
        Assert.Equal(Enumerable.Range(1, 12).Select(i => i.ToString(System.Globalization.CultureInfo.InvariantCulture)), RoomVersions.All.Select(v => v.Id));
        Assert.All(RoomVersions.All, v => Assert.Same(v, RoomVersions.Find(v.Id)));
        Assert.All(RoomVersions.All, v => Assert.True(v.Stable));
        Assert.Null(RoomVersions.Find("org.example.custom"));
        Assert.NotNull(RoomVersions.Find(RoomVersions.DefaultId));
    }

    /// <summary>From the feature columns of the room version documents: what changes, and in which version it begins.</summary>
    [Fact]
    public void Every_rule_begins_where_its_specification_says()
    {
        string First(Func<RoomVersion, bool> has)
        {
            var first = RoomVersions.All.First(has);
            var last = RoomVersions.All.Last(has);
            return last.Id == "12" ? first.Id : $"{first.Id}-{last.Id}";
        }
        Assert.Equal("1-2", First(v => v.EventIds == EventIdFormat.ServerGiven));
        Assert.Equal("3-3", First(v => v.EventIds == EventIdFormat.HashStandard));
        Assert.Equal("4", First(v => v.EventIds == EventIdFormat.HashUrlSafe));
        Assert.Equal("1-1", First(v => v.Resolution == StateResolution.V1));
        Assert.Equal("2-11", First(v => v.Resolution == StateResolution.V2));
        Assert.Equal("12", First(v => v.Resolution == StateResolution.V2_1));
        Assert.Equal("1-2", First(v => v.RedactionAuthRule));
        Assert.Equal("1-5", First(v => v.SpecialAliasesAuth));
        Assert.Equal("5", First(v => v.EnforceKeyValidity));
        Assert.Equal("6", First(v => v.StrictCanonicalJson));
        Assert.Equal("6", First(v => v.LimitNotificationsPowerLevels));
        Assert.Equal("7", First(v => v.Knocking));
        Assert.Equal("8", First(v => v.RestrictedJoins));
        Assert.Equal("9", First(v => v.RestrictedJoinRedactionFix));
        Assert.Equal("10", First(v => v.KnockRestricted));
        Assert.Equal("10", First(v => v.IntegerPowerLevels));
        Assert.Equal("11", First(v => v.RedactsInContent));
        Assert.Equal("11", First(v => v.ImplicitCreator));
        Assert.Equal("11", First(v => v.UpdatedRedaction));
        Assert.Equal("12", First(v => v.RoomIdIsCreateHash));
        Assert.Equal("12", First(v => v.PrivilegedCreators));
    }

    [Theory]
    [InlineData("m.room.member", """{"membership":"join","join_authorised_via_users_server":"@a:b","third_party_invite":{"display_name":"x","signed":{"a":1}},"x":1}""",
        "1", """{"membership":"join"}""", "9", """{"join_authorised_via_users_server":"@a:b","membership":"join"}""",
        "11", """{"join_authorised_via_users_server":"@a:b","membership":"join","third_party_invite":{"signed":{"a":1}}}""")]
    [InlineData("m.room.create", """{"creator":"@a:b","m.federate":true,"x":1}""",
        "1", """{"creator":"@a:b"}""", "10", """{"creator":"@a:b"}""", "11", """{"creator":"@a:b","m.federate":true,"x":1}""")]
    [InlineData("m.room.join_rules", """{"allow":[],"join_rule":"restricted","x":1}""",
        "7", """{"join_rule":"restricted"}""", "8", """{"allow":[],"join_rule":"restricted"}""", "12", """{"allow":[],"join_rule":"restricted"}""")]
    [InlineData("m.room.power_levels", """{"ban":1,"events":{},"events_default":1,"invite":1,"kick":1,"notifications":{},"redact":1,"state_default":1,"users":{},"users_default":1}""",
        "1", """{"ban":1,"events":{},"events_default":1,"kick":1,"redact":1,"state_default":1,"users":{},"users_default":1}""",
        "10", """{"ban":1,"events":{},"events_default":1,"kick":1,"redact":1,"state_default":1,"users":{},"users_default":1}""",
        "11", """{"ban":1,"events":{},"events_default":1,"invite":1,"kick":1,"redact":1,"state_default":1,"users":{},"users_default":1}""")]
    [InlineData("m.room.aliases", """{"aliases":["#a:b"],"x":1}""", "5", """{"aliases":["#a:b"]}""", "6", "{}", "12", "{}")]
    [InlineData("m.room.history_visibility", """{"history_visibility":"shared","x":1}""",
        "1", """{"history_visibility":"shared"}""", "6", """{"history_visibility":"shared"}""", "12", """{"history_visibility":"shared"}""")]
    [InlineData("m.room.redaction", """{"reason":"x","redacts":"$a"}""", "1", "{}", "10", "{}", "11", """{"redacts":"$a"}""")]
    [InlineData("m.room.message", """{"body":"x"}""", "1", "{}", "10", "{}", "12", "{}")]
    public void Redaction_keeps_of_the_content_what_each_version_protects(
        string type, string content, string v1, string expected1, string v2, string expected2, string v3, string expected3)
    {
        foreach (var (version, expected) in new[] { (v1, expected1), (v2, expected2), (v3, expected3) })
        {
            var json = Encoding.UTF8.GetBytes(
                $$"""{"unsigned":{},"auth_events":[],"content":{{content}},"origin":"o","membership":"m","prev_state":[],"redacts":"$x","extra":1,"type":"{{type}}"}""");
            var top = version is "11" or "12" ? "" : ",\"membership\":\"m\",\"origin\":\"o\",\"prev_state\":[]";
            Assert.Equal($$"""{"auth_events":[],"content":{{expected}}{{top}},"type":"{{type}}"}""",
                Encoding.UTF8.GetString(Redaction.Redact(json, RoomVersions.Find(version)!)));
        }
    }

    [Fact]
    public void A_third_party_invite_that_is_no_object_does_not_survive()
    {
        Assert.Equal("""{"content":{},"type":"m.room.member"}""", Encoding.UTF8.GetString(
            Redaction.Redact("""{"type":"m.room.member","content":{"third_party_invite":"x"}}"""u8, RoomVersions.V11)));
    }
}
