using System.Text.Json;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Sync.Sliding;

namespace Matrix.Unit.Sync;

public class SlidingStateTests
{
    private const string Me = "@me:x";

    private static RoomConfig Config(string requiredState, int limit = 1, bool isStable = false) =>
        Request("{\"lists\":{\"a\":{\"timeline_limit\":" + limit + ",\"required_state\":" + requiredState + "}}}", isStable).Lists[0].Config;

    private static SlidingRequest Request(string json, bool isStable = false) =>
        new SlidingRequestReader(Me, isStable).Read(JsonDocument.Parse(json).RootElement, "D");

    private static RequiredState Required(string requiredState, bool isStable = false) => Config(requiredState, isStable: isStable).Required;

    [Theory]
    [InlineData("""[["m.room.name",""]]""", "m.room.name", "", true)]
    [InlineData("""[["m.room.name",""]]""", "m.room.name", "x", false)]
    [InlineData("""[["m.space.child","*"]]""", "m.space.child", "!a:x", true)]
    [InlineData("""[["*","key"]]""", "any.type", "key", true)]
    [InlineData("""[["*","key"]]""", "any.type", "other", false)]
    [InlineData("""[["m.room.member","$ME"]]""", "m.room.member", Me, true)]
    [InlineData("""[["m.room.member","$ME"]]""", "m.room.member", "@you:x", false)]
    [InlineData("""[["*","*"]]""", "m.room.member", "@you:x", true)]
    [InlineData("""[["*","*"],["m.room.member","$LAZY"]]""", "m.room.member", "@you:x", false)]
    [InlineData("""[["*","*"],["m.room.member","$LAZY"]]""", "m.room.topic", "", true)]
    [InlineData("[]", "m.room.topic", "", false)]
    public void Pairs_choose_state(string requiredState, string type, string key, bool isWanted) =>
        Assert.Equal(isWanted, Required(requiredState).Matches(new StateKey(type, key)));

    [Theory]
    [InlineData("""{"include":[{}]}""", "m.room.member", "@you:x", true)]
    [InlineData("""{"include":[{}],"lazy_members":true}""", "m.room.member", "@you:x", false)]
    [InlineData("""{"include":[{},{"type":"m.room.member","state_key":"@you:x"}],"lazy_members":true}""", "m.room.member", "@you:x", true)]
    [InlineData("""{"include":[{}],"exclude":[{"type":"m.room.create","state_key":""}]}""", "m.room.create", "", false)]
    [InlineData("""{"include":[{}],"exclude":[{"type":"m.room.create","state_key":""}]}""", "m.room.topic", "", true)]
    [InlineData("""{"include":[{"state_key":"k"}]}""", "x", "k", true)]
    [InlineData("""{"include":[{"type":"x"}]}""", "x", "k", true)]
    [InlineData("""{}""", "x", "k", false)]
    public void Patterns_choose_state(string requiredState, string type, string key, bool isWanted) =>
        Assert.Equal(isWanted, Required(requiredState, isStable: true).Matches(new StateKey(type, key)));

    [Fact]
    public void Several_configs_ask_for_what_each_of_them_asks_for()
    {
        var lazy = Required("""[["*","*"],["m.room.member","$LAZY"]]""");
        var all = Required("""[["m.room.member","*"]]""");
        Assert.True(lazy.LazyMembers);
        var both = RequiredState.Union([lazy, all]);
        Assert.Equal((true, false), (both.AllMembers, both.LazyMembers));
        Assert.True(both.Matches(new StateKey("m.room.member", "@you:x")));
        Assert.True(both.Matches(new StateKey("m.room.topic", "")));
        Assert.Equal(20, RoomConfig.Union([Config("[]", 20), Config("[]", 1)]).TimelineLimit);
    }

    [Theory]
    [InlineData("""[["a",""]]""", """[["a",""],["b",""]]""", true)]
    [InlineData("""[["a",""],["b",""]]""", """[["a",""]]""", false)]
    [InlineData("""[["a","k"]]""", """[["a","*"]]""", true)]
    [InlineData("""[["a","*"]]""", """[["a","k"]]""", false)]
    [InlineData("""[["a",""]]""", """[["*","*"]]""", true)]
    [InlineData("[]", """[["a",""]]""", true)]
    [InlineData("""[["m.room.member","@u:x"]]""", """[["*","*"],["m.room.member","$LAZY"]]""", false)]
    public void Who_has_more_is_told_nothing_again(string now, string before, bool isCovered) =>
        Assert.Equal(isCovered, Required(now).IsCoveredBy(Required(before)));

