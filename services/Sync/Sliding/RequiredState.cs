using System.Buffers;
using System.Text;
using System.Text.Json;
using Matrix.Events;

namespace Matrix.Sync.Sliding;

/// <summary>A pair of type and state key, or anything there.</summary>
internal readonly record struct StatePattern(string? Type, string? Key)
{
    public bool Matches(StateKey key) => (Type is null || Type == key.Type) && (Key is null || Key == key.Key);
    public bool Covers(StatePattern other) => (Type is null || Type == other.Type) && (Key is null || Key == other.Key);
}

/// <summary>
/// Which state a client wants of a room, with the sender's members (<c>lazy_members</c>) beside it. Several room configs give the union of what
/// each wants. Immutable. Spec: MSC4186, required_state
/// </summary>
internal sealed class RequiredState : IEquatable<RequiredState>
{
    private readonly Part[] parts;

    /// <summary>One room config's. With <paramref name="Lazy"/>, patterns for all keys do not mean members: those come as they are needed.</summary>
    private sealed record Part(StatePattern[] Include, StatePattern[] Exclude, bool Lazy)
    {
        public bool Matches(StateKey key)
        {
            var isMember = key.Type == EventTypes.Member;
            foreach (var pattern in Exclude) if (pattern.Matches(key)) return false;
            foreach (var pattern in Include) if (pattern.Matches(key) && !(Lazy && isMember && pattern.Key is null)) return true;
            return false;
        }

        public bool AllMembers => !Lazy && Array.Exists(Include, p => p.Key is null && p.Type is null or EventTypes.Member);

        /// <summary>Never true by mistake; false where it would take thought.</summary>
        public bool Covers(Part other) =>
            Exclude.Length == 0 && Lazy == other.Lazy && Array.TrueForAll(other.Include, o => Array.Exists(Include, p => p.Covers(o)));
    }

    private RequiredState(Part[] parts)
    {
        this.parts = parts;
        Text = Write();
        AllMembers = Array.Exists(parts, p => p.AllMembers);
        LazyMembers = !AllMembers && Array.Exists(parts, p => p.Lazy);
        MemberKeys = [.. parts.SelectMany(p => p.Include).Where(p => p.Key is not null && p.Type is null or EventTypes.Member).Select(p => p.Key!).Distinct()];
    }

    public static RequiredState None { get; } = new([]);

    public static RequiredState Of(IEnumerable<StatePattern> include, IEnumerable<StatePattern> exclude, bool lazy)
    {
        var (wanted, unwanted) = (include.Distinct().ToArray(), exclude.Distinct().ToArray());
        return wanted.Length == 0 && !lazy ? None : new([new Part(wanted, unwanted, lazy)]);
    }

    public static RequiredState Union(IReadOnlyCollection<RequiredState> all)
    {
        if (all.Count == 1) return all.First();
        return new([.. all.SelectMany(r => r.parts).DistinctBy(Key)]);
        static string Key(Part part) => new RequiredState([part]).Text;
    }

    /// <summary>Equal texts are equal requirements.</summary>
    public string Text { get; }
    /// <summary>Members of senders are told with the timeline.</summary>
    public bool LazyMembers { get; }
    public bool AllMembers { get; }
    /// <summary>Users whose member events are wanted by name.</summary>
    public IReadOnlyList<string> MemberKeys { get; }

    public bool Matches(StateKey key) => Array.Exists(parts, p => p.Matches(key));

    /// <summary>Who was told the other one's state has all of this one's.</summary>
    public bool IsCoveredBy(RequiredState other) =>
        Text == other.Text || Array.TrueForAll(parts, mine => Array.Exists(other.parts, theirs => theirs.Covers(mine)));

    public bool Equals(RequiredState? other) => other is not null && other.Text == Text;
    public override bool Equals(object? obj) => Equals(obj as RequiredState);
    public override int GetHashCode() => Text.GetHashCode(StringComparison.Ordinal);

    // ---------------------------------------------------------------- as text, for the database

    private string Write()
    {
        var buffer = new ArrayBufferWriter<byte>(128);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartArray();
            foreach (var part in parts)
            {
                json.WriteStartArray();
                json.WriteBooleanValue(part.Lazy);
                WritePatterns(json, part.Include);
                WritePatterns(json, part.Exclude);
                json.WriteEndArray();
            }
            json.WriteEndArray();
        }
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static void WritePatterns(Utf8JsonWriter json, StatePattern[] patterns)
    {
        json.WriteStartArray();
        foreach (var (type, key) in patterns)
        {
            json.WriteStringValue(type);
            json.WriteStringValue(key);
        }
        json.WriteEndArray();
    }

    /// <summary>Reads what <see cref="Text"/> gave.</summary>
    public static RequiredState Parse(string text)
    {
        using var document = JsonDocument.Parse(text);
        return new([.. document.RootElement.EnumerateArray().Select(p => new Part(Patterns(p[1]), Patterns(p[2]), p[0].GetBoolean()))]);
    }

    private static StatePattern[] Patterns(JsonElement list)
    {
        var patterns = new StatePattern[list.GetArrayLength() / 2];
        for (var i = 0; i < patterns.Length; i++) patterns[i] = new(list[i * 2].GetString(), list[(i * 2) + 1].GetString());
        return patterns;
    }
}
