using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Matrix.Replication;
using Matrix.Replication.Frames;

namespace Matrix.Unit.Replication;

public class StreamFrameCodecTests
{
    private static readonly StreamFrame Example = new(Streams.Receipts, 300, 302, "clientapi-1",
    [
        new(301, "!a:b", new byte[] { 1, 2, 3 }), new(301, "!c:é", ReadOnlyMemory<byte>.Empty), new(302, "!a:b", new byte[200]),
    ]);

    [Fact]
    public void The_bytes_of_version_1_do_not_change()
    {
        // Version, from 300, to 302, stream, writer, two keys, three rows.
        const string Golden =
            "01" + "2C01000000000000" + "2E01000000000000" + "087265636569707473" + "0B636C69656E746170692D31"
            + "02" + "0421613A62" + "0521633AC3A9"
            + "03" + "010003010203" + "000100" + "0100C801";
        Assert.Equal(Golden + new string('0', 400), Convert.ToHexString(StreamFrameCodec.Encode(Example)));
    }

    [Fact]
    public void A_header_tells_stream_positions_writer_and_keys_without_the_rows()
    {
        var bytes = StreamFrameCodec.Encode(Example);
        Assert.True(StreamFrameCodec.TryReadHeader(bytes.AsMemory(0, bytes.Length - 205), out var header));
        Assert.Equal((Streams.Receipts, 300, 302, "clientapi-1"), (header.Stream, header.From, header.To, header.Writer));
        Assert.Equal(["!a:b", "!c:é"], header.Keys);
    }

    [Fact]
    public void Every_frame_comes_back_as_it_was()
    {
        Prop.ForAll<int, (byte Step, string Key, byte[] Payload)[]>((from, rows) =>
        {
            var frame = FrameOf(Math.Abs((long)from), rows);
            Assert.True(StreamFrameCodec.TryDecode(StreamFrameCodec.Encode(frame), out var back));
            Assert.Equal((frame.Stream, frame.From, frame.To, frame.Writer), (back.Stream, back.From, back.To, back.Writer));
            Assert.Equal(frame.Rows.Select(Text), back.Rows.Select(Text));
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void A_frame_that_was_cut_or_damaged_is_refused_without_an_exception()
    {
        Prop.ForAll<(byte Step, string Key, byte[] Payload)[], int, byte>((rows, at, value) =>
        {
            var bytes = StreamFrameCodec.Encode(FrameOf(5, rows));
            Assert.False(StreamFrameCodec.TryDecode(bytes.AsMemory(0, Math.Abs(at % bytes.Length)), out _));
            bytes[Math.Abs(at % bytes.Length)] = value;
            StreamFrameCodec.TryDecode(bytes, out _);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Frames_of_another_version_or_an_unknown_stream_are_refused()
    {
        var bytes = StreamFrameCodec.Encode(Example);
        bytes[0] = 2;
        Assert.False(StreamFrameCodec.TryDecode(bytes, out _));
        Assert.False(StreamFrameCodec.TryDecode(StreamFrameCodec.Encode(Example with { Stream = new("novel") }), out _));
    }

    [Fact]
    public void The_trace_travels_behind_the_rows()
    {
        var trace = new ActivityContext(ActivityTraceId.CreateRandom(), ActivitySpanId.CreateRandom(), ActivityTraceFlags.Recorded);
        var bytes = StreamFrameCodec.Encode(Example with { Trace = trace });
        Assert.Equal(StreamFrameCodec.Encode(Example), bytes[..^24]);
        Assert.True(StreamFrameCodec.TryDecode(bytes, out var frame));
        Assert.Equal((trace.TraceId, trace.SpanId, true), (frame.Trace.TraceId, frame.Trace.SpanId, frame.Trace.IsRemote));
        Assert.True(StreamFrameCodec.TryDecode(bytes.AsMemory(..^24), out var untraced));
        Assert.Equal(default, untraced.Trace);
    }

    [Fact]
    public void A_row_beyond_the_end_of_its_frame_is_refused()
    {
        var bytes = StreamFrameCodec.Encode(Example);
        Assert.True(StreamFrameCodec.TryDecode(bytes, out _));
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(9), 301);
        Assert.False(StreamFrameCodec.TryDecode(bytes, out _));
    }

    [Fact]
    public void Rows_outside_of_a_frame_are_a_fault_of_its_writer()
    {
        Assert.Throws<ArgumentException>(() => StreamFrameCodec.Encode(Example with { To = 301 }));
        Assert.Throws<ArgumentException>(() => StreamFrameCodec.Encode(Example with { Rows = [.. Example.Rows.Reverse()] }));
    }

    private static StreamFrame FrameOf(long from, (byte Step, string Key, byte[] Payload)[] rows)
    {
        var position = from;
        var made = rows.Select(r => new StreamRow(position += r.Step, Valid(r.Key), r.Payload ?? [])).ToList();
        return new StreamFrame(Streams.Events, from, position + 1, "w", made);
    }

    private static string Valid(string? key) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(key ?? ""));

    private static string Text(StreamRow row) => $"{row.Position} {row.Key} {Convert.ToHexString(row.Payload.Span)}";
}
