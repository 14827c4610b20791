using System.Text.Unicode;

namespace Matrix.Primitives;

/// <summary>
/// One pass over the text that checks the grammar and writes the canonical form. An object whose members arrive sorted is written once;
/// one that does not is permuted in place when it closes. Faults are values: hostile text costs no exception. Instances are kept per
/// thread, so the steady state allocates nothing.
/// </summary>
internal sealed partial class CanonicalScanner
{
    private const int KeepBytes = 1 << 20;

    [ThreadStatic] private static CanonicalScanner? _idle;

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
}
