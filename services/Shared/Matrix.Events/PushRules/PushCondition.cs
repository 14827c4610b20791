using System.Buffers;
using System.Globalization;
using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>A condition of a push rule. One that is not known never holds. Spec: client-server-api/#conditions-1</summary>
public abstract class PushCondition
{
    /// <summary>Canonical JSON as it was given.</summary>
    internal byte[] Json { get; private init; } = [];

    /// <summary>Whether the answer can differ between users for reasons that <see cref="PushEvent.Concerns"/> does not see.</summary>
    internal virtual bool AsksDisplayName => false;

    internal abstract bool Holds(PushEvent e, in PushUser user);

    internal void Write(IBufferWriter<byte> output, string userId)
    {
        var json = new MemberWriter(output);
        foreach (var member in new CanonicalObject(Json))
        {
            if (Utf8Text.ValueIs(member.Value, PushRule.UserPlaceholder)) json.String(member.Name, userId);
            else json.Text(member.Text);
        }
        json.End();
    }

    /// <summary>
    /// What is wrong with a condition that a client sends; null when nothing is. Unknown kinds and missing parameters are no fault: such a condition never holds.
    /// Source: openapi/client-server/definitions/push_condition.yaml
    /// </summary>
    public static string? Fault(ReadOnlySpan<byte> canonical)
    {
        var json = new CanonicalObject(canonical);
        if (!CanonicalValue.IsObject(canonical) || json.GetString("kind"u8) is null) return "A condition is an object with a kind.";
        if (IsOther(json, "key"u8) || IsOther(json, "pattern"u8) || IsOther(json, "is"u8)) return "key, pattern and is of a condition are strings.";
        return json.TryGet("value"u8, out _) && !HasPlainValue(json) ? "value of a condition is a string, an integer, a boolean or null." : null;

        static bool IsOther(in CanonicalObject json, ReadOnlySpan<byte> name) => json.TryGet(name, out var value) && !CanonicalValue.IsString(value);
    }

    internal static PushCondition Read(ReadOnlySpan<byte> canonical)
    {
        var json = canonical.ToArray();
        return Parse(canonical) switch
        {
            MatchCondition c => new MatchCondition(c) { Json = json },
            ValueCondition c => new ValueCondition(c) { Json = json },
            MemberCountCondition c => new MemberCountCondition(c) { Json = json },
            PermissionCondition c => new PermissionCondition(c) { Json = json },
            DisplayNameCondition => new DisplayNameCondition { Json = json },
            _ => new UnknownCondition { Json = json },
        };
    }

    private static PushCondition Parse(ReadOnlySpan<byte> canonical)
    {
        var json = new CanonicalObject(canonical);
        var key = json.GetString("key"u8);
        switch (json.GetString("kind"u8))
        {
            case "event_match" when key is not null && json.GetString("pattern"u8) is { } pattern:
                return new MatchCondition(key, pattern);
            case "event_property_is" when key is not null && HasPlainValue(json):
                json.TryGet("value"u8, out var value);
                return new ValueCondition(key, value.ToArray(), contains: false);
            case "event_property_contains" when key is not null && HasPlainValue(json):
                json.TryGet("value"u8, out var element);
                return new ValueCondition(key, element.ToArray(), contains: true);
            case "contains_display_name":
                return new DisplayNameCondition();
            case "room_member_count" when json.GetString("is"u8) is { } text && MemberCountCondition.TryParse(text, out var count):
                return count;
            case "sender_notification_permission" when key is not null:
                return new PermissionCondition(key);
            default:
                return new UnknownCondition();
        }
    }

    /// <summary>A string, an integer, a boolean or null.</summary>
    private static bool HasPlainValue(in CanonicalObject json) =>
        json.TryGet("value"u8, out var value)
        && (CanonicalValue.IsString(value) || CanonicalValue.TryInteger(value, out _) || value[0] is (byte)'t' or (byte)'f' or (byte)'n');

    private sealed class UnknownCondition : PushCondition
    {
        internal override bool Holds(PushEvent e, in PushUser user) => false;
    }

    private sealed class MatchCondition(string key, string pattern) : PushCondition
    {
        private readonly string _key = key;
        private readonly string _pattern = pattern;
        private readonly string[] _path = PropertyPath.Split(key);

        public MatchCondition(MatchCondition other) : this(other._key, other._pattern) { }

        internal override bool Holds(PushEvent e, in PushUser user)
        {
            if (_key == "content.body") return e.Body is { } body && WordGlob.Matches(_pattern, body);
            if (e.String(_key, _path) is not { } text) return false;
            return _pattern == PushRule.UserPlaceholder ? text == user.Id : Glob.Matches(_pattern, text, ignoreCase: true);
        }
    }

    private sealed class ValueCondition(string key, byte[] value, bool contains) : PushCondition
    {
        private readonly string _key = key;
        private readonly byte[] _value = value;
        private readonly bool _contains = contains;
        private readonly string[] _path = PropertyPath.Split(key);
        private readonly bool _isUser = Utf8Text.ValueIs(value, PushRule.UserPlaceholder);

        public ValueCondition(ValueCondition other) : this(other._key, other._value, other._contains) { }

        internal override bool Holds(PushEvent e, in PushUser user)
        {
            var actual = e.Value(_key, _path);
            if (!_contains) return Same(actual, user);
            if (!CanonicalValue.IsArray(actual)) return false;
            foreach (var element in new CanonicalArray(actual))
            {
                if (Same(element, user)) return true;
            }
            return false;
        }

        // Both sides are canonical, so equal values have equal bytes.
        private bool Same(ReadOnlySpan<byte> actual, in PushUser user) =>
            _isUser ? user.Id.Length > 0 && Utf8Text.ValueIs(actual, user.Id) : actual.SequenceEqual(_value);
    }

    private sealed class DisplayNameCondition : PushCondition
    {
        internal override bool AsksDisplayName => true;

        internal override bool Holds(PushEvent e, in PushUser user) =>
            user.DisplayName is { Length: > 0 } name && e.Body is { } body && WordGlob.ContainsWord(name, body);
    }

    private sealed class MemberCountCondition(char comparison, bool orEqual, long number) : PushCondition
    {
        private readonly char _comparison = comparison;
        private readonly bool _orEqual = orEqual;
        private readonly long _number = number;

        public MemberCountCondition(MemberCountCondition other) : this(other._comparison, other._orEqual, other._number) { }

        public static bool TryParse(string text, out MemberCountCondition condition)
        {
            condition = null!;
            var comparison = '=';
            var rest = text.AsSpan();
            var orEqual = true;
            if (rest.StartsWith("=="))
            {
                rest = rest[2..];
            }
            else if (rest.Length > 0 && rest[0] is '<' or '>')
            {
                comparison = rest[0];
                orEqual = rest.Length > 1 && rest[1] == '=';
                rest = rest[(orEqual ? 2 : 1)..];
            }
            if (!long.TryParse(rest, NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return false;
            condition = new MemberCountCondition(comparison, orEqual, number);
            return true;
        }

        internal override bool Holds(PushEvent e, in PushUser user) =>
            (_orEqual && e.MemberCount == _number) || (_comparison == '<' && e.MemberCount < _number) || (_comparison == '>' && e.MemberCount > _number);
    }

    private sealed class PermissionCondition(string key) : PushCondition
    {
        private readonly string _key = key;

        public PermissionCondition(PermissionCondition other) : this(other._key) { }

        internal override bool Holds(PushEvent e, in PushUser user) => e.Levels.Of(e.Event.Sender) >= e.Levels.ToNotify(_key);
    }
}
