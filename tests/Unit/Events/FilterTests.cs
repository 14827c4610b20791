using System.Text;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Testing;

namespace Matrix.Unit.Events;

public class FilterTests
{
    private static readonly TestUser Alice = TestUser.Of("alice");

    private static EventFilter Of(string json)
    {
        var verdict = Filter.ParseEventFilter(Encoding.UTF8.GetBytes(json));
        Assert.Null(verdict.Fault);
        return verdict.Value!;
    }

    private static Pdu Event(string type, string content = "{}") => Room.Version("11").With(Alice).Send(Alice, type, content).Last;

    [Theory]
    [InlineData("{}", "m.room.message", true)]
    [InlineData("""{"types":["m.room.message"]}""", "m.room.message", true)]
    [InlineData("""{"types":["m.room.message"]}""", "m.room.messages", false)]
    [InlineData("""{"types":[]}""", "m.room.message", false)]
    [InlineData("""{"types":["m.*"]}""", "m.room.message", true)]
    [InlineData("""{"types":["*.message"]}""", "m.room.message", true)]
    [InlineData("""{"types":["m.*.mess*e"]}""", "m.room.message", true)]
    [InlineData("""{"types":["m.?oom.message"]}""", "m.room.message", false)]
    [InlineData("""{"types":["m.*"],"not_types":["m.room.*"]}""", "m.room.message", false)]
    [InlineData("""{"not_types":["*"]}""", "x", false)]
    public void Types_are_matched_with_stars_and_exclusion_wins(string filter, string type, bool passes) =>
        Assert.Equal(passes, Of(filter).Matches(Event(type)));

    [Fact]
    public void What_has_no_sender_is_of_none_of_a_list()
    {
        Assert.False(Of($$"""{"senders":["{{Alice}}"]}""").Matches("m.receipt"));
        Assert.True(Of($$"""{"not_senders":["{{Alice}}"]}""").Matches("m.receipt"));
    }

    [Fact]
    public void Senders_and_rooms_are_matched_exactly()
    {
        var e = Event("m.room.message");
        Assert.True(Of($$"""{"senders":["{{Alice}}"]}""").Matches(e));
        Assert.False(Of($$"""{"senders":["{{Alice}}"],"not_senders":["{{Alice}}"]}""").Matches(e));
        Assert.False(Of("""{"senders":["@*"]}""").Matches(e));
        Assert.True(Of($$"""{"rooms":["{{e.RoomId}}"]}""").Matches(e));
        Assert.False(Of($$"""{"not_rooms":["{{e.RoomId}}"]}""").Matches(e));
    }

    [Theory]
    [InlineData("""{"url":"mxc://a/b"}""", true)]
    [InlineData("""{"url":5}""", false)]
    [InlineData("""{}""", false)]
    public void Contains_url_looks_for_a_string(string content, bool has)
    {
        Assert.Equal(has, Of("""{"contains_url":true}""").Matches(Event("m.room.message", content)));
        Assert.Equal(!has, Of("""{"contains_url":false}""").Matches(Event("m.room.message", content)));
    }

    [Fact]
    public void A_whole_sync_filter_is_read()
    {
        var verdict = Filter.Parse("""
            { "room": { "rooms": ["!a:x"], "not_rooms": ["!b:x"], "include_leave": true,
                        "state": {"lazy_load_members": true, "include_redundant_members": true, "types": ["m.room.*"]},
                        "timeline": {"limit": 7, "unread_thread_notifications": true, "related_by_rel_types": ["m.thread"], "related_by_senders": ["@a:x"]},
                        "ephemeral": {"not_types": ["*"]}, "account_data": {"types": []} },
              "presence": {"senders": ["@a:x"], "limit": 3}, "account_data": {"not_senders": ["@a:x"]},
              "event_fields": ["type", "content.m\\.relates_to"], "event_format": "federation", "unknown": 1 }
            """u8);
        Assert.Null(verdict.Fault);
        var filter = verdict.Value!;
        Assert.True(filter.Room.MatchesRoom("!a:x"));
        Assert.False(filter.Room.MatchesRoom("!b:x"));
        Assert.True(filter.Room.IncludeLeave);
        Assert.True(filter.Room.State is { LazyLoadMembers: true, IncludeRedundantMembers: true });
        Assert.True(filter.Room.Timeline is { Limit: 7, UnreadThreadNotifications: true });
        Assert.Equal(["m.thread"], filter.Room.Timeline.RelatedByRelTypes!.Value);
        Assert.Equal(["@a:x"], filter.Room.Timeline.RelatedBySenders!.Value);
        Assert.False(filter.Room.Ephemeral.MatchesType("m.typing"));
        Assert.False(filter.Room.AccountData.MatchesType("m.tag"));
        Assert.Equal(3, filter.Presence.Limit);
        Assert.Equal(EventFormat.Federation, filter.EventFormat);
        Assert.Equal(2, filter.EventFields!.Paths.Length);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("""{"room":5}""")]
    [InlineData("""{"room":{"timeline":[]}}""")]
    [InlineData("""{"room":{"timeline":{"limit":"5"}}}""")]
    [InlineData("""{"room":{"timeline":{"limit":-1}}}""")]
    [InlineData("""{"room":{"timeline":{"limit":1.5}}}""")]
    [InlineData("""{"room":{"state":{"types":"m.room.name"}}}""")]
    [InlineData("""{"room":{"state":{"types":[5]}}}""")]
    [InlineData("""{"room":{"state":{"lazy_load_members":"yes"}}}""")]
    [InlineData("""{"room":{"rooms":["a"]}}""")]
    [InlineData("""{"presence":{"senders":["bob"]}}""")]
    [InlineData("""{"event_format":"xml"}""")]
    [InlineData("""{"event_fields":"type"}""")]
    public void A_malformed_filter_is_a_verdict(string json)
    {
        var verdict = Filter.Parse(Encoding.UTF8.GetBytes(json));
        Assert.Null(verdict.Value);
        Assert.NotNull(verdict.Fault);
    }

    [Fact]
    public void Event_fields_cut_an_event_down()
    {
        var e = Event("m.room.message", """{"body":"x","m.relates_to":{"rel_type":"m.thread","event_id":"$1"},"other":1}""");
        using var full = new PooledBuffer();
        ClientEvent.Write(full, e, default);
        using var cut = new PooledBuffer();
        new EventFields(["type", "content.m\\.relates_to.rel_type", "content.body", "content.body.deeper", "nothing"]).Write(cut, full.Written);
        Assert.Equal("""{"content":{"body":"x","m.relates_to":{"rel_type":"m.thread"}},"type":"m.room.message"}""", Encoding.UTF8.GetString(cut.Written));
    }
}
