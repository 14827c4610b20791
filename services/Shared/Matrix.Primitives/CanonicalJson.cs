using System.Buffers;

namespace Matrix.Primitives;

/// <summary>What a strict reader found wrong with a document.</summary>
public enum CanonicalJsonFault { None, NotJson, DuplicateKey, NotAnInteger, IntegerOutOfRange, TooDeep, LoneSurrogate }

/// <summary>
/// Canonical JSON: UTF-8, no white space, members sorted by code point (equal to the order of their UTF-8 bytes), shortest escapes.
/// Spec: appendices#canonical-json
/// </summary>
public static partial class CanonicalJson
{
    /// <summary>Deepest nesting accepted anywhere.</summary>
    public const int MaxDepth = 100;

    /// <summary>
    /// Writes the canonical form of <paramref name="json"/>. With <paramref name="strict"/> (room versions 6 and later) numbers must be
    /// integers in [-(2^53)+1, 2^53-1]; without it they are written as they came. Duplicate keys are always a fault. Nothing useful was
    /// written when the result is not <see cref="CanonicalJsonFault.None"/>.
    /// </summary>
    public static partial CanonicalJsonFault TryWrite(ReadOnlySpan<byte> json, IBufferWriter<byte> output, bool strict = true);
}