    [Fact]
    public void A_state_is_the_same_after_it_was_stored()
    {
        var (one, two) = (Config("""[["*","*"],["m.room.member","$LAZY"]]""", 1), Config("""{"include":[{"type":"a"}],"exclude":[{"state_key":"k"}]}""", 20));
        var state = new ConnectionState(
            new Dictionary<long, SentRoom> { [7] = new(null, true, false, one), [3] = new(12345, false, true, two), [900_000_000_000] = new(-4, true, true, one) },
            new Dictionary<string, string> { ["typing"] = "", ["receipts"] = "abc" });
        var again = ConnectionState.Decode(state.Encode())!;
        Assert.Equal(state.Rooms.OrderBy(r => r.Key), again.Rooms.OrderBy(r => r.Key));
        Assert.Equal(state.Extensions.OrderBy(e => e.Key), again.Extensions.OrderBy(e => e.Key));
    }

    [Theory]
    [InlineData("""{"lists":{"a":{}}}""", "M_MISSING_PARAM")]
    [InlineData("""{"lists":{"a":{"timeline_limit":1}}}""", "M_MISSING_PARAM")]
    [InlineData("""{"lists":{"a":{"timeline_limit":-1}}}""", "M_INVALID_PARAM")]
    [InlineData("""{"lists":{"a":{"timeline_limit":1,"required_state":[],"ranges":[[5,1]]}}}""", "M_INVALID_PARAM")]
    [InlineData("""{"lists":{"a":{"timeline_limit":1,"required_state":[],"ranges":[[0]]}}}""", "M_INVALID_PARAM")]
    [InlineData("""{"lists":{"a":{"timeline_limit":1,"required_state":[["a"]]}}}""", "M_BAD_JSON")]
    [InlineData("""{"lists":{"a":{"timeline_limit":1,"required_state":[],"filters":{"is_dm":"x"}}}}""", "M_BAD_JSON")]
    [InlineData("""{"lists":{"a":5}}""", "M_BAD_JSON")]
    [InlineData("""{"lists":[]}""", "M_BAD_JSON")]
    [InlineData("""{"room_subscriptions":{"!a:x":{"timeline_limit":"x"}}}""", "M_BAD_JSON")]
    [InlineData("""{"extensions":{"to_device":{"enabled":true,"since":"x"}}}""", "M_INVALID_PARAM")]
    [InlineData("""{"extensions":{"to_device":{"enabled":true,"limit":0}}}""", "M_INVALID_PARAM")]
    [InlineData("""{"conn_id":5}""", "M_BAD_JSON")]
    public void A_request_that_makes_no_sense_is_refused(string json, string code) =>
        Assert.Equal(code, Assert.Throws<MatrixException>(() => Request(json)).Error.Code);

    [Fact]
    public void There_are_limits()
    {
        var many = string.Join(',', Enumerable.Range(0, 101).Select(i => $$"""  "l{{i}}":{"timeline_limit":1}"""));
        foreach (var name in new[] { "lists", "room_subscriptions" })
            Assert.Equal("M_INVALID_PARAM", Assert.Throws<MatrixException>(() => Request("{\"" + name + "\":{" + many + "}}")).Error.Code);
        Assert.Equal(100, Config("[]", 100_000).TimelineLimit);
    }

    [Fact]
    public void Names_differ_between_the_two_forms()
    {
        var list = """{"lists":{"a":{"timeline_limit":1,"required_state":[],"range":[0,9],"ranges":[[0,4],[8,9]],"filters":{"is_invited":true,"is_invite":false}}}}""";
        Assert.True(Request(list, isStable: true).Lists[0].Filter.IsInvited);
        Assert.False(Request(list).Lists[0].Filter.IsInvited);
        Assert.Equal([(0, 9)], Request(list).Lists[0].Ranges!);
        Assert.Equal([(0, 4), (8, 9)], Request(list.Replace("\"range\":[0,9],", "", StringComparison.Ordinal)).Lists[0].Ranges!);
    }
}
