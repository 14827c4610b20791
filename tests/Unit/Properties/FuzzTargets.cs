using System.Text;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Testing;

namespace Matrix.Unit.Properties;

/// <summary>
/// Bytes and graphs that somebody hostile might send, from a seed that is said. By hand: ARMADA_FUZZ=N makes N rounds, ARMADA_SEED=N repeats a run.
/// </summary>
public class FuzzTargets(ITestOutputHelper output)
{
    // Together about a minute of one core.
    private const int Rounds = 3_000_000, Graphs = 150_000;

    private static readonly string[] Pieces =
    [
        "\"", "{", "}", "[", "]", ",", ":", "\\u0000", "\\ud800", "\\", "\uFEFF", "null", "-0", "1e400", "9007199254740993", "0.1", "\"a\":1,\"a\":2",
        "\"type\":\"m.room.member\"", "\"state_key\":\"\"", "[[[[", "\"prev_events\":[]", "\"unsigned\":{}", "\"hashes\":{}", "\u00e9", "\ud83d\ude00",
    ];

    private Random Begin(out int rounds, int usual)
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("ARMADA_SEED"), out var given) ? given : Random.Shared.Next();
        rounds = int.TryParse(Environment.GetEnvironmentVariable("ARMADA_FUZZ"), out var many) ? many : usual;
        output.WriteLine($"seed {seed}, {rounds} rounds");
        return new Random(seed);
    }

    private static byte[] Mutate(byte[] from, Random random)
    {
        var bytes = new List<byte>(from);
        for (var n = 1 + random.Next(6); n > 0; n--)
        {
            var at = random.Next(bytes.Count + 1);
            switch (random.Next(6))
            {
                case 0 when at < bytes.Count: bytes[at] = (byte)random.Next(256); break;
                case 1 when at < bytes.Count: bytes.RemoveRange(at, Math.Min(random.Next(1, 20), bytes.Count - at)); break;
                case 2: bytes.InsertRange(at, Encoding.UTF8.GetBytes(Pieces[random.Next(Pieces.Length)])); break;
                case 3 when at < bytes.Count: bytes.InsertRange(random.Next(bytes.Count), bytes.GetRange(at, Math.Min(random.Next(1, 60), bytes.Count - at))); break;
                case 4: bytes.InsertRange(at, Enumerable.Repeat((byte)"[{\"0 "[random.Next(5)], random.Next(200))); break;
                default: if (at < bytes.Count) bytes[at] ^= (byte)(1 << random.Next(8)); break;
            }
        }
        return [.. bytes];
    }

    private static IReadOnlyList<Room> Rooms { get; } = [.. RoomVersions.All.Select(v =>
    {
        var (alice, bob) = (TestUser.Of("@alice:a.example"), TestUser.Of("@bob:b.example"));
        var room = Room.Version(v.Id).Public().With(alice, bob).Say(bob, "x").Leave(bob);
        return room.Redact(alice, room.Last.EventId);
    })];

    [Fact]
    public void No_bytes_make_the_reading_of_events_throw()
    {
        var random = Begin(out var rounds, Rounds);
        for (var i = 0; i < rounds; i++)
        {
            var room = Rooms[random.Next(Rooms.Count)];
            var json = Mutate(room.Events[random.Next(room.Events.Count)].Json.ToArray(), random);
            if (Pdu.TryReadUntrusted(json, room.RoomVersion, out var pdu) is not null)
            {
                Assert.Null(pdu);
                continue;
            }
            Assert.True(pdu!.Json.Length <= Pdu.MaxBytes);
            EventHashes.ContentHashMatches(pdu.Json.Span);
            AuthRules.Check(pdu, room);
            AuthRules.CheckAuthEvents(pdu, [.. pdu.AuthEvents.Select(room.Dag.Find)], _ => false);
            // Reading its own bytes again gives the same event, and redaction is idempotent.
            Assert.Null(Pdu.TryReadUntrusted(pdu.Json.Span, room.RoomVersion, out var again));
            Assert.Equal(pdu.EventId, again!.EventId);
            var redacted = Redaction.Redact(pdu.Json.Span, room.RoomVersion);
            Assert.Equal(redacted, Redaction.Redact(redacted, room.RoomVersion));
        }
    }

    [Fact]
    public void Canonical_json_refuses_or_is_stable()
    {
        var random = Begin(out var rounds, Rounds);
        for (var i = 0; i < rounds; i++)
        {
            var room = Rooms[random.Next(Rooms.Count)];
            var json = Mutate(room.Events[random.Next(room.Events.Count)].Json.ToArray(), random);
            foreach (var strict in new[] { true, false })
            {
                if (CanonicalJson.ToArray(json, out _, strict) is not { } canonical) continue;
                Assert.Equal(canonical, CanonicalJson.ToArray(canonical, out _, strict));
            }
        }
    }

    /// <summary>Events whose auth events are whatever comes: unknown, rejected, in cycles, of other types.</summary>
    [Fact]
    public void No_graph_makes_the_resolution_throw_or_depend_on_order()
    {
        var random = Begin(out var rounds, Graphs);
        for (var i = 0; i < rounds; i++)
        {
            var version = RoomVersions.All[random.Next(RoomVersions.All.Count)];
            var room = Rooms[RoomVersions.All.ToList().IndexOf(version)];
            var ids = Enumerable.Range(0, 4 + random.Next(30)).Select(n => $"$fuzz{n}").ToArray();
            var events = new Dictionary<string, Pdu>();
            foreach (var id in ids.Where(_ => random.Next(10) > 0))
            {
                var template = room.Events[random.Next(room.Events.Count)];
                if (!template.IsState) continue;
                events[id] = new Pdu
                {
                    Version = version, EventId = id, RoomId = room.RoomId, Type = template.Type, Sender = template.Sender, StateKey = template.StateKey,
                    OriginServerTs = random.Next(5), Depth = random.Next(5), PrevEvents = [ids[random.Next(ids.Length)]],
                    AuthEvents = [.. Enumerable.Range(0, random.Next(6)).Select(_ => random.Next(3) == 0 ? room.Events[random.Next(room.Events.Count)].EventId : ids[random.Next(ids.Length)])],
                    Redacts = null, Json = template.Json, Content = template.Content,
                };
            }
            Pdu? Find(string id) => events.GetValueOrDefault(id) ?? room.Dag.Find(id);
            var known = events.Values.Concat(room.Events.Where(e => e.IsState)).ToList();
            var sets = Enumerable.Range(0, 2 + random.Next(3)).Select(_ => (IReadOnlyDictionary<StateKey, string>)known.Where(_ => random.Next(2) == 0)
                .GroupBy(e => e.StatePair).ToDictionary(g => g.Key, g => g.ElementAt(random.Next(g.Count())).EventId)).ToArray();
            bool Rejected(string id) => id.Length % 2 == 1 && id.EndsWith('3');
            var expected = StateResolver.Resolve(version, sets, Find, Rejected);
            random.Shuffle(sets);
            var actual = StateResolver.Resolve(version, sets, Find, Rejected);
            Assert.Equal(expected.OrderBy(p => p.Key.ToString()), actual.OrderBy(p => p.Key.ToString()));
        }
    }
}
