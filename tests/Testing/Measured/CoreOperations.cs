using System.Text;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.Primitives;

namespace Matrix.Testing;

/// <summary>
/// The hot operations of the core by name. Benchmarks measure their time, a unit test their allocations against
/// <c>tests/Benchmarks/baselines.json</c>.
/// </summary>
public sealed partial class CoreOperations
{
    private static readonly TestUser Alice = TestUser.Of("alice");

    private readonly PooledBuffer _buffer = new(1 << 16);
    private readonly Dictionary<string, Action> _operations = new(StringComparer.Ordinal);

    public CoreOperations()
    {
        var room = Room.Version("12").Public().With(Alice, TestUser.Of("bob"));
        var message = room.Send(Alice, EventTypes.Message,
            """{"body":"A message of the usual length, such as people write all day long.","msgtype":"m.text","m.mentions":{"user_ids":["@bob:example.org"]},"format":"org.matrix.custom.html","formatted_body":"A message of the <b>usual</b> length, such as people write all day long."}""").Last;
        var member = room.Get(EventTypes.Member, TestUser.Of("bob"))!;
        var canonical = message.Json.ToArray();
        var shuffled = Shuffled(message);

        _operations["canonical json, already canonical"] = () => Canonical(canonical);
        _operations["canonical json, unsorted"] = () => Canonical(shuffled);
        _operations["read trusted, message"] = () => Pdu.ReadTrusted(message.Json, message.Version, message.EventId);
        _operations["read trusted, member"] = () => Pdu.ReadTrusted(member.Json, member.Version, member.EventId);
        _operations["read untrusted, message"] = () => Pdu.TryReadUntrusted(shuffled, message.Version, out _);
        _operations["event id"] = () => EventHashes.EventId(canonical, message.Version);
        _operations["content hash matches"] = () => EventHashes.ContentHashMatches(canonical);
        _operations["redact"] = () => Redaction.Redact(canonical, message.Version);
        var key = Alice.Server.Key;
        _operations["verify event"] = () =>
            EventSigning.VerifyEvent(canonical, message.Version, "example.org", key.KeyId, key.PublicKey, Ed25519.Default);
        var draft = new EventDraft(
            room.RoomId, message.Type, null, Alice, message.Content, message.OriginServerTs, message.Depth, message.PrevEvents, message.AuthEvents);
        _operations["build and sign, message"] = () => EventBuilder.TryBuild(draft, message.Version, "example.org", key, Ed25519.Default, out _);
        _operations["client event"] = () => Client(message, new ClientEventOptions { OmitRoomId = true, AgeMs = 1234 });
        AddKeys();
        AddRules();
        AddPush(room, message);
        AddResolution();
        AddReading(room, message);
    }

    public IReadOnlyDictionary<string, Action> All => _operations;

    /// <summary>What /keys/query does for each device.</summary>
    private void AddKeys()
    {
        var keys = CanonicalJson.Of(Encoding.UTF8.GetBytes(
            """{"algorithms":["m.olm.v1.curve25519-aes-sha2","m.megolm.v1.aes-sha2"],"device_id":"DEVICE","keys":{"curve25519:DEVICE":"abcdef","ed25519:DEVICE":"abcdef"},"signatures":{"@alice:example.org":{"ed25519:DEVICE":"abcdef"}},"user_id":"@alice:example.org"}"""));
        JsonSignature[] further = [new("@alice:example.org", "ed25519:self+signing", "abcdef")];
        _operations["signed json, keys of a device"] = () =>
        {
            _buffer.Clear();
            SignedJson.Write(_buffer, keys, further, "{}"u8);
        };
    }

    private void AddRules()
    {
        foreach (var version in new[] { "11", "12" })
        {
            var large = new LargeRoom(version, 50_000);
            var room = large.Room;
            var say = room.Forged(room.Creator, EventTypes.Message, """{"body":"x"}""");
            var newcomer = TestUser.Of("newcomer");
            var join = room.Forged(newcomer, EventTypes.Member, """{"membership":"join"}""", newcomer);
            var levels = room.Forged(room.Creator, EventTypes.PowerLevels, version == "12" ? "{}" : $"{{\"users\":{{\"{room.Creator}\":100}}}}", "");
            _operations[$"auth check, message, 50,000 members, version {version}"] = () => Allowed(say, large);
            _operations[$"auth check, join, 50,000 members, version {version}"] = () => Allowed(join, large);
            _operations[$"auth check, power levels, 50,000 members, version {version}"] = () => Allowed(levels, large);
            _operations[$"select auth keys, join, version {version}"] =
                () => AuthRules.SelectKeys(join.Type, join.StateKey, join.Sender, join.Content.Span, join.Version);
        }
    }

    private void AddPush(Room room, Pdu message)
    {
        var levels = PowerLevels.Read(room.Get(EventTypes.Create)!, room.Get(EventTypes.PowerLevels));
        var bob = new PushUser("@bob:example.org");
        _operations["push rules, one event for anybody and one mentioned"] = () =>
        {
            var e = new PushEvent(message, levels, 50_000);
            PushRuleSet.Default.Evaluate(e, PushUser.Anybody);
            PushRuleSet.Default.Evaluate(e, bob);
        };
        var filter = Filter.ParseEventFilter("""{"types":["m.room.*"],"not_senders":["@spam:example.org"]}"""u8).Value!;
        _operations["filter match"] = () => filter.Matches(message);
    }

    private void AddResolution()
    {
        var room = Room.Version("11").Public().With([.. Enumerable.Range(0, 50).Select(i => TestUser.Of("user" + i))]);
        var fork = room.Fork().Set(room.Creator, EventTypes.Topic, """{"topic":"a"}""");
        room.Set(room.Creator, EventTypes.Topic, """{"topic":"b"}""").Kick(TestUser.Of("user7"));
        IReadOnlyDictionary<StateKey, string>[] sets = [fork.State.ToDictionary(), room.State.ToDictionary()];
        _operations["resolve, two states of 50 members"] = () => StateResolver.Resolve(room.RoomVersion, sets, room.Dag.Find, _ => false);
    }

    private static void Allowed(Pdu e, IStateView state)
    {
        if (AuthRules.Check(e, state) is { Allowed: false, Reason: var reason }) throw new InvalidOperationException(reason);
    }

    private void Canonical(byte[] json)
    {
        _buffer.Clear();
        CanonicalJson.TryWrite(json, _buffer);
    }

    private void Client(Pdu e, in ClientEventOptions options)
    {
        _buffer.Clear();
        ClientEvent.Write(_buffer, e, options);
    }

    /// <summary>The same event as another server might send it: members in another order, white space, unsigned.</summary>
    private static byte[] Shuffled(Pdu e)
    {
        var members = new List<string> { "\"unsigned\": {\"age\": 5}" };
        foreach (var member in new CanonicalObject(e.Json.Span)) members.Add(Encoding.UTF8.GetString(member.Text));
        members.Reverse();
        return Encoding.UTF8.GetBytes("{ " + string.Join(", ", members) + " }");
    }
}
