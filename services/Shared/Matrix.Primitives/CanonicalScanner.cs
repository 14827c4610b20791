using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Unicode;

namespace Matrix.Primitives;

/// <summary>
/// One pass over the text that checks the grammar and writes the canonical form. An object whose members arrive sorted is written once;
/// one that does not is permuted in place when it closes. Faults are values: hostile text costs no exception. Instances are kept per
/// thread, so the steady state allocates nothing.
/// </summary>
internal sealed class CanonicalScanner
{
    private const int KeepBytes = 1 << 20;

    [ThreadStatic] private static CanonicalScanner? _idle;

    // Every byte that ends a run of plain string content.
    private static readonly SearchValues<byte> Special = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Select(i => (byte)i), (byte)'"', (byte)'\\']);

    /// <summary>A member inside <see cref="_out"/>: its name with quotes, then the colon and its value.</summary>
    private readonly record struct Member(int Start, int NameEnd, int End, bool Escaped);

    private byte[] _out = new byte[4096];
    private byte[] _sorted = [];
    private Member[] _members = new Member[64];
    private int _length;
    private int _memberCount;
    private bool _strict;
    private readonly Comparison<Member> _byName;

    private CanonicalScanner() => _byName = CompareNames;

    public ReadOnlySpan<byte> Written => _out.AsSpan(0, _length);

    public static CanonicalScanner Rent()
    {
        var scanner = _idle ?? new CanonicalScanner();
        _idle = null;
        return scanner;
    }

    public static void Return(CanonicalScanner scanner)
    {
        if (scanner._out.Length <= KeepBytes && scanner._members.Length <= KeepBytes / 16) _idle = scanner;
    }

    public CanonicalJsonFault Run(ReadOnlySpan<byte> json, bool strict)
    {
        _length = 0;
        _memberCount = 0;
        _strict = strict;
        if (!Utf8.IsValid(json)) return CanonicalJsonFault.NotJson;
        // Canonical text is never longer than its source, but for exponents of the tolerant mode: those reserve what they add.
        Reserve(json.Length + 32);
        var at = 0;
        var fault = Value(json, ref at, 1);
        if (fault != CanonicalJsonFault.None) return fault;
        SkipWhite(json, ref at);
        return at == json.Length ? CanonicalJsonFault.None : CanonicalJsonFault.NotJson;
    }

    private void Reserve(int capacity)
    {
        if (_out.Length < capacity) Array.Resize(ref _out, Math.Max(capacity, _out.Length * 2));
    }

    private static void SkipWhite(ReadOnlySpan<byte> json, ref int at)
    {
        while ((uint)at < (uint)json.Length && json[at] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t') at++;
    }

    private CanonicalJsonFault Value(ReadOnlySpan<byte> json, ref int at, int depth)
    {
        SkipWhite(json, ref at);
        if ((uint)at >= (uint)json.Length) return CanonicalJsonFault.NotJson;
        switch (json[at])
        {
            case (byte)'{': return Object(json, ref at, depth);
            case (byte)'[': return List(json, ref at, depth);
            case (byte)'"': return String(json, ref at, out _);
            case (byte)'t': return Literal(json, ref at, "true"u8);
            case (byte)'f': return Literal(json, ref at, "false"u8);
            case (byte)'n': return Literal(json, ref at, "null"u8);
            default: return Number(json, ref at);
        }
    }

    private CanonicalJsonFault Object(ReadOnlySpan<byte> json, ref int at, int depth)
    {
        if (depth > CanonicalJson.MaxDepth) return CanonicalJsonFault.TooDeep;
        at++;
        _out[_length++] = (byte)'{';
        var first = _memberCount;
        var body = _length;
        var sorted = true;
        SkipWhite(json, ref at);
        if ((uint)at < (uint)json.Length && json[at] == (byte)'}')
        {
            at++;
            _out[_length++] = (byte)'}';
            return CanonicalJsonFault.None;
        }
        while (true)
        {
            SkipWhite(json, ref at);
            if ((uint)at >= (uint)json.Length || json[at] != (byte)'"') return CanonicalJsonFault.NotJson;
            var start = _length;
            var fault = String(json, ref at, out var escaped);
            if (fault != CanonicalJsonFault.None) return fault;
            var nameEnd = _length;
            SkipWhite(json, ref at);
            if ((uint)at >= (uint)json.Length || json[at] != (byte)':') return CanonicalJsonFault.NotJson;
            at++;
            _out[_length++] = (byte)':';
            fault = Value(json, ref at, depth + 1);
            if (fault != CanonicalJsonFault.None) return fault;

            if (_memberCount == _members.Length) Array.Resize(ref _members, _members.Length * 2);
            _members[_memberCount] = new Member(start, nameEnd, _length, escaped);
            if (sorted && _memberCount > first)
            {
                var order = CompareNames(_members[_memberCount - 1], _members[_memberCount]);
                if (order == 0) return CanonicalJsonFault.DuplicateKey;
                sorted = order < 0;
            }
            _memberCount++;

            SkipWhite(json, ref at);
            if ((uint)at >= (uint)json.Length) return CanonicalJsonFault.NotJson;
            var next = json[at++];
            if (next == (byte)'}') break;
            if (next != (byte)',') return CanonicalJsonFault.NotJson;
            _out[_length++] = (byte)',';
        }
        if (!sorted && !Permute(first, body)) return CanonicalJsonFault.DuplicateKey;
        _memberCount = first;
        _out[_length++] = (byte)'}';
        return CanonicalJsonFault.None;
    }

    /// <summary>Sorts the members from <paramref name="first"/> on, whose text starts at <paramref name="body"/>. False: a name twice.</summary>
    private bool Permute(int first, int body)
    {
        var members = _members.AsSpan(first, _memberCount - first);
        members.Sort(_byName);
        var size = _length - body;
        if (_sorted.Length < size) _sorted = new byte[Math.Max(size, Math.Min(_out.Length, KeepBytes))];
        var to = 0;
        for (var i = 0; i < members.Length; i++)
        {
            if (i > 0)
            {
                if (CompareNames(members[i - 1], members[i]) == 0) return false;
                _sorted[to++] = (byte)',';
            }
            var text = _out.AsSpan(members[i].Start, members[i].End - members[i].Start);
            text.CopyTo(_sorted.AsSpan(to));
            to += text.Length;
        }
        _sorted.AsSpan(0, to).CopyTo(_out.AsSpan(body));
        return true;
    }

    private int CompareNames(Member a, Member b)
    {
        var x = _out.AsSpan(a.Start + 1, a.NameEnd - a.Start - 2);
        var y = _out.AsSpan(b.Start + 1, b.NameEnd - b.Start - 2);
        return a.Escaped || b.Escaped ? CanonicalNames.CompareEscaped(x, y) : x.SequenceCompareTo(y);
    }

    private CanonicalJsonFault List(ReadOnlySpan<byte> json, ref int at, int depth)
    {
        if (depth > CanonicalJson.MaxDepth) return CanonicalJsonFault.TooDeep;
        at++;
        _out[_length++] = (byte)'[';
        SkipWhite(json, ref at);
        if ((uint)at < (uint)json.Length && json[at] == (byte)']')
        {
            at++;
            _out[_length++] = (byte)']';
            return CanonicalJsonFault.None;
        }
        while (true)
        {
            var fault = Value(json, ref at, depth + 1);
            if (fault != CanonicalJsonFault.None) return fault;
            SkipWhite(json, ref at);
            if ((uint)at >= (uint)json.Length) return CanonicalJsonFault.NotJson;
            var next = json[at++];
            if (next == (byte)']') break;
            if (next != (byte)',') return CanonicalJsonFault.NotJson;
            _out[_length++] = (byte)',';
        }
        _out[_length++] = (byte)']';
        return CanonicalJsonFault.None;
    }

    private CanonicalJsonFault Literal(ReadOnlySpan<byte> json, ref int at, ReadOnlySpan<byte> literal)
    {
        if (!json[at..].StartsWith(literal)) return CanonicalJsonFault.NotJson;
        literal.CopyTo(_out.AsSpan(_length));
        _length += literal.Length;
        at += literal.Length;
        return CanonicalJsonFault.None;
    }

    private CanonicalJsonFault String(ReadOnlySpan<byte> json, ref int at, out bool escaped)
    {
        escaped = false;
        at++;
        _out[_length++] = (byte)'"';
        while (true)
        {
            var rest = json[at..];
            var plain = rest.IndexOfAny(Special);
            if (plain < 0) return CanonicalJsonFault.NotJson;
            rest[..plain].CopyTo(_out.AsSpan(_length));
            _length += plain;
            at += plain;
            var b = rest[plain];
            if (b == (byte)'"')
            {
                at++;
                _out[_length++] = (byte)'"';
                return CanonicalJsonFault.None;
            }
            if (b != (byte)'\\') return CanonicalJsonFault.NotJson;
            escaped = true;
            var fault = Escape(json, ref at);
            if (fault != CanonicalJsonFault.None) return fault;
        }
    }

    private CanonicalJsonFault Escape(ReadOnlySpan<byte> json, ref int at)
    {
        if (at + 1 >= json.Length) return CanonicalJsonFault.NotJson;
        var c = json[at + 1];
        at += 2;
        switch (c)
        {
            case (byte)'"' or (byte)'\\' or (byte)'b' or (byte)'f' or (byte)'n' or (byte)'r' or (byte)'t':
                _out[_length++] = (byte)'\\';
                _out[_length++] = c;
                return CanonicalJsonFault.None;
            case (byte)'/':
                _out[_length++] = (byte)'/';
                return CanonicalJsonFault.None;
            case (byte)'u':
                break;
            default:
                return CanonicalJsonFault.NotJson;
        }
        if (!TryHex4(json, at, out var code)) return CanonicalJsonFault.NotJson;
        at += 4;
        if (code is >= 0xD800 and <= 0xDFFF)
        {
            if (code >= 0xDC00) return CanonicalJsonFault.LoneSurrogate;
            if (at + 1 >= json.Length || json[at] != (byte)'\\' || json[at + 1] != (byte)'u') return CanonicalJsonFault.LoneSurrogate;
            if (!TryHex4(json, at + 2, out var low)) return CanonicalJsonFault.NotJson;
            if (low is < 0xDC00 or > 0xDFFF) return CanonicalJsonFault.LoneSurrogate;
            at += 6;
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        if (code < 0x20 || code == '"' || code == '\\') _length += WriteEscaped(_out.AsSpan(_length), (byte)code);
        else _length += new Rune(code).EncodeToUtf8(_out.AsSpan(_length));
        return CanonicalJsonFault.None;
    }

    private static bool TryHex4(ReadOnlySpan<byte> json, int at, out int value)
    {
        value = 0;
        if (at + 4 > json.Length) return false;
        for (var i = 0; i < 4; i++)
        {
            var digit = json[at + i] switch
            {
                >= (byte)'0' and <= (byte)'9' and var b => b - '0',
                >= (byte)'a' and <= (byte)'f' and var b => b - 'a' + 10,
                >= (byte)'A' and <= (byte)'F' and var b => b - 'A' + 10,
                _ => -1,
            };
            if (digit < 0) return false;
            value = value << 4 | digit;
        }
        return true;
    }

    /// <summary>Writes the one canonical escape of a quote, a backslash or a control character; up to 6 bytes.</summary>
    internal static int WriteEscaped(Span<byte> to, byte code)
    {
        to[0] = (byte)'\\';
        to[1] = code switch
        {
            (byte)'"' => (byte)'"',
            (byte)'\\' => (byte)'\\',
            0x08 => (byte)'b',
            0x09 => (byte)'t',
            0x0A => (byte)'n',
            0x0C => (byte)'f',
            0x0D => (byte)'r',
            _ => (byte)'u',
        };
        if (to[1] != (byte)'u') return 2;
        to[2] = (byte)'0';
        to[3] = (byte)'0';
        to[4] = (byte)('0' + (code >> 4));
        to[5] = "0123456789abcdef"u8[code & 15];
        return 6;
    }

    private CanonicalJsonFault Number(ReadOnlySpan<byte> json, ref int at)
    {
        var start = at;
        if (json[at] == (byte)'-') at++;
        var digits = at;
        while ((uint)at < (uint)json.Length && (uint)(json[at] - '0') <= 9) at++;
        var count = at - digits;
        if (count == 0 || (count > 1 && json[digits] == (byte)'0')) return CanonicalJsonFault.NotJson;
        var integer = true;
        if ((uint)at < (uint)json.Length && json[at] == (byte)'.')
        {
            integer = false;
            var fraction = ++at;
            while ((uint)at < (uint)json.Length && (uint)(json[at] - '0') <= 9) at++;
            if (at == fraction) return CanonicalJsonFault.NotJson;
        }
        var exponent = false;
        if ((uint)at < (uint)json.Length && json[at] is (byte)'e' or (byte)'E')
        {
            integer = false;
            exponent = true;
            at++;
            if ((uint)at < (uint)json.Length && json[at] is (byte)'+' or (byte)'-') at++;
            var power = at;
            while ((uint)at < (uint)json.Length && (uint)(json[at] - '0') <= 9) at++;
            if (at == power) return CanonicalJsonFault.NotJson;
        }
        var text = json[start..at];
        var minusZero = integer && count == 1 && json[digits] == (byte)'0' && start != digits;
        if (_strict)
        {
            if (!integer || minusZero) return CanonicalJsonFault.NotAnInteger;
            if (count > 16 || (count == 16 && text[^16..].SequenceCompareTo("9007199254740991"u8) > 0)) return CanonicalJsonFault.IntegerOutOfRange;
        }
        else if (minusZero)
        {
            text = "0"u8;
        }
        else if (exponent && Utf8Parser.TryParse(text, out double value, out var used) && used == text.Length
            && Math.Abs(value) <= CanonicalJson.MaxInteger && Math.Truncate(value) == value)
        {
            Reserve(_length + (json.Length - at) + 64);
            ((long)value).TryFormat(_out.AsSpan(_length), out var n, default, null);
            _length += n;
            return CanonicalJsonFault.None;
        }
        text.CopyTo(_out.AsSpan(_length));
        _length += text.Length;
        return CanonicalJsonFault.None;
    }
}
