using System.Text;
using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>Why bytes are no PDU: <paramref name="TooLarge"/> tells the size limits apart (413) from malformed ones (400).</summary>
public readonly record struct PduFault(string Reason, bool TooLarge = false);

public sealed partial class Pdu
{
    /// <summary>Spec: openapi/server-server/definitions/pdu_v*, prev_events.</summary>
    public const int MaxPrevEvents = 20;

    /// <summary>Spec: openapi/server-server/definitions/pdu_v*, auth_events.</summary>
    public const int MaxAuthEvents = 10;

    // White space, escapes and unsigned do not count against the limit, but nobody needs sixteen times the event for them.
    private const int MaxSourceBytes = 16 * MaxBytes;

    /// <summary>
    /// Reads a PDU that came from outside: canonicalises, checks every limit (size, depth of nesting, ids, types of members, counts of
    /// prev and auth events), computes the event id. Does not check hash or signatures. <paramref name="pdu"/> is null when a fault is returned.
    /// Never throws. Top-level members that the spec does not name stay: hashes and signatures cover them.
    /// </summary>
    public static PduFault? TryReadUntrusted(ReadOnlySpan<byte> json, RoomVersion version, out Pdu? pdu)
    {
        pdu = null;
        if (json.Length > MaxSourceBytes) return new PduFault("The event is too large.", TooLarge: true);
        using var canonical = new PooledBuffer(json.Length + 16);
        var fault = CanonicalJson.TryWrite(json, canonical, version.StrictCanonicalJson);
        if (fault != CanonicalJsonFault.None) return new PduFault($"The event is not canonical JSON: {CanonicalJson.Describe(fault)}.");
        if (!CanonicalValue.IsObject(canonical.Written)) return new PduFault("An event is a JSON object.");
        var bytes = WithoutUnsigned(canonical.Written);
        if (bytes.Length > MaxBytes) return new PduFault("The event is larger than 65536 bytes.", TooLarge: true);
        var headers = new PduHeaders();
        return headers.Read(bytes, version) ?? headers.Check(version) ?? headers.ToPdu(bytes, version, null, out pdu);
    }

    /// <summary>
    /// Reads canonical bytes that this server stored itself: one pass, no checks. For version 12 create events the room id is derived.
    /// Members that are missing or of a wrong type (events of old rooms) read as empty.
    /// </summary>
    public static Pdu ReadTrusted(ReadOnlyMemory<byte> canonicalJson, RoomVersion version, string eventId)
    {
        var headers = new PduHeaders();
        headers.Read(canonicalJson.Span, version);
        headers.ToPdu(canonicalJson, version, eventId, out var pdu);
        return pdu!;
    }

    private static byte[] WithoutUnsigned(ReadOnlySpan<byte> canonical)
    {
        if (!new CanonicalObject(canonical).TryGet("unsigned"u8, out _)) return canonical.ToArray();
        using var bare = new PooledBuffer(canonical.Length);
        var json = new MemberWriter(bare);
        foreach (var member in new CanonicalObject(canonical))
        {
            if (!member.Name.SequenceEqual("unsigned"u8)) json.Text(member.Text);
        }
        json.End();
        return bare.Written.ToArray();
    }
}

