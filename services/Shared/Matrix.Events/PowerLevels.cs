using System.Globalization;
using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>
/// Power levels as the auth rules read them; defaults applied; creators of version 12 stand above (long.MaxValue). Immutable.
/// Spec: event-schemas/schema/m.room.power_levels.yaml, rooms/v*#authorization-rules
/// </summary>
public sealed class PowerLevels
{
    /// <summary>The level of a creator in versions with privileged creators.</summary>
    public const long Creator = long.MaxValue;

    private readonly Pdu _create;
    private readonly Pdu? _event;
    private readonly string[] _creators;
    private readonly bool _privilegedCreators;

    private PowerLevels(Pdu create, Pdu? powerLevels)
    {
        _create = create;
        _event = powerLevels;
        _privilegedCreators = create.Version.PrivilegedCreators;
        _creators = CreatorsOf(create);
        Content = powerLevels is null ? PowerLevelContent.Empty : PowerLevelContent.Read(powerLevels.Content.Span, create.Version);
    }

    internal PowerLevelContent Content { get; }

    /// <summary>
    /// Reads the create event and the power-level event (null: none in the state). The result is kept with the event it was read from, so
    /// asking again costs nothing.
    /// </summary>
    public static PowerLevels Read(Pdu create, Pdu? powerLevels)
    {
        var holder = powerLevels ?? create;
        if (holder.CachedPowerLevels is { } known && ReferenceEquals(known._event, powerLevels)
            && (ReferenceEquals(known._create, create) || known._create.EventId == create.EventId)) return known;
        return holder.CachedPowerLevels = new PowerLevels(create, powerLevels);
    }

    /// <summary>The level of a user, joined or not.</summary>
    public long Of(string userId)
    {
        if (_privilegedCreators && IsCreator(userId)) return Creator;
        if (Content.Users.TryGetValue(userId, out var level)) return level;
        if (_event is not null) return Content.UsersDefault ?? 0;
        return IsCreator(userId) ? 100 : 0;
    }

    /// <summary>Whether the user made the room (version 12: or is one of its additional creators).</summary>
    public bool IsCreator(string userId) => Array.IndexOf(_creators, userId) >= 0;

    /// <summary>Level needed to send such an event.</summary>
    public long ToSend(string type, bool isState) =>
        Content.Events.TryGetValue(type, out var level) ? level
        : isState ? Content.StateDefault ?? 50 : Content.EventsDefault ?? 0;

    public long Ban => Content.Ban ?? 50;
    public long Kick => Content.Kick ?? 50;
    public long Invite => Content.Invite ?? 0;
    public long Redact => Content.Redact ?? 50;

    /// <summary>Level for a notification key such as <c>room</c>; 50 by default.</summary>
    public long ToNotify(string key) => Content.Notifications.TryGetValue(key, out var level) ? level : 50;

    /// <summary>Users whose level is stated, creators of version 12 left out.</summary>
    public IReadOnlyDictionary<string, long> Users => Content.Users;

    internal static string[] CreatorsOf(Pdu create)
    {
        var version = create.Version;
        var first = version.ImplicitCreator ? create.Sender : create.ContentString("creator"u8) ?? "";
        if (!version.PrivilegedCreators) return [first];
        var more = create.ContentValue("additional_creators"u8);
        if (!CanonicalValue.IsArray(more)) return [first];
        var creators = new List<string> { first };
        foreach (var element in new CanonicalArray(more))
        {
            if (CanonicalValue.String(element) is { } user) creators.Add(user);
        }
        return [.. creators];
    }
}

/// <summary>What a power-level event says, defaults not applied.</summary>
internal sealed class PowerLevelContent
{
    private static readonly Dictionary<string, long> None = [];

    public static PowerLevelContent Empty { get; } = new();

    public long? Ban { get; private set; }
    public long? Kick { get; private set; }
    public long? Invite { get; private set; }
    public long? Redact { get; private set; }
    public long? UsersDefault { get; private set; }
    public long? EventsDefault { get; private set; }
    public long? StateDefault { get; private set; }
    public Dictionary<string, long> Users { get; private set; } = None;
    public Dictionary<string, long> Events { get; private set; } = None;
    public Dictionary<string, long> Notifications { get; private set; } = None;

    /// <summary>Reads what is there; what is no level counts as absent.</summary>
    public static PowerLevelContent Read(ReadOnlySpan<byte> content, RoomVersion version)
    {
        var result = new PowerLevelContent();
        foreach (var member in new CanonicalObject(content))
        {
            var name = member.Name;
            var value = member.Value;
            if (name.SequenceEqual("users"u8)) result.Users = Map(value, version);
            else if (name.SequenceEqual("events"u8)) result.Events = Map(value, version);
            else if (name.SequenceEqual("notifications"u8)) result.Notifications = Map(value, version);
            else if (!TryLevel(value, version, out var level)) continue;
            else if (name.SequenceEqual("ban"u8)) result.Ban = level;
            else if (name.SequenceEqual("kick"u8)) result.Kick = level;
            else if (name.SequenceEqual("invite"u8)) result.Invite = level;
            else if (name.SequenceEqual("redact"u8)) result.Redact = level;
            else if (name.SequenceEqual("users_default"u8)) result.UsersDefault = level;
            else if (name.SequenceEqual("events_default"u8)) result.EventsDefault = level;
            else if (name.SequenceEqual("state_default"u8)) result.StateDefault = level;
        }
        return result;
    }

    private static Dictionary<string, long> Map(ReadOnlySpan<byte> value, RoomVersion version)
    {
        Dictionary<string, long>? map = null;
        foreach (var member in new CanonicalObject(value))
        {
            if (!TryLevel(member.Value, version, out var level)) continue;
            map ??= [];
            map[member.Name.Contains((byte)'\\') ? CanonicalValue.Unescape(member.Name) : IdCache.Type(member.Name)] = level;
        }
        return map ?? None;
    }

    /// <summary>
    /// A level: an integer; before version 10 also a string of one; where canonical JSON is not enforced also a fraction, cut off.
    /// Spec: rooms/v1#mroompower_levels-events-accept-values-as-strings and the section after it
    /// </summary>
    public static bool TryLevel(ReadOnlySpan<byte> value, RoomVersion version, out long level)
    {
        if (CanonicalValue.TryInteger(value, out level)) return true;
        if (version.IntegerPowerLevels || value.IsEmpty) return false;
        if (CanonicalValue.IsString(value)) return TryText(CanonicalValue.String(value)!, out level);
        if (version.StrictCanonicalJson || (value[0] != (byte)'-' && !char.IsAsciiDigit((char)value[0]))) return false;
        if (!double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) || !double.IsFinite(number)) return false;
        level = (long)Math.Truncate(number);
        return true;
    }

    private static bool TryText(string text, out long level)
    {
        level = 0;
        var digits = text.AsSpan().Trim();
        var sign = digits.Length > 0 && digits[0] is '+' or '-' ? digits[0] : '+';
        if (digits.Length > 0 && digits[0] is '+' or '-') digits = digits[1..];
        if (digits.IsEmpty) return false;
        foreach (var c in digits)
        {
            if (!char.IsAsciiDigit(c)) return false;
            if (level > (long.MaxValue - 9) / 10) return false;
            level = level * 10 + (c - '0');
        }
        if (sign == '-') level = -level;
        return true;
    }
}
