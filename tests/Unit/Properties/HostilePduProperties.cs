using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Testing;

namespace Matrix.Unit.Properties;

public class HostilePduProperties
{
    private static readonly Config Many = Config.QuickThrowOnFailure.WithMaxTest(400).WithQuietOnSuccess(true);
    private static readonly TestUser Alice = TestUser.Of("@alice:a.example");
    private static readonly TestUser Bob = TestUser.Of("@bob:b.example");

    // One room of every version with an event of every type that the rules treat specially.
    private static readonly Room[] Rooms = [.. RoomVersions.All.Select(v =>
    {
        var room = Room.Version(v.Id).Public().With(Alice, Bob).Set(Alice, EventTypes.ThirdPartyInvite, """{"public_key":"x"}""", "tok").Say(Bob, "x");
        return room.Redact(Alice, room.Last.EventId).Leave(Bob);
    })];

    private static readonly string[] ContentNames =
        ["membership", "join_rule", "users", "events", "ban", "creator", "room_version", "additional_creators", "third_party_invite", "redacts",
         "join_authorised_via_users_server", "m.federate", "notifications", "public_keys", "m.mentions", "body", "url"];

    /// <summary>An event of such a room with one top-level or content member replaced by any JSON.</summary>
    private static Arbitrary<(Room Room, byte[] Json)> Mutated => Arb.From(
        from version in Gen.Choose(0, 11)
        from at in Gen.Choose(0, 1000)
        from inContent in Gen.Choose(0, 1)
        from name in Gen.Elements(ContentNames)
        from index in Gen.Choose(0, 1000)
        from value in JsonText.Value(3)
        let room = Rooms[version]
        let e = room.Events[at % room.Events.Count]
        select (room, Mutate(e.Json.ToArray(), inContent == 1, name, index, value)));

    private static byte[] Mutate(byte[] json, bool inContent, string contentName, int index, string value)
    {
        var members = new List<(string Name, string Text)>();
        foreach (var member in new CanonicalObject(json)) members.Add((Encoding.UTF8.GetString(member.Name), Encoding.UTF8.GetString(member.Text)));
        var at = inContent ? members.FindIndex(m => m.Name == "content") : index % members.Count;
        var replacement = inContent ? $"{{\"{contentName}\":{value}}}" : value;
        members[at] = (members[at].Name, $"\"{members[at].Name}\":{replacement}");
        return Encoding.UTF8.GetBytes("{" + string.Join(',', members.Select(m => m.Text)) + "}");
    }

    [Fact]
    public void No_event_makes_anything_throw() => Check.One(Many, Prop.ForAll(Mutated, c =>
    {
        var version = c.Room.RoomVersion;
        Pdu.TryReadUntrusted(c.Json, version, out var pdu);
        EventHashes.ContentHashMatches(c.Json);
        EventSigning.Signatures(c.Json);
        EventSigning.VerifyEvent(c.Json, version, "a.example", "ed25519:auto", Alice.Server.Key.PublicKey, Crypto.Ed25519.Default);
        var canonical = CanonicalJson.ToArray(c.Json, out _, strict: false);
        if (canonical is null) return true;
        Use(pdu ?? Pdu.ReadTrusted(canonical, version, "$id:x"), c.Room);
        return true;
    }));

    private static void Use(Pdu e, Room room)
    {
        var context = new Context();
        AuthRules.Check(e, room, context);
        AuthRules.CheckAuthEvents(e, [.. e.AuthEvents.Select(room.Dag.Find)], _ => false);
        // The same event as part of the state: everything else is judged by it.
        var state = room.State.Values.Select(id => room.Dag.Find(id)!).ToDictionary(s => s.StatePair);
        if (e.IsState) state[e.StatePair] = e;
        var view = new Vectors.MapState(state.Values);
        foreach (var other in room.Events) AuthRules.Check(other, view, context);
        using var buffer = new PooledBuffer();
        ClientEvent.Write(buffer, e, default);
        Assert.NotNull(CanonicalJson.ToArray(buffer.Written, out _, strict: false));
        var create = room.Get(EventTypes.Create)!;
        PushRuleSet.Default.Evaluate(new PushEvent(e, PowerLevels.Read(create, room.Get(EventTypes.PowerLevels)), 2), new PushUser(Bob));
    }

    [Fact]
    public void Bytes_that_are_no_json_make_nothing_throw() => Check.One(Many, Prop.ForAll(JsonText.Mangled, json =>
    {
        foreach (var version in RoomVersions.All) Pdu.TryReadUntrusted(json, version, out _);
        EventHashes.ContentHashMatches(json);
        EventSigning.Signatures(json);
        Filter.Parse(json);
        PushRuleSet.Parse(json);
        return !EventSigning.VerifyJson(json, "a", "b", new byte[32], Crypto.Ed25519.Default);
    }));

    [Fact]
    public void Redacting_twice_is_redacting_once_and_keeps_the_event_id() => Check.One(Many, Prop.ForAll(Mutated, c =>
    {
        var version = c.Room.RoomVersion;
        if (CanonicalJson.ToArray(c.Json, out _, strict: false) is null) return true;
        var once = Redaction.Redact(c.Json, version);
        return once.AsSpan().SequenceEqual(Redaction.Redact(once, version))
            && EventHashes.EventId(c.Json, version) == EventHashes.EventId(once, version);
    }));

    private sealed class Context : IAuthContext
    {
        public IEd25519 Ed25519 => Crypto.Ed25519.Default;
    }
}
