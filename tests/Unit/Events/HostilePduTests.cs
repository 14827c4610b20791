using System.Text;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Testing;

namespace Matrix.Unit.Events;

public class HostilePduTests
{
    private static readonly TestUser Alice = TestUser.Of("alice");

    private static string Message(RoomVersion version)
    {
        var room = Room.Version(version.Id).With(Alice).Say(Alice, "x");
        return Encoding.UTF8.GetString(room.Last.Json.Span);
    }

    private static PduFault? Read(string json, RoomVersion version, out Pdu? pdu) => Pdu.TryReadUntrusted(Encoding.UTF8.GetBytes(json), version, out pdu);

    /// <summary>The text of a valid event with one member replaced, or removed by an empty value.</summary>
    private static string With(string json, string name, string value)
    {
        var text = new StringBuilder("{");
        foreach (var member in new CanonicalObject(Encoding.UTF8.GetBytes(json)))
        {
            if (!member.Name.SequenceEqual(Encoding.UTF8.GetBytes(name))) text.Append(Encoding.UTF8.GetString(member.Text)).Append(',');
        }
        if (value.Length > 0) text.Append('"').Append(name).Append("\":").Append(value).Append(',');
        text[^1] = '}';
        return text.ToString();
    }

    [Theory]
    [InlineData("type", "")]
    [InlineData("type", "5")]
    [InlineData("type", "null")]
    [InlineData("sender", "")]
    [InlineData("sender", "[]")]
    [InlineData("sender", "\"alice\"")]
    [InlineData("sender", "\"@alice\"")]
    [InlineData("sender", "\"@alice:bad server\"")]
    [InlineData("room_id", "")]
    [InlineData("room_id", "{}")]
    [InlineData("room_id", "\"room\"")]
    [InlineData("content", "")]
    [InlineData("content", "\"{}\"")]
    [InlineData("content", "[]")]
    [InlineData("state_key", "null")]
    [InlineData("state_key", "5")]
    [InlineData("state_key", "\"a\\u0000\"")]
    [InlineData("type", "\"a\\u0000\"")]
    [InlineData("prev_events", "[\"$a\\u0000\"]")]
    [InlineData("depth", "")]
    [InlineData("depth", "\"5\"")]
    [InlineData("depth", "-1")]
    [InlineData("depth", "99999999999999999999999")]
    [InlineData("depth", "1.5")]
    [InlineData("origin_server_ts", "")]
    [InlineData("origin_server_ts", "\"5\"")]
    [InlineData("origin_server_ts", "true")]
    [InlineData("prev_events", "")]
    [InlineData("prev_events", "{}")]
    [InlineData("prev_events", "[5]")]
    [InlineData("prev_events", "[[]]")]
    [InlineData("prev_events", "[\"noid\"]")]
    [InlineData("prev_events", "[null]")]
    [InlineData("auth_events", "\"$x\"")]
    [InlineData("auth_events", "[[\"noid\",{}]]")]
    [InlineData("hashes", "")]
    [InlineData("hashes", "[]")]
    [InlineData("signatures", "")]
    [InlineData("signatures", "\"x\"")]
    public void A_member_that_is_missing_or_of_a_wrong_type_is_a_fault(string name, string value)
    {
        foreach (var version in RoomVersions.All)
        {
            var json = Message(version);
            Assert.Null(Read(json, version, out _));
            Assert.NotNull(Read(With(json, name, value), version, out var none));
            Assert.Null(none);
        }
    }

