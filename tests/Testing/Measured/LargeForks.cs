using System.Text;
using Matrix.Events;
using Matrix.Primitives;

namespace Matrix.Testing;

/// <summary>Large states that differ, for measuring resolution. Their member events are not signed: nothing that is measured looks.</summary>
public sealed class LargeForks
{
    private readonly Dictionary<string, Pdu> events = new(StringComparer.Ordinal);
    private readonly Room room;
    private readonly string template;
    private int made;

    private LargeForks(string version)
    {
        room = Room.Version(version).Public().With(TestUser.Of("alice"));
        foreach (var e in room.Events) events[e.EventId] = e;
        var join = room.Fork().Join(TestUser.Of("@template:server.example")).Last;
        template = Encoding.UTF8.GetString(join.Json.Span);
        Base = room.State.ToDictionary();
    }

    private Dictionary<StateKey, string> Base { get; }
    public IReadOnlyList<IReadOnlyDictionary<StateKey, string>> States { get; private set; } = [];

    /// <summary>A room of that many members, and two branches of a few events each: renamed members, kicks, and a change of power levels.</summary>
    public static LargeForks Recent(string version, int members, int changes)
    {
        var large = new LargeForks(version);
        for (var i = 0; i < members; i++) large.Join(large.Base, $"@member{i}:server{i % 500}.example");
        var (one, two) = (new Dictionary<StateKey, string>(large.Base), new Dictionary<StateKey, string>(large.Base));
        for (var i = 0; i < changes; i++) large.Join(i % 2 == 0 ? one : two, $"@member{i / 2}:server{i / 2}.example");
        large.Levels(two);
        large.States = [one, two];
        return large;
    }

    /// <summary>Two branches that have nothing in common but the first events: the same members, joined by other events.</summary>
    public static LargeForks Diverged(string version, int members)
    {
        var large = new LargeForks(version);
        var (one, two) = (new Dictionary<StateKey, string>(large.Base), new Dictionary<StateKey, string>(large.Base));
        large.Levels(two);
        for (var i = 0; i < members; i++) foreach (var state in new[] { one, two }) large.Join(state, $"@member{i}:server{i % 500}.example");
        large.States = [one, two];
        return large;
    }

    public IReadOnlyDictionary<StateKey, string> Resolve() => StateResolver.Resolve(room.RoomVersion, States, Find, static _ => false);

    private Pdu? Find(string id) => events.GetValueOrDefault(id);

    private void Join(Dictionary<StateKey, string> state, string user)
    {
        var key = new StateKey(EventTypes.Member, user);
        string[] auth = [.. AuthRules.SelectKeys(EventTypes.Member, user, user, """{"membership":"join"}"""u8, room.RoomVersion).Select(k => state.GetValueOrDefault(k)).OfType<string>()];
        Add(state, key, template.Replace("@template:server.example", user, StringComparison.Ordinal), auth);
    }

    private void Levels(Dictionary<StateKey, string> state)
    {
        var e = room.Fork().Set(room.Creator, EventTypes.PowerLevels, room.RoomVersion.PrivilegedCreators ? """{"ban":60}""" : $$$"""{"ban":60,"users":{"{{{room.Creator}}}":100}}""").Last;
        events[e.EventId] = e;
        state[e.StatePair] = e.EventId;
    }

    private void Add(Dictionary<StateKey, string> state, StateKey key, string json, string[] auth)
    {
        var read = Pdu.ReadTrusted(CanonicalJson.Of(Encoding.UTF8.GetBytes(json)), room.RoomVersion, $"$member{++made}");
        var e = new Pdu
        {
            Version = read.Version, EventId = read.EventId, RoomId = room.RoomId, Type = read.Type, Sender = read.Sender, StateKey = read.StateKey,
            OriginServerTs = read.OriginServerTs + made, Depth = read.Depth + made, PrevEvents = read.PrevEvents, AuthEvents = auth, Redacts = null, Json = read.Json,
            Content = read.Content,
        };
        events[e.EventId] = e;
        state[key] = e.EventId;
    }
}
