using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace Matrix.Primitives;

// Literals, strings and numbers.
internal sealed partial class CanonicalScanner
{
    // Every byte that ends a run of plain string content.
    private static readonly SearchValues<byte> Special = SearchValues.Create(
        [.. Enumerable.Range(0, 0x20).Select(i => (byte)i), (byte)'"', (byte)'\\']);

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
