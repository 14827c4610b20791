using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>The user for whom rules are evaluated.</summary>
/// <param name="DisplayName">In the room; null when there is none.</param>
public readonly record struct PushUser(string Id, string? DisplayName = null)
{
    /// <summary>Anybody whom the event does not concern.</summary>
    public static PushUser Anybody { get; } = new("");
}

/// <summary>What the rules decided. <see cref="Rule"/> is null when none matched.</summary>
public readonly record struct PushOutcome(bool Notify, bool Highlight, string? Sound, PushRule? Rule)
{
    public static PushOutcome Nothing { get; }
}

/// <summary>
/// An event as push rules see it, with what they ask of its room. Made once per event and used for all users: properties are looked up once.
/// One thread at a time.
/// </summary>
public sealed class PushEvent(Pdu e, PowerLevels levels, long memberCount)
{
    private readonly Dictionary<string, (int Start, int Length)> _values = new(StringComparer.Ordinal);
    private string? _body;
    private bool _bodyRead;
    private HashSet<string>? _mentions;

    public Pdu Event => e;
    public PowerLevels Levels => levels;

    /// <summary>Joined members of the room.</summary>
    public long MemberCount => memberCount;

    /// <summary>Users of <c>m.mentions</c>.</summary>
    public IReadOnlySet<string> Mentions => _mentions ??= ReadMentions();

    /// <summary>
    /// Whether the default rules may decide differently for this user than for anybody: the event mentions the user, or is about him. For all
    /// others the outcome of <see cref="PushUser.Anybody"/> holds, as long as the rule set does not ask for display names.
    /// </summary>
    public bool Concerns(string userId) => e.StateKey == userId || e.Sender == userId || Mentions.Contains(userId);

    internal string? Body
    {
        get
        {
            if (!_bodyRead)
            {
                _body = e.ContentString("body"u8);
                _bodyRead = true;
            }
            return _body;
        }
    }

    /// <summary>A property that is a string; null otherwise.</summary>
    internal string? String(string key, string[] path) => key switch
    {
        "type" => e.Type,
        "state_key" => e.StateKey,
        "sender" => e.Sender,
        "room_id" => e.RoomId,
        "event_id" => e.EventId,
        "content.membership" when e.Membership is { } membership => membership,
        _ => CanonicalValue.String(Value(key, path)),
    };

    /// <summary>Canonical JSON of a property; empty when it is absent.</summary>
    internal ReadOnlySpan<byte> Value(string key, string[] path)
    {
        var json = e.Json.Span;
        if (_values.TryGetValue(key, out var known)) return json.Slice(known.Start, known.Length);
        var start = 0;
        var length = json.Length;
        foreach (var name in path)
        {
            var found = false;
            foreach (var member in new CanonicalObject(json.Slice(start, length)))
            {
                if (!Utf8Text.Equal(member.Name, name)) continue;
                start += member.ValueStart;
                length = member.ValueLength;
                found = true;
                break;
            }
            if (found) continue;
            length = 0;
            break;
        }
        _values[key] = (start, length);
        return json.Slice(start, length);
    }

    private HashSet<string> ReadMentions()
    {
        var users = new HashSet<string>(StringComparer.Ordinal);
        if (!new CanonicalObject(e.ContentValue("m.mentions"u8)).TryGet("user_ids"u8, out var list)) return users;
        foreach (var element in new CanonicalArray(list))
        {
            if (CanonicalValue.String(element) is { } user) users.Add(user);
        }
        return users;
    }
}
