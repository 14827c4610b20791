using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>What an event of this server is made of. Content is any JSON object; it is canonicalised.</summary>
/// <param name="RoomId">Null exactly for a version 12 create event, whose id becomes the room id.</param>
/// <param name="Redacts">Written where the version keeps it: at the top, or into the content.</param>
public sealed record EventDraft(
    string? RoomId, string Type, string? StateKey, string Sender, ReadOnlyMemory<byte> Content,
    long OriginServerTs, long Depth, string[] PrevEvents, string[] AuthEvents, string? Redacts = null)
{
    /// <summary>Versions 1 and 2: the id to give. Null: one made of the event's own hash.</summary>
    public string? EventId { get; init; }

    /// <summary>Versions 1 and 2: reference hash (32 bytes) of an event by id, for the pairs in prev_events and auth_events. Null: left out.</summary>
    public Func<string, byte[]?>? ReferenceHashOf { get; init; }
}

public static class EventBuilder
{
    /// <summary>
    /// Canonicalises, hashes, signs and reads back. A fault (never an exception) when content is not strict canonical JSON, or a limit is broken.
    /// </summary>
    public static PduFault? TryBuild(EventDraft draft, RoomVersion version, string serverName, SigningKey key, IEd25519 ed25519, out Pdu? pdu)
    {
        pdu = null;
        if (draft.Content.Length > 16 * Pdu.MaxBytes) return new PduFault("The event is larger than 65536 bytes.", TooLarge: true);
        if (version.StrictCanonicalJson && (!InRange(draft.Depth) || !InRange(draft.OriginServerTs)))
            return new PduFault("The event's depth or origin_server_ts is outside the range of canonical JSON.");
        using var content = new PooledBuffer(draft.Content.Length + 64);
        if (WriteContent(draft, version, content) is { } fault) return fault;

        using var text = new PooledBuffer(content.Length + 1024);
        Write(text, draft, version, content.Written, draft.EventId, null, default, null, null);
        var eventId = draft.EventId;
        Span<byte> hash = stackalloc byte[32];
        if (version.EventIds == EventIdFormat.ServerGiven && eventId is null)
        {
            SHA256.HashData(text.Written, hash);
            eventId = $"${Base64Url.EncodeToString(hash[..18])}:{serverName}";
            text.Clear();
            Write(text, draft, version, content.Written, eventId, null, default, null, null);
        }
        SHA256.HashData(text.Written, hash);
        var contentHash = UnpaddedBase64.Encode(hash);

        // The same bytes are what gets signed and what the event id is the hash of.
        text.Clear();
        Write(text, draft, version, content.Written, eventId, contentHash, default, null, null);
        using var redacted = new PooledBuffer(text.Length);
        Redaction.Write(text.Written, version, redacted, withSignatures: false);
        var signature = ed25519.Sign(key.Seed, redacted.Written);
        if (version.EventIds != EventIdFormat.ServerGiven)
        {
            SHA256.HashData(redacted.Written, hash);
            eventId = EventHashes.EventIdOfHash(hash, version);
        }

        text.Clear();
        Write(text, draft, version, content.Written, eventId, contentHash, signature, serverName, key.KeyId);
        if (text.Length > Pdu.MaxBytes) return new PduFault("The event is larger than 65536 bytes.", TooLarge: true);
        var bytes = text.Written.ToArray();
        var headers = new PduHeaders();
        return headers.Read(bytes, version) ?? headers.Check(version) ?? headers.ToPdu(bytes, version, eventId, out pdu);
    }

    private static bool InRange(long number) => number is >= -CanonicalJson.MaxInteger and <= CanonicalJson.MaxInteger;

    private static PduFault? WriteContent(EventDraft draft, RoomVersion version, PooledBuffer content)
    {
        var fault = CanonicalJson.TryWrite(draft.Content.Span, content, version.StrictCanonicalJson);
        if (fault != CanonicalJsonFault.None) return new PduFault($"The content is not canonical JSON: {CanonicalJson.Describe(fault)}.");
        if (!CanonicalValue.IsObject(content.Written)) return new PduFault("The content is not an object.");
        if (draft.Redacts is null || !version.RedactsInContent) return null;
        using var plain = new PooledBuffer(content.Length + 64);
        var json = new MemberWriter(plain);
        foreach (var member in new CanonicalObject(content.Written))
        {
            if (!member.Name.SequenceEqual("redacts"u8)) json.Text(member.Text);
        }
        json.String("redacts"u8, draft.Redacts);
        json.End();
        content.Clear();
        CanonicalJson.TryWrite(plain.Written, content, version.StrictCanonicalJson);
        return null;
    }

    /// <summary>The members in canonical order. Without hash: what the content hash covers. Without signature: what is signed, before redaction.</summary>
    private static void Write(
        PooledBuffer output, EventDraft draft, RoomVersion version, ReadOnlySpan<byte> content, string? eventId, string? contentHash,
        ReadOnlySpan<byte> signature, string? serverName, string? keyId)
    {
        var json = new MemberWriter(output);
        json.Name("auth_events"u8);
        WriteReferences(output, draft.AuthEvents, draft, version);
        json.Raw("content"u8, content);
        json.Number("depth"u8, draft.Depth);
        if (version.EventIds == EventIdFormat.ServerGiven && eventId is not null) json.String("event_id"u8, eventId);
        if (contentHash is not null)
        {
            json.Name("hashes"u8);
            var hashes = new MemberWriter(output);
            hashes.String("sha256"u8, contentHash);
            hashes.End();
        }
        json.Number("origin_server_ts"u8, draft.OriginServerTs);
        json.Name("prev_events"u8);
        WriteReferences(output, draft.PrevEvents, draft, version);
        if (draft.Redacts is not null && !version.RedactsInContent) json.String("redacts"u8, draft.Redacts);
        if (draft.RoomId is not null) json.String("room_id"u8, draft.RoomId);
        json.String("sender"u8, draft.Sender);
        if (serverName is not null)
        {
            json.Name("signatures"u8);
            var servers = new MemberWriter(output);
            servers.NameOf(serverName);
            var keys = new MemberWriter(output);
            keys.NameOf(keyId!);
            output.Write("\""u8);
            // 64 bytes are 86 characters and two of padding, which are not written.
            var span = output.GetSpan(88);
            System.Buffers.Text.Base64.EncodeToUtf8(signature, span, out _, out var n);
            while (span[n - 1] == (byte)'=') n--;
            output.Advance(n);
            output.Write("\""u8);
            keys.End();
            servers.End();
        }
        if (draft.StateKey is not null) json.String("state_key"u8, draft.StateKey);
        json.String("type"u8, draft.Type);
        json.End();
    }

    private static void WriteReferences(PooledBuffer output, string[] ids, EventDraft draft, RoomVersion version)
    {
        output.Write("["u8);
        for (var i = 0; i < ids.Length; i++)
        {
            if (i > 0) output.Write(","u8);
            if (!version.ReferencesHaveHashes)
            {
                CanonicalJson.WriteString(output, ids[i]);
                continue;
            }
            output.Write("["u8);
            CanonicalJson.WriteString(output, ids[i]);
            output.Write(",{"u8);
            if (draft.ReferenceHashOf?.Invoke(ids[i]) is { } hash)
            {
                output.Write("\"sha256\":"u8);
                CanonicalJson.WriteString(output, UnpaddedBase64.Encode(hash));
            }
            output.Write("}]"u8);
        }
        output.Write("]"u8);
    }
}
