using Matrix.Events;
using Matrix.Rooms;
using Matrix.Testing;

namespace Matrix.Unit.Events;

public sealed class MessageRetentionTests
{
    private static Pdu Event(string content)
    {
        var alice = TestUser.Of("alice");
        return Testing.Room.Version("12").With(alice).Set(alice, MessageRetention.EventType, content).Last;
    }

    [Theory]
    [InlineData("""{"max_lifetime":5000}""", 5000L)]
    [InlineData("""{"max_lifetime":10}""", 1000L)]
    [InlineData("""{"max_lifetime":50000}""", 10000L)]
    [InlineData("""{"max_lifetime":-1}""", 7000L)]
    [InlineData("""{"max_lifetime":"5000"}""", 7000L)]
    [InlineData("{}", 7000L)]
    [InlineData(null, 7000L)]
    public void A_room_says_how_long_within_what_the_server_allows(string? content, long expected) =>
        Assert.Equal(expected, new MessageRetention(7000, 1000, 10000).MaxLifetimeMs(content is null ? null : Event(content)));

    [Fact]
    public void Without_bounds_what_a_room_says_holds()
    {
        Assert.Null(new MessageRetention(null, null, null).MaxLifetimeMs(null));
        Assert.Equal(1, new MessageRetention(null, null, null).MaxLifetimeMs(Event("""{"max_lifetime":1}""")));
    }
}
