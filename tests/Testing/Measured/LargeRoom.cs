using System.Text;
using Matrix.Events;
using Matrix.Primitives;

namespace Matrix.Testing;

/// <summary>A state with many members, for measuring. Its member events are not signed: nothing that is measured looks.</summary>
public sealed class LargeRoom : IStateView
{
    private readonly Dictionary<StateKey, Pdu> _state = [];

    public LargeRoom(string version, int members)
    {
        Room = Room.Version(version).Public().With(TestUser.Of("alice"));
        foreach (var id in Room.State.Values) Add(Room.Dag.Find(id)!);
        var template = Room.Get(EventTypes.Member, Room.Creator)!;
        for (var i = 0; i < members; i++)
        {
            var user = $"@member{i}:server{i % 500}.example";
            var text = Encoding.UTF8.GetString(template.Json.Span).Replace(Room.Creator.Id, user, StringComparison.Ordinal);
            Add(Pdu.ReadTrusted(CanonicalJson.Of(Encoding.UTF8.GetBytes(text)), template.Version, $"$member{i}"));
        }
    }

    public Room Room { get; }
    public IReadOnlyDictionary<StateKey, Pdu> State => _state;
    public Pdu? Get(StateKey key) => _state.GetValueOrDefault(key);

    private void Add(Pdu e) => _state[e.StatePair] = e;
}