    [Fact]
    public void Ids_end_at_255_bytes()
    {
        var version = RoomVersions.V11;
        var json = Message(version);
        string Long(char sigil, int bytes) => $"\"{sigil}{new string('é', (bytes - 3) / 2)}{new string('x', (bytes - 3) % 2)}:a\"";
        Assert.Null(Read(With(json, "sender", Long('@', 255)), version, out _));
        Assert.True(Read(With(json, "sender", Long('@', 256)), version, out _)!.Value.TooLarge);
        Assert.Null(Read(With(json, "room_id", Long('!', 255)), version, out _));
        Assert.True(Read(With(json, "room_id", Long('!', 256)), version, out _)!.Value.TooLarge);
        Assert.Null(Read(With(json, "type", Long('m', 255)), version, out _));
        Assert.True(Read(With(json, "type", Long('m', 256)), version, out _)!.Value.TooLarge);
        Assert.Null(Read(With(json, "state_key", Long('m', 255)), version, out _));
        Assert.True(Read(With(json, "state_key", Long('m', 256)), version, out _)!.Value.TooLarge);
        var old = Message(RoomVersions.V1);
        Assert.Null(Read(With(old, "event_id", Long('$', 255)), RoomVersions.V1, out _));
        Assert.True(Read(With(old, "event_id", Long('$', 256)), RoomVersions.V1, out _)!.Value.TooLarge);
        Assert.NotNull(Read(With(old, "event_id", "\"$nodomain\""), RoomVersions.V1, out _));
        Assert.NotNull(Read(With(old, "event_id", ""), RoomVersions.V1, out _));
    }

    [Fact]
    public void An_event_ends_at_65536_bytes()
    {
        var version = RoomVersions.V11;
        var json = With(Message(version), "content", "{\"body\":\"\"}");
        var room = Pdu.MaxBytes - CanonicalJson.Of(Encoding.UTF8.GetBytes(json)).Length;
        string Sized(int bytes) => With(json, "content", $"{{\"body\":\"{new string('x', bytes)}\"}}");
        Assert.Null(Read(Sized(room), version, out var full));
        Assert.Equal(65536, full!.Json.Length);
        Assert.True(Read(Sized(room + 1), version, out _)!.Value.TooLarge);
        // White space, escapes and unsigned are not part of it.
        Assert.Null(Read(With(Sized(room), "unsigned", $"{{\"age\": 1, \"x\":\"{new string('y', 9000)}\"}}").Replace(",", " ,\n ", StringComparison.Ordinal), version, out full));
        Assert.Equal(65536, full!.Json.Length);
        Assert.True(Read(new string(' ', 2_000_000) + json, version, out _)!.Value.TooLarge);
    }

    [Fact]
    public void References_are_counted()
    {
        foreach (var version in RoomVersions.All)
        {
            var json = Message(version);
            string Ids(int count) => "[" + string.Join(',', Enumerable.Range(0, count).Select(i => version.ReferencesHaveHashes ? $"[\"$e{i}:x\",{{}}]" : $"\"$e{i}\"")) + "]";
            Assert.Null(Read(With(json, "prev_events", Ids(20)), version, out _));
            Assert.NotNull(Read(With(json, "prev_events", Ids(21)), version, out _));
            Assert.Null(Read(With(json, "auth_events", Ids(10)), version, out _));
            Assert.NotNull(Read(With(json, "auth_events", Ids(11)), version, out _));
        }
    }

    [Theory]
    [InlineData("{\"a\":1.5}", "5", true)]
    [InlineData("{\"a\":1.5}", "6", false)]
    [InlineData("{\"a\":9007199254740992}", "5", true)]
    [InlineData("{\"a\":9007199254740992}", "6", false)]
    [InlineData("{\"a\":1,\"a\":2}", "1", false)]
    [InlineData("{\"a\":\"\\ud800\"}", "1", false)]
    [InlineData("{\"a\":\"\\ud800\"}", "12", false)]
    public void Content_is_canonical_as_the_version_wants(string content, string version, bool valid)
    {
        var v = RoomVersions.Find(version)!;
        Assert.Equal(valid, Read(With(Message(v), "content", content), v, out _) is null);
    }

    [Fact]
    public void Deep_nesting_is_a_fault()
    {
        var json = Message(RoomVersions.V11);
        string Nested(int depth) => string.Concat(Enumerable.Repeat("{\"a\":", depth)) + "1" + new string('}', depth);
        Assert.Null(Read(With(json, "content", Nested(99)), RoomVersions.V11, out _));
        Assert.NotNull(Read(With(json, "content", Nested(100)), RoomVersions.V11, out _));
        Assert.NotNull(Read(With(json, "content", Nested(9_000)), RoomVersions.V1, out _));
    }

