using System.Text;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.Events;

namespace Matrix.Unit.Vectors;

public class EventVectors
{
    [Fact]
    public void Event_ids_are_the_ids_of_the_shared_cases()
    {
        var root = Vector.Load("event-ids.json");
        foreach (var c in root.GetProperty("reference_hash_and_event_id").EnumerateArray())
            Assert.Equal(c.GetProperty("event_id").GetString(), EventHashes.EventId(c.GetProperty("event").Bytes(), c.Version()));
    }

    [Fact]
    public void Built_events_equal_the_computed_cases_of_every_version()
    {
        var ed25519 = Ed25519.Default;
        var seed = Vector.Load("event-signing.json").GetProperty("signing_key_seed_unpadded_base64").Base64();
        var key = new SigningKey("ed25519:1", seed, ed25519.PublicKey(seed));
        var cases = Vector.Load("event-ids.json").GetProperty("computed_by_us").GetProperty("cases").EnumerateArray().ToArray();
        Assert.NotEmpty(cases);
        foreach (var c in cases)
        {
            var version = c.Version();
            var input = c.GetProperty("input");
            var draft = new EventDraft(
                Optional(input, "room_id"), input.GetProperty("type").GetString()!, Optional(input, "state_key"), input.GetProperty("sender").GetString()!,
                input.GetProperty("content").Bytes(), input.GetProperty("origin_server_ts").GetInt64(), input.GetProperty("depth").GetInt64(),
                Ids(input, "prev_events"), Ids(input, "auth_events"), Optional(input, "redacts"));
            var signed = c.GetProperty("signed");
            Assert.Equal(c.GetProperty("event_id").GetString(), EventHashes.EventId(signed.Bytes(), version));
            Assert.True(EventSigning.VerifyEvent(signed.Bytes(), version, "domain", "ed25519:1", key.PublicKey, ed25519));
            Assert.True(EventHashes.ContentHashMatches(signed.Bytes()));

            Assert.Null(EventBuilder.TryBuild(draft, version, "domain", key, ed25519, out var pdu));
            Assert.Equal(signed.Canonical(), Encoding.UTF8.GetString(pdu!.Json.Span));
            Assert.Equal(c.GetProperty("event_id").GetString(), pdu.EventId);
            if (c.TryGetProperty("room_id", out var roomId)) Assert.Equal(roomId.GetString(), pdu.RoomId);

            Assert.Null(Pdu.TryReadUntrusted(signed.Bytes(), version, out var read));
            Assert.Equal(pdu.EventId, read!.EventId);
            Assert.Equal(pdu.Json.ToArray(), read.Json.ToArray());
        }
    }

    [Fact]
    public void Redaction_leaves_what_the_shared_cases_leave()
    {
        var cases = Vector.Load("event-redaction.json").GetProperty("cases").EnumerateArray().ToArray();
        Assert.Equal(8, cases.Length);
        foreach (var c in cases)
        {
            var redacted = Redaction.Redact(c.GetProperty("input").Bytes(), c.Version());
            Assert.Equal(c.GetProperty("redacted").Canonical(), Encoding.UTF8.GetString(redacted));
            Assert.Equal(redacted, Redaction.Redact(redacted, c.Version()));
        }
    }

    private static string? Optional(JsonElement json, string name) => json.TryGetProperty(name, out var value) ? value.GetString() : null;

    private static string[] Ids(JsonElement json, string name) => [.. json.GetProperty(name).EnumerateArray().Select(e => e.GetString()!)];
}
