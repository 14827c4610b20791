using System.Buffers;
using System.Text;

namespace Aspire.Hosting.Dashboard;

/// <summary>Protocol Buffers by hand: the dashboard needs a dozen small messages, for which a code generator would be the larger dependency.</summary>
internal sealed class ProtoWriter
{
    private readonly ArrayBufferWriter<byte> _bytes = new();

    public ReadOnlyMemory<byte> Written => _bytes.WrittenMemory;

    /// <summary>Null is left out, which is how proto3 says "not set".</summary>
    public void Text(int field, string? value)
    {
        if (value is not null)
        {
            var length = Encoding.UTF8.GetByteCount(value);
            Tag(field, 2);
            VarInt((ulong)length);
            _bytes.Advance(Encoding.UTF8.GetBytes(value, _bytes.GetSpan(length)));
        }
    }

    public void Number(int field, long value)
    {
        Tag(field, 0);
        VarInt((ulong)value);
    }

    public void Double(int field, double value)
    {
        Tag(field, 1);
        BitConverter.TryWriteBytes(_bytes.GetSpan(8), value);
        _bytes.Advance(8);
    }

    public void Flag(int field, bool value) => Number(field, value ? 1 : 0);

    public void Message(int field, Action<ProtoWriter> write)
    {
        var inner = new ProtoWriter();
        write(inner);
        Tag(field, 2);
        VarInt((ulong)inner.Written.Length);
        _bytes.Write(inner.Written.Span);
    }

    /// <summary>google.protobuf.Timestamp</summary>
    public void Time(int field, DateTimeOffset? value)
    {
        if (value is { } time)
        {
            Message(field, m =>
            {
                m.Number(1, time.ToUnixTimeSeconds());
                m.Number(2, time.Ticks % TimeSpan.TicksPerSecond * 100);
            });
        }
    }

    /// <summary>google.protobuf.Value holding text.</summary>
    public void TextValue(int field, string value) => Message(field, m => m.Text(3, value));

    private void Tag(int field, int wireType) => VarInt((ulong)((field << 3) | wireType));

    private void VarInt(ulong value)
    {
        var span = _bytes.GetSpan(10);
        var n = 0;
        while (value >= 0x80)
        {
            span[n++] = (byte)(value | 0x80);
            value >>= 7;
        }

        span[n++] = (byte)value;
        _bytes.Advance(n);
    }
}

/// <summary>Reads the top-level fields of a small message.</summary>
internal ref struct ProtoReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public int Field { get; private set; }
    public ulong Number { get; private set; }
    public ReadOnlySpan<byte> Bytes { get; private set; }
    public readonly string Text => Encoding.UTF8.GetString(Bytes);

    public bool Read()
    {
        if (_rest.IsEmpty)
        {
            return false;
        }

        var tag = VarInt();
        Field = (int)(tag >> 3);
        switch (tag & 7)
        {
            case 0:
                Number = VarInt();
                break;
            case 1:
                _rest = _rest[8..];
                break;
            case 2:
                var length = (int)VarInt();
                Bytes = _rest[..length];
                _rest = _rest[length..];
                break;
            case 5:
                _rest = _rest[4..];
                break;
            default:
                throw new InvalidDataException("Unknown wire type.");
        }

        return true;
    }

    private ulong VarInt()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var b = _rest[0];
            _rest = _rest[1..];
            value |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80)
            {
                return value;
            }
        }

        throw new InvalidDataException("Number too long.");
    }
}
