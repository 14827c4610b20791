using Matrix.Replication;
using Matrix.Storage.Events;

namespace Matrix.Unit.Storage;

public class EventRowTests
{
    private static EventRow Row => new()
    {
        Position = 7, RoomNid = 1, EventNid = 2, RoomId = "!r:x", EventId = "$e", RoomVersion = "11", Type = "m.room.topic", Sender = "@a:x", StateKey = "", ReceivedTsMs = 3,
        Flags = EventFlags.StateMoved, Json = "{}"u8.ToArray(),
    };

    [Fact]
    public void Moves_come_back_as_they_were()
    {
        StateMove[] moves =
        [
            new("m.room.member", "@b:x", 10, 11, 12, "$m", "@c:x", "join"), new("m.room.name", "", 20, 21, 0, null, null, null), new("t\u00e9", "\ud83d\ude00", 30, 0, 31, "$n", "@d:x", null),
        ];
        var decoded = EventRow.Decode(new StreamRow(7, "!r:x", (Row with { Moves = moves }).Encode()));
        Assert.Equal(moves, decoded.Moves);
        Assert.Equal(("$e", EventFlags.StateMoved), (decoded.EventId, decoded.Flags));
    }

    [Fact]
    public void A_row_without_moves_ends_where_releases_that_know_none_expect_it()
    {
        var plain = Row.Encode();
        var moved = (Row with { Moves = [new("t", "k", 1, 2, 3, "$n", "@d:x", null)] }).Encode();
        Assert.Equal(plain, moved[..plain.Length]);
        Assert.Empty(EventRow.Decode(new StreamRow(7, "!r:x", plain)).Moves);
    }

    [Fact]
    public void What_is_read_comes_back_and_costs_the_main_timeline_nothing()
    {
        StateMove[] moves = [new("t", "k", 1, 2, 3, "$n", "@d:x", null)];
        var plain = Row.Encode();
        EventRow Read(string? root, params StateMove[] moves) => Row with { Flags = EventFlags.Reads, ReadRoot = root, Moves = moves };
        EventRow Decoded(EventRow row) => EventRow.Decode(new StreamRow(7, "!r:x", row.Encode()));
        Assert.Null(Decoded(Row).Reads);
        Assert.Equal(plain.Length, Read(null).Encode().Length);
        Assert.Equal("main", Decoded(Read(null)).Reads);
        Assert.Equal("main", Decoded(Read(null, moves)).Reads);
        Assert.Equal(("$root", 0), (Decoded(Read("$root")).Reads, Decoded(Read("$root")).Moves.Count));
        Assert.Equal("$root", Decoded(Read("$root", moves)).Reads);
        Assert.Equal(moves, Decoded(Read("$root", moves)).Moves);
        // Releases that know moves alone find none, or all of them, before it.
        Assert.Equal(plain.Length + 4 + 4 + "$root".Length, Read("$root").Encode().Length);
        Assert.Equal(new byte[4], Read("$root").Encode()[plain.Length..(plain.Length + 4)]);
    }
}
