using Matrix.Primitives;

namespace Matrix.Events;

// Rule "If type is m.room.power_levels" of each version.
public static partial class AuthRules
{
    private static AuthVerdict CheckPowerLevels(Pdu e, in RoomView room, long senderLevel)
    {
        if (ValidatePowerLevels(e, room.Create) is { } fault) return AuthVerdict.Reject(fault);
        if (room.PowerLevelsEvent is not { } current) return AuthVerdict.Ok;
        var old = PowerLevels.Read(room.Create, current).Content;
        var changed = PowerLevelContent.Read(e.Content.Span, e.Version);

        if (!MayChange(old.UsersDefault, changed.UsersDefault, senderLevel)) return TooHigh("users_default");
        if (!MayChange(old.EventsDefault, changed.EventsDefault, senderLevel)) return TooHigh("events_default");
        if (!MayChange(old.StateDefault, changed.StateDefault, senderLevel)) return TooHigh("state_default");
        if (!MayChange(old.Ban, changed.Ban, senderLevel)) return TooHigh("ban");
        if (!MayChange(old.Redact, changed.Redact, senderLevel)) return TooHigh("redact");
        if (!MayChange(old.Kick, changed.Kick, senderLevel)) return TooHigh("kick");
        if (!MayChange(old.Invite, changed.Invite, senderLevel)) return TooHigh("invite");
        if (!MayChangeAll(old.Events, changed.Events, senderLevel)) return TooHigh("events");
        if (e.Version.LimitNotificationsPowerLevels && !MayChangeAll(old.Notifications, changed.Notifications, senderLevel))
            return TooHigh("notifications");

        foreach (var (user, level) in old.Users)
        {
            var stays = changed.Users.TryGetValue(user, out var next) && next == level;
            if (!stays && user != e.Sender && level >= senderLevel) return TooHigh("users");
        }
        foreach (var (user, level) in changed.Users)
        {
            var stays = old.Users.TryGetValue(user, out var before) && before == level;
            if (!stays && level > senderLevel) return TooHigh("users");
        }
        return AuthVerdict.Ok;
    }

    private static AuthVerdict TooHigh(string what) => AuthVerdict.Reject($"Not allowed to change that in {what}.");

    private static bool MayChange(long? old, long? changed, long senderLevel) =>
        old == changed || ((old is null || old <= senderLevel) && (changed is null || changed <= senderLevel));

    private static bool MayChangeAll(Dictionary<string, long> old, Dictionary<string, long> changed, long senderLevel)
    {
        foreach (var (key, level) in old)
        {
            if (level > senderLevel && !(changed.TryGetValue(key, out var next) && next == level)) return false;
        }
        foreach (var (key, level) in changed)
        {
            if (level > senderLevel && !(old.TryGetValue(key, out var before) && before == level)) return false;
        }
        return true;
    }

    /// <summary>What is wrong with the shape of a power-level event; null when nothing is.</summary>
    private static string? ValidatePowerLevels(Pdu e, Pdu create)
    {
        var version = e.Version;
        foreach (var member in new CanonicalObject(e.Content.Span))
        {
            var name = member.Name;
            var value = member.Value;
            if (name.SequenceEqual("users"u8))
            {
                if (!CanonicalValue.IsObject(value)) return "users is not an object.";
                foreach (var user in new CanonicalObject(value))
                {
                    if (!PowerLevelContent.TryLevel(user.Value, version, out _)) return "users holds something that is no level.";
                    if (!UserId.TryParse(CanonicalValue.Unescape(user.Name), null, out _)) return "users holds something that is no user id.";
                }
            }
            else if (version.IntegerPowerLevels && (name.SequenceEqual("events"u8) || name.SequenceEqual("notifications"u8)))
            {
                if (!CanonicalValue.IsObject(value)) return "events or notifications is not an object.";
                foreach (var entry in new CanonicalObject(value))
                {
                    if (!CanonicalValue.TryInteger(entry.Value, out _)) return "events or notifications holds something that is no integer.";
                }
            }
            else if (version.IntegerPowerLevels && IsNamedLevel(name) && !CanonicalValue.TryInteger(value, out _))
            {
                return "A level is no integer.";
            }
        }
        if (version.PrivilegedCreators)
        {
            new CanonicalObject(e.Content.Span).TryGet("users"u8, out var users);
            foreach (var creator in PowerLevels.CreatorsOf(create))
            {
                foreach (var user in new CanonicalObject(users))
                {
                    if (Utf8Text.Equal(user.Name, creator)) return "users holds a creator of the room.";
                }
            }
        }
        return null;
    }

    private static bool IsNamedLevel(ReadOnlySpan<byte> name) =>
        name.SequenceEqual("users_default"u8) || name.SequenceEqual("events_default"u8) || name.SequenceEqual("state_default"u8)
        || name.SequenceEqual("ban"u8) || name.SequenceEqual("redact"u8) || name.SequenceEqual("kick"u8) || name.SequenceEqual("invite"u8);
}
