using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;

namespace Matrix.Primitives;

/// <summary>
/// A point in the streams, as clients carry it: <c>next_batch</c> and <c>since</c> of /sync, <c>from</c>, <c>to</c>, <c>start</c> and <c>end</c> of
/// /messages, <c>prev_batch</c>. Opaque to clients: <c>s1_</c> and one letter with one integer a stream, such as <c>s1_a12e72594r4483</c>. It stands
/// <i>after</i> those positions: an answer since a token tells what is in (token, now]; paginating backwards from it begins with position
/// <see cref="Events"/> itself, so the token before an event is <c>Before(position)</c>.
/// <para>Any release reads a token of another one: a stream that a token lacks is null (nothing of it was told yet), letters that this release does
/// not know are kept and written again. Negative positions of events are history that was backfilled.</para>
/// </summary>
public sealed class StreamToken : IParsable<StreamToken>, IEquatable<StreamToken>
{
    private const string Prefix = "s1_";
    /// <summary>Longest text that is looked at.</summary>
    private const int MaxLength = 600;
    private const int Letters = 26;

    private readonly long[] values;
    private readonly uint present;      // bit n: the letter 'a' + n is there

    private StreamToken(long[] values, uint present) => (this.values, this.present) = (values, present);

    /// <summary>Token without any position: before everything.</summary>
    public static StreamToken Empty { get; } = new(new long[Letters], 0);

    /// <summary>The token after that position of stream events, and of no other stream.</summary>
    public static StreamToken After(long eventPosition) => Empty.With('e', eventPosition);
    /// <summary>The token directly before the event at that position.</summary>
    public static StreamToken Before(long eventPosition) => After(eventPosition - 1);

    // The letters. A letter is never given a second meaning. m: of a page of a timeline, not of /sync.
    public long? Events => this['e'];
    public long? Receipts => this['r'];
    public long? AccountData => this['a'];
    public long? ToDevice => this['t'];
    public long? DeviceLists => this['d'];
    public long? Presence => this['p'];
    public long? Typing => this['y'];
    /// <summary>When the typing users were told, milliseconds: who stops by running out of time makes no row. Null: nobody was typing.</summary>
    public long? TypingTsMs => this['x'];

    public long? this[char letter] => (present & Bit(letter)) != 0 ? values[letter - 'a'] : null;

    public StreamToken With(char letter, long position)
    {
        var bit = Bit(letter);
        var copy = (long[])values.Clone();
        copy[letter - 'a'] = position;
        return new StreamToken(copy, present | bit);
    }

    /// <summary>A token of several positions; letters with null are left out.</summary>
    public static StreamToken Of(params ReadOnlySpan<(char Letter, long? Position)> positions)
    {
        var values = new long[Letters];
        var present = 0u;
        foreach (var (letter, position) in positions)
        {
            if (position is not { } value) continue;
            present |= Bit(letter);
            values[letter - 'a'] = value;
        }
        return new StreamToken(values, present);
    }

    private static uint Bit(char letter) =>
        letter is >= 'a' and <= 'z' ? 1u << (letter - 'a') : throw new ArgumentOutOfRangeException(nameof(letter), letter, "not a letter of a stream");

    public override string ToString()
    {
        Span<char> text = stackalloc char[MaxLength];
        Prefix.CopyTo(text);
        var n = Prefix.Length;
        for (var rest = present; rest != 0; rest &= rest - 1)
        {
            var i = BitOperations.TrailingZeroCount(rest);
            text[n++] = (char)('a' + i);
            values[i].TryFormat(text[n..], out var written, default, CultureInfo.InvariantCulture);
            n += written;
        }
        return new string(text[..n]);
    }

    public static StreamToken Parse(string s, IFormatProvider? provider = null) =>
        TryParse(s, provider, out var token) ? token : throw new FormatException("not a stream token");

    /// <summary>Parses a token that a client sent; anything else is 400 M_INVALID_PARAM naming the parameter.</summary>
    public static StreamToken FromClient(string text, string parameter) =>
        TryParse(text, null, out var token) ? token : throw MatrixError.InvalidParam($"Invalid '{parameter}' token.").AsException();

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, [MaybeNullWhen(false)] out StreamToken result)
    {
        result = null;
        if (s is null || s.Length > MaxLength || !s.StartsWith(Prefix, StringComparison.Ordinal)) return false;
        var rest = s.AsSpan(Prefix.Length);
        var values = new long[Letters];
        var present = 0u;
        while (!rest.IsEmpty)
        {
            if (rest[0] is < 'a' or > 'z') return false;
            var index = rest[0] - 'a';
            var end = 1;
            if (end < rest.Length && rest[end] == '-') end++;
            while (end < rest.Length && char.IsAsciiDigit(rest[end])) end++;
            if ((present & (1u << index)) != 0) return false;
            if (!long.TryParse(rest[1..end], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out values[index])) return false;
            present |= 1u << index;
            rest = rest[end..];
        }
        result = new StreamToken(values, present);
        return true;
    }

    public bool Equals(StreamToken? other)
    {
        if (other is null || other.present != present) return false;
        for (var rest = present; rest != 0; rest &= rest - 1)
        {
            var i = BitOperations.TrailingZeroCount(rest);
            if (values[i] != other.values[i]) return false;
        }
        return true;
    }

    public override bool Equals(object? obj) => Equals(obj as StreamToken);
    public override int GetHashCode() => HashCode.Combine(present, values[4]);
}
