using System.Text;

namespace Matrix.Primitives;

/// <summary>
/// Walks the members of an object of canonical JSON without copying. The bytes must be canonical (written by <see cref="CanonicalJson"/>):
/// nothing is checked. Anything that does not start with a brace has no members.
/// </summary>
public readonly ref struct CanonicalObject(ReadOnlySpan<byte> json)
{
    private readonly ReadOnlySpan<byte> _json = json;

    public Enumerator GetEnumerator() => new(_json);

    /// <summary>The raw JSON of a member; <paramref name="name"/> without quotes and without escapes. False when there is none.</summary>
    public bool TryGet(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        foreach (var member in this)
        {
            if (member.Name.SequenceEqual(name))
            {
                value = member.Value;
                return true;
            }
        }
        value = default;
        return false;
    }

    /// <summary>A string member, unescaped; null when it is missing or no string.</summary>
    public string? GetString(ReadOnlySpan<byte> name) => TryGet(name, out var value) ? CanonicalValue.String(value) : null;

    /// <summary>One member. <see cref="Name"/> is what stands between the quotes (escapes not resolved).</summary>
    public readonly ref struct Member(ReadOnlySpan<byte> json, int start, int nameEnd, int end)
    {
        private readonly ReadOnlySpan<byte> _json = json;
        public ReadOnlySpan<byte> Name => _json[(start + 1)..(nameEnd - 1)];
        public ReadOnlySpan<byte> Value => _json[(nameEnd + 1)..end];
        /// <summary>Name, colon and value.</summary>
        public ReadOnlySpan<byte> Text => _json[start..end];
        public int ValueStart => nameEnd + 1;
        public int ValueLength => end - nameEnd - 1;
    }

    public ref struct Enumerator
    {
        private readonly ReadOnlySpan<byte> _json;
        private int _start, _nameEnd, _end;

        internal Enumerator(ReadOnlySpan<byte> json)
        {
            _json = json;
            _end = 0;
        }

        public readonly Member Current => new(_json, _start, _nameEnd, _end);

        public bool MoveNext()
        {
            // _end stands on the opening brace, or on the comma or closing brace after the previous value.
            if (_end + 1 >= _json.Length || (_end == 0 && _json[0] != (byte)'{') || _json[_end] == (byte)'}') return false;
            _start = _end + 1;
            if (_json[_start] != (byte)'"') return false;
            _nameEnd = CanonicalValue.SkipString(_json, _start);
            _end = CanonicalValue.Skip(_json, _nameEnd + 1);
            return true;
        }
    }
}

/// <summary>Walks the elements of an array of canonical JSON; the counterpart of <see cref="CanonicalObject"/>.</summary>
public readonly ref struct CanonicalArray(ReadOnlySpan<byte> json)
{
    private readonly ReadOnlySpan<byte> _json = json;

    public Enumerator GetEnumerator() => new(_json);

    public ref struct Enumerator
    {
        private readonly ReadOnlySpan<byte> _json;
        private int _start, _end;

        internal Enumerator(ReadOnlySpan<byte> json) => _json = json;

        public readonly ReadOnlySpan<byte> Current => _json[_start.._end];

        public bool MoveNext()
        {
            if (_end + 1 >= _json.Length || (_end == 0 && _json[0] != (byte)'[') || _json[_end] == (byte)']') return false;
            _start = _end + 1;
            if (_json[_start] == (byte)']') return false;
            _end = CanonicalValue.Skip(_json, _start);
            return true;
        }
    }
}

/// <summary>Reads single values of canonical JSON.</summary>
public static class CanonicalValue
{
    public static bool IsObject(ReadOnlySpan<byte> value) => value.Length > 0 && value[0] == (byte)'{';
    public static bool IsArray(ReadOnlySpan<byte> value) => value.Length > 0 && value[0] == (byte)'[';
    public static bool IsString(ReadOnlySpan<byte> value) => value.Length > 0 && value[0] == (byte)'"';

    /// <summary>What stands between the quotes, when that needs no unescaping; empty and false otherwise.</summary>
    public static bool TryPlain(ReadOnlySpan<byte> value, out ReadOnlySpan<byte> text)
    {
        text = default;
        if (!IsString(value) || value.Contains((byte)'\\')) return false;
        text = value[1..^1];
        return true;
    }

    /// <summary>A string value, unescaped; null when the value is no string.</summary>
    public static string? String(ReadOnlySpan<byte> value)
    {
        if (!IsString(value)) return null;
        var text = value[1..^1];
        return text.Contains((byte)'\\') ? Unescape(text) : Encoding.UTF8.GetString(text);
    }

    /// <summary>An integer value that fits 64 bits; false for strings, fractions and exponents.</summary>
    public static bool TryInteger(ReadOnlySpan<byte> value, out long number) =>
        System.Buffers.Text.Utf8Parser.TryParse(value, out number, out var used) && used == value.Length && value[0] != (byte)'+';

    /// <summary>Resolves the escapes of what stands between the quotes of a canonical JSON string.</summary>
    public static string Unescape(ReadOnlySpan<byte> text)
    {
        Span<byte> buffer = text.Length <= 512 ? stackalloc byte[text.Length] : new byte[text.Length];
        var n = 0;
        for (var i = 0; i < text.Length; i++)
        {
            var b = text[i];
            if (b == (byte)'\\')
            {
                i++;
                switch (text[i])
                {
                    case (byte)'b': b = 0x08; break;
                    case (byte)'t': b = 0x09; break;
                    case (byte)'n': b = 0x0A; break;
                    case (byte)'f': b = 0x0C; break;
                    case (byte)'r': b = 0x0D; break;
                    case (byte)'u':
                        var low = text[i + 4] is >= (byte)'a' and var c ? c - 'a' + 10 : text[i + 4] - '0';
                        b = (byte)((text[i + 3] - '0') << 4 | low);
                        i += 4;
                        break;
                    default: b = text[i]; break;
                }
            }
            buffer[n++] = b;
        }
        return Encoding.UTF8.GetString(buffer[..n]);
    }

    /// <summary>Index after the string whose opening quote stands at <paramref name="at"/>.</summary>
    internal static int SkipString(ReadOnlySpan<byte> json, int at)
    {
        at++;
        while (true)
        {
            var i = json[at..].IndexOfAny((byte)'"', (byte)'\\');
            if (i < 0) return json.Length;
            at += i;
            if (json[at] == (byte)'"') return at + 1;
            at += 2;
        }
    }

    /// <summary>Index after the value that starts at <paramref name="at"/>.</summary>
    internal static int Skip(ReadOnlySpan<byte> json, int at)
    {
        switch (json[at])
        {
            case (byte)'"':
                return SkipString(json, at);
            case (byte)'{' or (byte)'[':
                var depth = 0;
                while (at < json.Length)
                {
                    switch (json[at])
                    {
                        case (byte)'"':
                            at = SkipString(json, at);
                            continue;
                        case (byte)'{' or (byte)'[':
                            depth++;
                            break;
                        case (byte)'}' or (byte)']':
                            if (--depth == 0) return at + 1;
                            break;
                    }
                    at++;
                }
                return at;
            default:
                while (at < json.Length && json[at] is not ((byte)',' or (byte)'}' or (byte)']')) at++;
                return at;
        }
    }
}
