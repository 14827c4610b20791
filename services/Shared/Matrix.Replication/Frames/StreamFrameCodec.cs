using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;

namespace Matrix.Replication.Frames;

/// <summary>What stands before the rows: enough to know whether a frame concerns a reader.</summary>
public sealed record StreamFrameHeader(StreamDefinition Stream, long From, long To, string Writer, IReadOnlyList<string> Keys);

/// <summary>
/// A frame on the wire. Version 1, integers little endian, "text" is a varint length and UTF-8:
/// <code>
/// u8 version = 1 | i64 from | i64 to | text stream | text writer | varint keys, text each | varint rows, each:
///     varint position - previous position (the first: - from) | varint index of its key | varint length | payload
/// then, if the writer was traced: 16 bytes trace id | 8 bytes span id
/// </code>
/// Readers leave alone what follows.
/// from and to stand at fixed places: a script on the Redis server fills them in for ephemeral streams.
/// </summary>
public static class StreamFrameCodec
{
    public const byte Version = 1;
    internal const int FromOffset = 1;
    internal const int AfterPositions = 17;
    private const int TraceLength = 24;
    private const int MaxKeys = 1 << 20;

    public static byte[] Encode(StreamFrame frame)
    {
        var keys = new Dictionary<string, int>(StringComparer.Ordinal);
        var size = AfterPositions + 64 + frame.Writer.Length;
        foreach (var row in frame.Rows)
        {
            if (keys.TryAdd(row.Key, keys.Count)) size += row.Key.Length + 8;
            size += row.Payload.Length + 16;
        }
        var to = new ArrayBufferWriter<byte>(size);
        var head = to.GetSpan(AfterPositions);
        head[0] = Version;
        BinaryPrimitives.WriteInt64LittleEndian(head[FromOffset..], frame.From);
        BinaryPrimitives.WriteInt64LittleEndian(head[(FromOffset + 8)..], frame.To);
        to.Advance(AfterPositions);
        WriteText(to, frame.Stream.Name);
        WriteText(to, frame.Writer);
        WriteVarint(to, (ulong)keys.Count);
        foreach (var key in keys.Keys) WriteText(to, key);
        WriteVarint(to, (ulong)frame.Rows.Count);
        var previous = frame.From;
        foreach (var row in frame.Rows)
        {
            if (row.Position < previous || row.Position > frame.To)
                throw new ArgumentException($"Row at {row.Position} of {frame.Stream} is outside ({frame.From}, {frame.To}] or out of order.", nameof(frame));
            WriteVarint(to, (ulong)(row.Position - previous));
            WriteVarint(to, (ulong)keys[row.Key]);
            WriteVarint(to, (ulong)row.Payload.Length);
            to.Write(row.Payload.Span);
            previous = row.Position;
        }
        if (frame.Trace != default)
        {
            var trace = to.GetSpan(TraceLength);
            frame.Trace.TraceId.CopyTo(trace[..16]);
            frame.Trace.SpanId.CopyTo(trace[16..TraceLength]);
            to.Advance(TraceLength);
        }
        return to.WrittenSpan.ToArray();
    }

    /// <summary>False: not a frame that this release understands, or of a stream that it does not know. Rows are not looked at.</summary>
    public static bool TryReadHeader(ReadOnlyMemory<byte> bytes, out StreamFrameHeader header)
    {
        var reader = new Reader(bytes);
        return TryReadHeader(ref reader, out header);
    }

    /// <summary>False: not a whole frame, which then counts as lost. Payloads are slices of <paramref name="bytes"/>.</summary>
    public static bool TryDecode(ReadOnlyMemory<byte> bytes, out StreamFrame frame)
    {
        frame = null!;
        var reader = new Reader(bytes);
        if (!TryReadHeader(ref reader, out var header)) return false;
        // A row takes three bytes at least, so a wrong count cannot make this allocate more than the frame's own size.
        if (!reader.TryVarint(out var count) || count > (ulong)reader.Left / 3) return false;
        var rows = new StreamRow[(int)count];
        var position = header.From;
        for (var i = 0; i < rows.Length; i++)
        {
            if (!reader.TryVarint(out var step) || !reader.TryVarint(out var key) || !reader.TryVarint(out var length)) return false;
            if (step > (ulong)(header.To - position) || key >= (ulong)header.Keys.Count || !reader.TryTake(length, out var payload)) return false;
            position += (long)step;
            rows[i] = new StreamRow(position, header.Keys[(int)key], payload);
        }
        frame = new StreamFrame(header.Stream, header.From, header.To, header.Writer, rows) { Trace = ReadTrace(ref reader) };
        return true;
    }

    private static ActivityContext ReadTrace(ref Reader reader)
    {
        if (!reader.TryTake(TraceLength, out var trace)) return default;
        return new ActivityContext(
            ActivityTraceId.CreateFromBytes(trace.Span[..16]), ActivitySpanId.CreateFromBytes(trace.Span[16..]), ActivityTraceFlags.Recorded, isRemote: true);
    }

    private static bool TryReadHeader(ref Reader reader, out StreamFrameHeader header)
    {
        header = null!;
        if (!reader.TryTake(AfterPositions, out var fixedPart) || fixedPart.Span[0] != Version) return false;
        var from = BinaryPrimitives.ReadInt64LittleEndian(fixedPart.Span[FromOffset..]);
        var to = BinaryPrimitives.ReadInt64LittleEndian(fixedPart.Span[(FromOffset + 8)..]);
        if (from < 0 || to < from || !reader.TryText(out var name) || Streams.Find(name) is not { } stream) return false;
        if (!reader.TryText(out var writer) || !reader.TryVarint(out var count) || count > MaxKeys || count > (ulong)reader.Left) return false;
        var keys = new string[(int)count];
        for (var i = 0; i < keys.Length; i++)
        {
            if (!reader.TryText(out keys[i])) return false;
        }
        header = new StreamFrameHeader(stream, from, to, writer, keys);
        return true;
    }

    private static void WriteText(ArrayBufferWriter<byte> to, string text)
    {
        var length = Encoding.UTF8.GetByteCount(text);
        WriteVarint(to, (ulong)length);
        to.Advance(Encoding.UTF8.GetBytes(text, to.GetSpan(length)));
    }

    private static void WriteVarint(ArrayBufferWriter<byte> to, ulong value)
    {
        var span = to.GetSpan(10);
        var n = 0;
        for (; value >= 0x80; value >>= 7) span[n++] = (byte)(value | 0x80);
        span[n++] = (byte)value;
        to.Advance(n);
    }

    private struct Reader(ReadOnlyMemory<byte> bytes)
    {
        private int at;

        public readonly int Left => bytes.Length - at;

        public bool TryVarint(out ulong value)
        {
            value = 0;
            var span = bytes.Span;
            for (var shift = 0; shift < 63 && at < span.Length; shift += 7)
            {
                var b = span[at++];
                value |= (ulong)(b & 0x7f) << shift;
                if (b < 0x80) return true;
            }
            return false;
        }

        public bool TryTake(ulong length, out ReadOnlyMemory<byte> slice)
        {
            slice = default;
            if (length > (ulong)Left) return false;
            slice = bytes.Slice(at, (int)length);
            at += (int)length;
            return true;
        }

        public bool TryText(out string text)
        {
            text = "";
            if (!TryVarint(out var length) || !TryTake(length, out var slice)) return false;
            text = Encoding.UTF8.GetString(slice.Span);
            return true;
        }
    }
}