    [Fact]
    public void Unsigned_is_dropped_and_what_hashes_cover_stays()
    {
        var version = RoomVersions.V11;
        var json = With(With(Message(version), "unsigned", "{\"age\":5}"), "org.example.custom", "[1,2]");
        Assert.Null(Read(json, version, out var pdu));
        var text = Encoding.UTF8.GetString(pdu!.Json.Span);
        Assert.DoesNotContain("unsigned", text, StringComparison.Ordinal);
        Assert.Contains("\"org.example.custom\":[1,2]", text, StringComparison.Ordinal);
    }

    [Fact]
    public void An_event_id_inside_a_later_event_is_not_believed_but_hashed()
    {
        var version = RoomVersions.V11;
        Assert.Null(Read(Message(version), version, out var plain));
        Assert.Null(Read(With(Message(version), "event_id", "\"$forged\""), version, out var forged));
        Assert.NotEqual("$forged", forged!.EventId);
        Assert.NotEqual(plain!.EventId, forged.EventId);
        Assert.Equal(EventHashes.EventId(forged.Json.Span, version), forged.EventId);
    }

    [Fact]
    public void A_stored_event_of_any_shape_reads_without_a_fault()
    {
        foreach (var json in new[] { "{}", """{"type":5,"sender":[],"content":[],"prev_events":[[5],"x",["$a:b"]],"auth_events":{},"depth":1e99,"state_key":{}}""" })
        {
            foreach (var version in RoomVersions.All)
            {
                var pdu = Pdu.ReadTrusted(CanonicalJson.Of(Encoding.UTF8.GetBytes(json)), version, "$id");
                Assert.Equal("", pdu.Type);
                Assert.Equal("{}", Encoding.UTF8.GetString(pdu.Content.Span));
                Assert.False(AuthRules.Check(pdu, new Vectors.MapState()).Allowed);
            }
        }
    }

    [Fact]
    public void Drafts_that_are_no_events_are_faults()
    {
        PduFault? Build(EventDraft draft, RoomVersion version) =>
            EventBuilder.TryBuild(draft, version, "example.org", Alice.Server.Key, Crypto.Ed25519.Default, out _);
        var draft = new EventDraft("!r:example.org", "m.x", null, Alice, "{}"u8.ToArray(), 1, 1, ["$a"], ["$b"]);
        Assert.Null(Build(draft, RoomVersions.V11));
        Assert.NotNull(Build(draft with { Content = "[]"u8.ToArray() }, RoomVersions.V11));
        Assert.NotNull(Build(draft with { Content = "{"u8.ToArray() }, RoomVersions.V11));
        Assert.NotNull(Build(draft with { Content = "{\"a\":1.5}"u8.ToArray() }, RoomVersions.V11));
        Assert.Null(Build(draft with { Content = "{\"a\":1.5}"u8.ToArray() }, RoomVersions.V5));
        Assert.True(Build(draft with { Content = Encoding.UTF8.GetBytes($"{{\"a\":\"{new string('x', 66_000)}\"}}") }, RoomVersions.V11)!.Value.TooLarge);
        Assert.True(Build(draft with { Type = new string('x', 256) }, RoomVersions.V11)!.Value.TooLarge);
        Assert.True(Build(draft with { StateKey = new string('é', 128) }, RoomVersions.V11)!.Value.TooLarge);
        Assert.NotNull(Build(draft with { Sender = "nobody" }, RoomVersions.V11));
        Assert.NotNull(Build(draft with { RoomId = null }, RoomVersions.V11));
        Assert.NotNull(Build(draft with { Depth = -1 }, RoomVersions.V11));
        Assert.NotNull(Build(draft with { Depth = long.MaxValue }, RoomVersions.V11));
        Assert.NotNull(Build(draft with { OriginServerTs = long.MaxValue }, RoomVersions.V11));
        Assert.NotNull(Build(draft with { PrevEvents = [.. Enumerable.Range(0, 21).Select(i => $"$e{i}")] }, RoomVersions.V11));
    }
}
