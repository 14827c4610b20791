using System.Text;
using System.Text.Json;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Testing;

namespace Matrix.Unit.Events;

public class ClientEventTests
{
    private static readonly TestUser Alice = TestUser.Of("alice");
    private static readonly TestUser Bob = TestUser.Of("@bob:b.example");

    private static JsonElement Form(Pdu e, ClientEventOptions options = default)
    {
        using var buffer = new PooledBuffer();
        ClientEvent.Write(buffer, e, options);
        using var document = JsonDocument.Parse(buffer.Written.ToArray());
        return document.RootElement.Clone();
    }

    private static string[] Names(JsonElement json) => [.. json.EnumerateObject().Select(p => p.Name).Order(StringComparer.Ordinal)];

    [Fact]
    public void A_message_has_its_own_members_and_none_of_the_federation()
    {
        var room = Room.Version("11").With(Alice).Say(Alice, "line\n\"quoted\" 😀");
        var json = Form(room.Last);
        Assert.Equal(["content", "event_id", "origin_server_ts", "room_id", "sender", "type"], Names(json));
        Assert.Equal("line\n\"quoted\" 😀", json.GetProperty("content").GetProperty("body").GetString());
        Assert.Equal(room.Last.EventId, json.GetProperty("event_id").GetString());
        Assert.Equal(room.RoomId, json.GetProperty("room_id").GetString());
        Assert.Equal(room.Last.OriginServerTs, json.GetProperty("origin_server_ts").GetInt64());
    }

    [Fact]
    public void A_state_event_in_sync_has_a_state_key_and_no_room()
    {
        var room = Room.Version("12").With(Alice);
        var json = Form(room.Get("m.room.create")!, new ClientEventOptions { OmitRoomId = true });
        Assert.Equal(["content", "event_id", "origin_server_ts", "sender", "state_key", "type"], Names(json));
        Assert.Equal(room.RoomId, Form(room.Get("m.room.create")!).GetProperty("room_id").GetString());
    }

    [Theory]
    [InlineData("10")]
    [InlineData("11")]
    public void A_redaction_says_what_it_redacts_at_the_top_and_in_the_content(string version)
    {
        var room = Room.Version(version).With(Alice).Say(Alice, "oops");
        var said = room.Last.EventId;
        var json = Form(room.Redact(Alice, said).Last);
        Assert.Equal(said, json.GetProperty("redacts").GetString());
        Assert.Equal(said, json.GetProperty("content").GetProperty("redacts").GetString());
    }

    [Fact]
    public void A_redacted_event_keeps_its_id_and_loses_its_content()
    {
        var room = Room.Version("12").With(Alice).Say(Alice, "secret");
        var json = Form(room.Last.Redacted());
        Assert.Equal(room.Last.EventId, json.GetProperty("event_id").GetString());
        Assert.Empty(json.GetProperty("content").EnumerateObject());
        Assert.Equal(room.Last.EventId, EventHashes.EventId(room.Last.Redacted().Json.Span, room.RoomVersion));
    }

    [Fact]
    public void Unsigned_holds_what_the_options_give_as_it_is()
    {
        var room = Room.Version("11").With(Alice).Say(Alice, "x");
        var json = Form(room.Last, new ClientEventOptions
        {
            AgeMs = 12, TransactionId = "t\"1", PrevContent = "{\"a\":1}"u8.ToArray(), ReplacesState = "$old", PrevSender = Bob.Id,
            RedactedBecause = "{\"type\":\"m.room.redaction\"}"u8.ToArray(), Membership = "join", Relations = "{\"m.thread\":{}}"u8.ToArray(),
            MoreUnsigned = "\"x.y\":[1,2]"u8.ToArray(),
        }).GetProperty("unsigned");
        Assert.Equal(
            ["age", "m.relations", "membership", "prev_content", "prev_sender", "redacted_because", "replaces_state", "transaction_id", "x.y"],
            Names(json));
        Assert.Equal(12, json.GetProperty("age").GetInt64());
        Assert.Equal("t\"1", json.GetProperty("transaction_id").GetString());
        Assert.Equal(1, json.GetProperty("prev_content").GetProperty("a").GetInt32());
    }

    [Fact]
    public void The_stripped_form_has_four_members()
    {
        var room = Room.Version("11").With(Alice).Invite(Bob);
        using var buffer = new PooledBuffer();
        ClientEvent.WriteStripped(buffer, room.Last);
        Assert.Equal(
            """{"content":{"membership":"invite"},"sender":"@alice:example.org","state_key":"@bob:b.example","type":"m.room.member"}""",
            Encoding.UTF8.GetString(buffer.Written));
    }
}
