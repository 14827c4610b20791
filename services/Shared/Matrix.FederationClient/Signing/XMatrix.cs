using System.Buffers;
using System.Text;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.Primitives;

namespace Matrix.FederationClient.Signing;

/// <summary>
/// The Authorization header of a request between servers: who asks, by which key, and the signature over method, target and content.
/// Spec: server-server-api/#request-authentication
/// </summary>
/// <param name="Destination">Null: an old server left it out.</param>
public sealed record XMatrixAuthorization(string Origin, string? Destination, string KeyId, string Signature)
{
    public const string Scheme = "X-Matrix";

    /// <summary>Server names and key ids hold nothing that would need an escape.</summary>
    public override string ToString() => Destination is null
        ? $"{Scheme} origin=\"{Origin}\",key=\"{KeyId}\",sig=\"{Signature}\""
        : $"{Scheme} origin=\"{Origin}\",destination=\"{Destination}\",key=\"{KeyId}\",sig=\"{Signature}\"";

    /// <summary>Null when it is another scheme, malformed, or lacks a parameter.</summary>
    public static XMatrixAuthorization? Parse(string header)
    {
        var rest = header.AsSpan().Trim();
        if (!rest.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) || rest.Length <= Scheme.Length || rest[Scheme.Length] != ' ') return null;
        rest = rest[Scheme.Length..].TrimStart(' ');
        string? origin = null, destination = null, key = null, signature = null;
        while (!rest.IsEmpty)
        {
            if (!XMatrixParameters.TryNext(ref rest, out var name, out var value)) return null;
            if (name.Equals("origin", StringComparison.OrdinalIgnoreCase)) origin = value;
            else if (name.Equals("destination", StringComparison.OrdinalIgnoreCase)) destination = value;
            else if (name.Equals("key", StringComparison.OrdinalIgnoreCase)) key = value;
            else if (name.Equals("sig", StringComparison.OrdinalIgnoreCase)) signature = value;
        }
        return origin is null || key is null || signature is null ? null : new(origin, destination, key, signature);
    }
}

/// <summary>Signs and verifies requests between servers.</summary>
public static class XMatrix
{
    /// <param name="target">Path and query as they go over the wire.</param>
    /// <param name="content">A JSON value; null for a request without a body.</param>
    public static XMatrixAuthorization Sign(ServerIdentity identity, string destination, string method, string target, ReadOnlyMemory<byte>? content)
    {
        var document = Document(identity.ServerName, destination, method, target, (content ?? default).Span, hasContent: content is not null, null);
        var signed = EventSigning.SignJson(document.Span, identity.ServerName, identity.Key, identity.Ed25519);
        using var json = JsonDocument.Parse(signed);
        var signature = json.RootElement.GetProperty("signatures").GetProperty(identity.ServerName).GetProperty(identity.Key.KeyId).GetString()!;
        return new(identity.ServerName, destination, identity.Key.KeyId, signature);
    }

    /// <summary>False: the signature is not of that key over this request. The content must have been read as JSON before.</summary>
    public static bool Verify(
        XMatrixAuthorization authorization, string method, string target, ReadOnlySpan<byte> content, ReadOnlySpan<byte> publicKey, IEd25519 ed25519)
    {
        var document = Document(authorization.Origin, authorization.Destination, method, target, content, !content.IsEmpty, authorization);
        return EventSigning.VerifyJson(document.Span, authorization.Origin, authorization.KeyId, publicKey, ed25519);
    }

    private static ReadOnlyMemory<byte> Document(
        string origin, string? destination, string method, string target, ReadOnlySpan<byte> content, bool hasContent, XMatrixAuthorization? signature)
    {
        var buffer = new ArrayBufferWriter<byte>(content.Length + 512);
        using (var w = new Utf8JsonWriter(buffer))
        {
            w.WriteStartObject();
            if (hasContent)
            {
                w.WritePropertyName("content");
                w.WriteRawValue(content);
            }
            if (destination is not null) w.WriteString("destination", destination);
            w.WriteString("method", method);
            w.WriteString("origin", origin);
            if (signature is not null)
            {
                w.WriteStartObject("signatures");
                w.WriteStartObject(signature.Origin);
                w.WriteString(signature.KeyId, signature.Signature);
                w.WriteEndObject();
                w.WriteEndObject();
            }
            w.WriteString("uri", target);
            w.WriteEndObject();
        }
        return buffer.WrittenMemory;
    }
}
