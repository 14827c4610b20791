using System.Buffers.Binary;
using System.Text;

namespace Matrix.Events;

/// <summary>
/// Strings that come again and again while events are read: types from a fixed list, ids from a small direct-mapped table per thread.
/// A miss costs one allocation, a collision only a miss.
/// </summary>
internal sealed class IdCache
{
    private const int Slots = 1024;

    [ThreadStatic] private static IdCache? _current;

    private static readonly string[][] TypesByLength = Group(
        EventTypes.Create, EventTypes.Member, EventTypes.PowerLevels, EventTypes.JoinRules, EventTypes.ThirdPartyInvite, EventTypes.Redaction,
        EventTypes.Aliases, EventTypes.HistoryVisibility, EventTypes.Message, EventTypes.Encrypted, EventTypes.Encryption, EventTypes.Name,
        EventTypes.Topic, EventTypes.Avatar, EventTypes.CanonicalAlias, EventTypes.GuestAccess, EventTypes.Tombstone, EventTypes.ServerAcl,
        EventTypes.PinnedEvents, EventTypes.SpaceChild, EventTypes.SpaceParent, EventTypes.Reaction, EventTypes.Sticker, "m.room.history_visibility",
        "m.call.invite", "m.call.candidates", "m.call.answer", "m.call.hangup", "m.poll.start", "m.poll.response", "m.poll.end",
        "org.matrix.msc3401.call.member", "m.room.related_groups", "im.vector.modular.widgets", "m.policy.rule.user", "m.room.bot.options");

    private readonly string?[] _slots = new string?[Slots];

    private static string[][] Group(params string[] types)
    {
        var groups = new string[64][];
        for (var i = 0; i < groups.Length; i++) groups[i] = [.. types.Where(t => t.Length == i).Distinct()];
        return groups;
    }

    /// <summary>The string of an event type; the constant of <see cref="EventTypes"/> where it is one.</summary>
    public static string Type(ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length < TypesByLength.Length)
        {
            foreach (var type in TypesByLength[utf8.Length])
            {
                if (Ascii.Equals(utf8, type)) return type;
            }
        }
        return Id(utf8);
    }

    /// <summary>The string of an identifier.</summary>
    public static string Id(ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length is 0 or > 255) return Encoding.UTF8.GetString(utf8);
        var cache = _current ??= new IdCache();
        ref var slot = ref cache._slots[Hash(utf8) & (Slots - 1)];
        if (slot is { } known && known.Length == utf8.Length && Ascii.Equals(utf8, known)) return known;
        return slot = Encoding.UTF8.GetString(utf8);
    }

    private static uint Hash(ReadOnlySpan<byte> utf8)
    {
        // Both ends: room ids and event ids differ at the start, user ids of one server too; types may share their start.
        var h = (ulong)utf8.Length;
        if (utf8.Length >= 8)
        {
            h ^= BinaryPrimitives.ReadUInt64LittleEndian(utf8) * 0x9E3779B97F4A7C15;
            h ^= BinaryPrimitives.ReadUInt64LittleEndian(utf8[^8..]) * 0xC2B2AE3D27D4EB4F;
        }
        else
        {
            foreach (var b in utf8) h = (h ^ b) * 0x100000001B3;
        }
        h *= 0xFF51AFD7ED558CCD;
        return (uint)(h >> 40);
    }
}
