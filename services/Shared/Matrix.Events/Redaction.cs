using System.Buffers;
using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>The redaction algorithm of each version. Spec: client-server-api/#redactions, rooms/v*#redactions</summary>
public static class Redaction
{
    /// <summary>
    /// Canonical JSON of the redacted PDU; signatures and hashes stay. Redacting twice is redacting once. An event without a content object
    /// gets an empty one. Throws for what is no JSON object.
    /// </summary>
    public static byte[] Redact(ReadOnlySpan<byte> pduJson, RoomVersion version)
    {
        using var canonical = CanonicalPdu.Of(pduJson);
        using var redacted = new PooledBuffer(canonical.Length);
        Write(canonical.Written, version, redacted, withSignatures: true);
        return redacted.Written.ToArray();
    }

    /// <summary>
    /// Writes the redacted form of canonical bytes. Without signatures it is what gets signed and what the reference hash is taken of.
    /// </summary>
    internal static void Write(ReadOnlySpan<byte> canonical, RoomVersion version, IBufferWriter<byte> output, bool withSignatures)
    {
        new CanonicalObject(canonical).TryGet("type"u8, out var type);
        var text = CanonicalValue.IsString(type) ? type[1..^1] : default;
        var json = new MemberWriter(output);
        var contentWritten = false;
        foreach (var member in new CanonicalObject(canonical))
        {
            var name = member.Name;
            if (!contentWritten && name.SequenceCompareTo("content"u8) >= 0)
            {
                contentWritten = true;
                json.Name("content"u8);
                WriteContent(name.SequenceEqual("content"u8) ? member.Value : default, text, version, output);
            }
            if (IsKept(name, version, withSignatures)) json.Text(member.Text);
        }
        if (!contentWritten)
        {
            json.Name("content"u8);
            output.Write("{}"u8);
        }
        json.End();
    }

    /// <summary>Top-level members that survive, but for content.</summary>
    private static bool IsKept(ReadOnlySpan<byte> name, RoomVersion version, bool withSignatures)
    {
        switch (name.Length)
        {
            case 4: return name.SequenceEqual("type"u8);
            case 5: return name.SequenceEqual("depth"u8);
            case 6: return name.SequenceEqual("sender"u8) || name.SequenceEqual("hashes"u8) || (!version.UpdatedRedaction && name.SequenceEqual("origin"u8));
            case 7: return name.SequenceEqual("room_id"u8);
            case 8: return name.SequenceEqual("event_id"u8);
            case 9: return name.SequenceEqual("state_key"u8);
            case 10: return (withSignatures && name.SequenceEqual("signatures"u8))
                || (!version.UpdatedRedaction && (name.SequenceEqual("prev_state"u8) || name.SequenceEqual("membership"u8)));
            case 11: return name.SequenceEqual("prev_events"u8) || name.SequenceEqual("auth_events"u8);
            case 16: return name.SequenceEqual("origin_server_ts"u8);
            default: return false;
        }
    }

    private static void WriteContent(ReadOnlySpan<byte> content, ReadOnlySpan<byte> type, RoomVersion version, IBufferWriter<byte> output)
    {
        if (!CanonicalValue.IsObject(content))
        {
            output.Write("{}"u8);
            return;
        }
        if (version.UpdatedRedaction && type.SequenceEqual("m.room.create"u8))
        {
            output.Write(content);
            return;
        }
        var json = new MemberWriter(output);
        foreach (var member in new CanonicalObject(content))
        {
            var name = member.Name;
            if (IsContentKept(type, name, version))
            {
                json.Text(member.Text);
            }
            else if (version.UpdatedRedaction && name.SequenceEqual("third_party_invite"u8) && type.SequenceEqual("m.room.member"u8)
                && CanonicalValue.IsObject(member.Value))
            {
                // Synapse: an object without signed stays as an empty object.
                json.Name(name);
                var inner = new MemberWriter(output);
                foreach (var part in new CanonicalObject(member.Value))
                {
                    if (part.Name.SequenceEqual("signed"u8)) inner.Text(part.Text);
                }
                inner.End();
            }
        }
        json.End();
    }

    private static bool IsContentKept(ReadOnlySpan<byte> type, ReadOnlySpan<byte> name, RoomVersion version)
    {
        if (type.SequenceEqual("m.room.member"u8))
        {
            return name.SequenceEqual("membership"u8)
                || (version.RestrictedJoinRedactionFix && name.SequenceEqual("join_authorised_via_users_server"u8));
        }
        if (type.SequenceEqual("m.room.create"u8)) return name.SequenceEqual("creator"u8);
        if (type.SequenceEqual("m.room.join_rules"u8))
            return name.SequenceEqual("join_rule"u8) || (version.RestrictedJoins && name.SequenceEqual("allow"u8));
        if (type.SequenceEqual("m.room.power_levels"u8))
        {
            return name.SequenceEqual("ban"u8) || name.SequenceEqual("events"u8) || name.SequenceEqual("events_default"u8)
                || name.SequenceEqual("kick"u8) || name.SequenceEqual("redact"u8) || name.SequenceEqual("state_default"u8)
                || name.SequenceEqual("users"u8) || name.SequenceEqual("users_default"u8)
                || (version.UpdatedRedaction && name.SequenceEqual("invite"u8));
        }
        if (type.SequenceEqual("m.room.history_visibility"u8)) return name.SequenceEqual("history_visibility"u8);
        if (type.SequenceEqual("m.room.aliases"u8)) return version.SpecialAliasesAuth && name.SequenceEqual("aliases"u8);
        return version.UpdatedRedaction && type.SequenceEqual("m.room.redaction"u8) && name.SequenceEqual("redacts"u8);
    }
}
