using System.Text;
using Matrix.Events;

namespace Matrix.Unit.Events;

public sealed class EventRelationTests
{
    private static EventRelation? Of(string content) => EventRelation.OfContent(Encoding.UTF8.GetBytes(content));

    [Fact]
    public void A_relation_has_a_type_and_a_parent_and_an_annotation_a_key()
    {
        Assert.Equal(new EventRelation("m.thread", "$p", null), Of("""{"m.relates_to":{"event_id":"$p","key":"x","rel_type":"m.thread"}}"""));
        Assert.Equal(new EventRelation("m.annotation", "$p", "👍"), Of("""{"m.relates_to":{"event_id":"$p","key":"👍","rel_type":"m.annotation"}}"""));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"m.relates_to":"$p"}""")]
    [InlineData("""{"m.relates_to":{"m.in_reply_to":{"event_id":"$p"}}}""")]
    [InlineData("""{"m.relates_to":{"event_id":"p","rel_type":"m.thread"}}""")]
    [InlineData("""{"m.relates_to":{"event_id":"$","rel_type":"m.thread"}}""")]
    [InlineData("""{"m.relates_to":{"event_id":7,"rel_type":"m.thread"}}""")]
    [InlineData("""{"m.relates_to":{"event_id":"$p","rel_type":""}}""")]
    [InlineData("""{"m.relates_to":{"event_id":"$p\u0000","rel_type":"m.thread"}}""")]
    public void What_does_not_match_the_schema_is_no_relation(string content) => Assert.Null(Of(content));

    [Fact]
    public void Parts_that_no_index_could_hold_do_not_count()
    {
        Assert.Null(Of($$$"""{"m.relates_to":{"event_id":"${{{new string('x', 255)}}}","rel_type":"m.thread"}}"""));
        Assert.Null(Of($$$"""{"m.relates_to":{"event_id":"$p","rel_type":"{{{new string('é', 128)}}}"}}"""));
        Assert.Null(Of($$$"""{"m.relates_to":{"event_id":"$p","key":"{{{new string('x', 1025)}}}","rel_type":"m.annotation"}}""")!.Value.Key);
    }
}
