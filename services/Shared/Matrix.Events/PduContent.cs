using Matrix.Primitives;

namespace Matrix.Events;

public sealed partial class Pdu
{
    private string? _membership;

    /// <summary>Values derived from the content that the auth rules ask for often; filled on demand, races are harmless.</summary>
    internal PowerLevels? CachedPowerLevels;

    /// <summary>
    /// <c>content.membership</c> of a member event: a constant of <see cref="Memberships"/> where it is one of those; null for other types
    /// and for a missing or malformed value.
    /// </summary>
    public string? Membership
    {
        get
        {
            var known = _membership ??= ReadMembership();
            return known.Length == 0 ? null : known;
        }
    }

    /// <summary>A string member at the top of the content, unescaped; null when it is missing or no string.</summary>
    public string? ContentString(ReadOnlySpan<byte> name) => new CanonicalObject(Content.Span).GetString(name);

    /// <summary>The raw JSON of a member at the top of the content; empty when it is missing.</summary>
    public ReadOnlySpan<byte> ContentValue(ReadOnlySpan<byte> name) =>
        new CanonicalObject(Content.Span).TryGet(name, out var value) ? value : default;

    /// <summary>This event after redaction: same id, room, references; content and other members cut as its version says.</summary>
    public Pdu Redacted() => ReadTrusted(Redaction.Redact(Json.Span, Version), Version, EventId);

    private string ReadMembership()
    {
        if (Type != EventTypes.Member) return "";
        var value = ContentValue("membership"u8);
        if (value.SequenceEqual("\"join\""u8)) return Memberships.Join;
        if (value.SequenceEqual("\"leave\""u8)) return Memberships.Leave;
        if (value.SequenceEqual("\"invite\""u8)) return Memberships.Invite;
        if (value.SequenceEqual("\"ban\""u8)) return Memberships.Ban;
        if (value.SequenceEqual("\"knock\""u8)) return Memberships.Knock;
        return CanonicalValue.String(value) ?? "";
    }
}