/// <summary>The headers of a PDU as one pass over its canonical bytes finds them.</summary>
internal ref struct PduHeaders
{
    private string? _type, _sender, _roomId, _stateKey, _redacts, _eventId;
    private string[]? _prevEvents, _authEvents;
    private long _originServerTs, _depth;
    private int _contentStart, _contentLength;
    private bool _hasTs, _hasDepth, _hasHashes, _hasSignatures, _hasStateKey, _hasRoomId;
    private int _typeBytes, _stateKeyBytes;
    private ReadOnlySpan<byte> _topRedacts;

    /// <summary>Reads what is there; the first member of a wrong type is the fault, but the rest is read as well.</summary>
    public PduFault? Read(ReadOnlySpan<byte> json, RoomVersion version)
    {
        PduFault? fault = null;
        ReadOnlySpan<byte> stateKey = default, sender = default;
        foreach (var member in new CanonicalObject(json))
        {
            var value = member.Value;
            switch (member.Name.Length)
            {
                case 4 when member.Name.SequenceEqual("type"u8):
                    _type = Text(value, isType: true);
                    _typeBytes = value.Length - 2;
                    if (_type is null) fault ??= Wrong("type", "a string");
                    break;
                case 5 when member.Name.SequenceEqual("depth"u8):
                    _hasDepth = Integer(value, out _depth);
                    if (!_hasDepth) fault ??= Wrong("depth", "an integer");
                    break;
                case 6 when member.Name.SequenceEqual("sender"u8):
                    sender = value;
                    _sender = Text(value);
                    if (_sender is null) fault ??= Wrong("sender", "a string");
                    break;
                case 6 when member.Name.SequenceEqual("hashes"u8):
                    _hasHashes = CanonicalValue.IsObject(value);
                    if (!_hasHashes) fault ??= Wrong("hashes", "an object");
                    break;
                case 7 when member.Name.SequenceEqual("content"u8):
                    if (CanonicalValue.IsObject(value)) (_contentStart, _contentLength) = (member.ValueStart, member.ValueLength);
                    else fault ??= Wrong("content", "an object");
                    break;
                case 7 when member.Name.SequenceEqual("room_id"u8):
                    _hasRoomId = true;
                    _roomId = Text(value);
                    if (_roomId is null) fault ??= Wrong("room_id", "a string");
                    break;
                case 7 when member.Name.SequenceEqual("redacts"u8):
                    _topRedacts = value;
                    break;
                case 8 when member.Name.SequenceEqual("event_id"u8) && version.EventIds == EventIdFormat.ServerGiven:
                    _eventId = Text(value);
                    if (_eventId is null) fault ??= Wrong("event_id", "a string");
                    break;
                case 9 when member.Name.SequenceEqual("state_key"u8):
                    stateKey = value;
                    _hasStateKey = CanonicalValue.IsString(value);
                    _stateKeyBytes = value.Length - 2;
                    if (!_hasStateKey) fault ??= Wrong("state_key", "a string");
                    break;
                case 10 when member.Name.SequenceEqual("signatures"u8):
                    _hasSignatures = CanonicalValue.IsObject(value);
                    if (!_hasSignatures) fault ??= Wrong("signatures", "an object");
                    break;
                case 11 when member.Name.SequenceEqual("prev_events"u8):
                    _prevEvents = References(value, version, "prev_events", Pdu.MaxPrevEvents, ref fault);
                    break;
                case 11 when member.Name.SequenceEqual("auth_events"u8):
                    _authEvents = References(value, version, "auth_events", Pdu.MaxAuthEvents, ref fault);
                    break;
                case 16 when member.Name.SequenceEqual("origin_server_ts"u8):
                    _hasTs = Integer(value, out _originServerTs);
                    if (!_hasTs) fault ??= Wrong("origin_server_ts", "an integer");
                    break;
            }
        }
        // Most state keys are empty or name the sender: no second string.
        if (_hasStateKey) _stateKey = stateKey.Length == 2 ? "" : stateKey.SequenceEqual(sender) ? _sender : Text(stateKey);
        if (_type == EventTypes.Redaction)
        {
            var redacts = _topRedacts;
            if (version.RedactsInContent && !new CanonicalObject(json.Slice(_contentStart, _contentLength)).TryGet("redacts"u8, out redacts)) redacts = default;
            _redacts = Text(redacts);
        }
        return fault;
    }

    /// <summary>What the types of members alone do not tell: what is missing, malformed or too long.</summary>
    public readonly PduFault? Check(RoomVersion version)
    {
        if (_type is null) return Missing("type");
        if (_sender is null) return Missing("sender");
        if (_contentLength == 0) return Missing("content");
        if (!_hasTs) return Missing("origin_server_ts");
        if (!_hasDepth) return Missing("depth");
        if (!_hasHashes) return Missing("hashes");
        if (!_hasSignatures) return Missing("signatures");
        if (_prevEvents is null) return Missing("prev_events");
        if (_authEvents is null) return Missing("auth_events");
        if (_typeBytes > 255) return TooLong("type");
        if (_stateKeyBytes > 255) return TooLong("state_key");
        // No identifier has it, and no database's text.
        if (_type.Contains('\0') || _stateKey?.Contains('\0') == true || _redacts?.Contains('\0') == true) return new PduFault("The event's type, state_key or redacts holds U+0000.");
        if (_depth < 0) return new PduFault("The event has a negative depth.");
        if (Encoding.UTF8.GetByteCount(_sender) > MatrixIdLimits.MaxBytes) return TooLong("sender");
        if (!UserId.TryParse(_sender, null, out _)) return new PduFault("The sender is not a user id.");
        if (version.RoomIdIsCreateHash && _type == EventTypes.Create)
        {
            // Rule 1.2 of version 12; such an event has no room that it could be rejected in.
            if (_hasRoomId) return new PduFault("A create event of this room version has no room_id.");
        }
        else
        {
            if (_roomId is null) return Missing("room_id");
            if (Encoding.UTF8.GetByteCount(_roomId) > MatrixIdLimits.MaxBytes) return TooLong("room_id");
            if (!RoomId.TryParse(_roomId, null, out _)) return new PduFault("The room_id is not a room id.");
        }
        if (version.EventIds == EventIdFormat.ServerGiven)
        {
            if (_eventId is null) return Missing("event_id");
            if (Encoding.UTF8.GetByteCount(_eventId) > MatrixIdLimits.MaxBytes) return TooLong("event_id");
            if (!EventId.TryParse(_eventId, null, out _) || !_eventId.Contains(':')) return new PduFault("The event_id is not an event id.");
        }
        return null;
    }

    public readonly PduFault? ToPdu(ReadOnlyMemory<byte> json, RoomVersion version, string? eventId, out Pdu? pdu)
    {
        var id = eventId ?? _eventId ?? EventHashes.EventIdOfCanonical(json.Span, version);
        pdu = new Pdu
        {
            Version = version,
            EventId = id,
            RoomId = _roomId ?? (version.RoomIdIsCreateHash && id.Length > 0 ? string.Concat("!", id.AsSpan(1)) : ""),
            Type = _type ?? "",
            Sender = _sender ?? "",
            StateKey = _stateKey,
            OriginServerTs = _originServerTs,
            Depth = _depth,
            PrevEvents = _prevEvents ?? [],
            AuthEvents = _authEvents ?? [],
            Redacts = _redacts,
            Json = json,
            Content = _contentLength == 0 ? EmptyContent : json.Slice(_contentStart, _contentLength),
        };
        return null;
    }

    private static readonly ReadOnlyMemory<byte> EmptyContent = "{}"u8.ToArray();

    private static PduFault Wrong(string name, string what) => new($"The event's {name} is not {what}.");
    private static PduFault Missing(string name) => new($"The event has no {name}.");
    private static PduFault TooLong(string name) => new($"The event's {name} is longer than 255 bytes.", TooLarge: true);

    private static string? Text(ReadOnlySpan<byte> value, bool isType = false)
    {
        if (!CanonicalValue.IsString(value)) return null;
        var text = value[1..^1];
        if (text.Contains((byte)'\\')) return CanonicalValue.Unescape(text);
        return isType ? IdCache.Type(text) : IdCache.Id(text);
    }

    private static bool Integer(ReadOnlySpan<byte> value, out long number)
    {
        if (CanonicalValue.TryInteger(value, out number)) return true;
        number = 0;
        return false;
    }

    private static string[]? References(ReadOnlySpan<byte> value, RoomVersion version, string name, int limit, ref PduFault? fault)
    {
        if (!CanonicalValue.IsArray(value))
        {
            fault ??= Wrong(name, "an array");
            return null;
        }
        var count = 0;
        foreach (var _ in new CanonicalArray(value)) count++;
        if (count == 0) return [];
        if (count > limit)
        {
            fault ??= new PduFault($"The event has more than {limit} {name}.");
        }
        var ids = new string[count];
        var n = 0;
        foreach (var element in new CanonicalArray(value))
        {
            var id = version.ReferencesHaveHashes ? PairId(element) : element;
            var text = Text(id);
            if (text is null || !EventId.TryParse(text, null, out _))
            {
                fault ??= new PduFault($"The event's {name} hold something that is no event id.");
                if (text is null) continue;
            }
            ids[n++] = text;
        }
        return n == count ? ids : ids[..n];
    }

    /// <summary>The id of an <c>[id, hashes]</c> pair.</summary>
    private static ReadOnlySpan<byte> PairId(ReadOnlySpan<byte> element)
    {
        foreach (var id in new CanonicalArray(element)) return id;
        return default;
    }
}
