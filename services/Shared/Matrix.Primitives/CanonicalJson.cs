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

    /// <summary>Largest and (negated) smallest integer of strict canonical JSON: 2^53-1.</summary>
    public const long MaxInteger = 9_007_199_254_740_991;

    /// <summary>
    /// Writes the canonical form of <paramref name="json"/>. With <paramref name="strict"/> (room versions 6 and later) numbers must be
    /// integers in [-(2^53)+1, 2^53-1]; without it they are written as they came, except that -0 becomes 0 and an exponent is resolved where
    /// the value is an integer of that range. Duplicate keys are always a fault. Nothing was written when the result is not
    /// <see cref="CanonicalJsonFault.None"/>. Never throws for any input.
    /// </summary>
    public static CanonicalJsonFault TryWrite(ReadOnlySpan<byte> json, IBufferWriter<byte> output, bool strict = true)
    {
        var scanner = CanonicalScanner.Rent();
        try
        {
            var fault = scanner.Run(json, strict);
            if (fault == CanonicalJsonFault.None) output.Write(scanner.Written);
            return fault;
        }
        finally
        {
            CanonicalScanner.Return(scanner);
        }
    }

    /// <summary>The canonical form as an array of its own; null exactly when <paramref name="fault"/> is not None.</summary>
    public static byte[]? ToArray(ReadOnlySpan<byte> json, out CanonicalJsonFault fault, bool strict = true)
    {
        var scanner = CanonicalScanner.Rent();
        try
        {
            fault = scanner.Run(json, strict);
            return fault == CanonicalJsonFault.None ? scanner.Written.ToArray() : null;
        }
        finally
        {
            CanonicalScanner.Return(scanner);
        }
    }

    /// <summary>The canonical form of JSON that is known to be valid; throws for anything else (a programming error, not an input error).</summary>
    public static byte[] Of(ReadOnlySpan<byte> json, bool strict = false) =>
        ToArray(json, out var fault, strict) ?? throw new ArgumentException($"Not canonicalisable: {fault}.", nameof(json));

    /// <summary>What to tell the author of a document about its fault.</summary>
    public static string Describe(CanonicalJsonFault fault) => fault switch
    {
        CanonicalJsonFault.None => "no fault",
        CanonicalJsonFault.NotJson => "not valid JSON",
        CanonicalJsonFault.DuplicateKey => "an object has the same key twice",
        CanonicalJsonFault.NotAnInteger => "a number is not an integer",
        CanonicalJsonFault.IntegerOutOfRange => "an integer is outside [-(2^53)+1, (2^53)-1]",
        CanonicalJsonFault.TooDeep => "nested too deeply",
        CanonicalJsonFault.LoneSurrogate => "a string holds half of a surrogate pair",
        _ => fault.ToString(),
    };
}
