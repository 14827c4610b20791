using System.Buffers.Binary;
using System.Text;

namespace Matrix.Storage.Events;

// What few rows have, behind everything else: releases that do not know it do not look there.
public sealed partial record EventRow
{
    private static string?[] TextsOf(StateMove m) => [m.Type, m.StateKey, m.EventId, m.Sender, m.Membership];

    private bool HasTail => Moves.Count > 0 || ReadRoot is not null;

    private int TailSize()
    {
        if (!HasTail) return 0;
        var size = 4;
        foreach (var m in Moves)
        {
            size += 24;
            foreach (var t in TextsOf(m)) size += 4 + (t is null ? 0 : Encoding.UTF8.GetByteCount(t));
        }
        return ReadRoot is null ? size : size + 4 + Encoding.UTF8.GetByteCount(ReadRoot);
    }

    private void WriteTail(Span<byte> at)
    {
        BinaryPrimitives.WriteInt32LittleEndian(at, Moves.Count);
        at = at[4..];
        foreach (var m in Moves)
        {
            BinaryPrimitives.WriteInt64LittleEndian(at, m.StateKeyNid);
            BinaryPrimitives.WriteInt64LittleEndian(at[8..], m.BeforeNid);
            BinaryPrimitives.WriteInt64LittleEndian(at[16..], m.NowNid);
            at = at[24..];
            foreach (var t in TextsOf(m)) Write(ref at, t);
        }
        if (ReadRoot is not null) Write(ref at, ReadRoot);
    }

    private static void Write(ref Span<byte> at, string? text)
    {
        var n = text is null ? 0 : Encoding.UTF8.GetBytes(text, at[4..]);
        BinaryPrimitives.WriteInt32LittleEndian(at, text is null ? -1 : n);
        at = at[(4 + n)..];
    }

    private EventRow WithTail(ReadOnlySpan<byte> at)
    {
        var moves = new StateMove[BinaryPrimitives.ReadInt32LittleEndian(at)];
        at = at[4..];
        for (var i = 0; i < moves.Length; i++)
        {
            var key = BinaryPrimitives.ReadInt64LittleEndian(at);
            var before = BinaryPrimitives.ReadInt64LittleEndian(at[8..]);
            var now = BinaryPrimitives.ReadInt64LittleEndian(at[16..]);
            at = at[24..];
            moves[i] = new StateMove(Text(ref at)!, Text(ref at)!, key, before, now, Text(ref at), Text(ref at), Text(ref at));
        }
        return this with { Moves = moves, ReadRoot = at.Length > 0 ? Text(ref at) : null };
    }

    private static string? Text(ref ReadOnlySpan<byte> at)
    {
        var n = BinaryPrimitives.ReadInt32LittleEndian(at);
        at = at[4..];
        if (n < 0) return null;
        var text = Encoding.UTF8.GetString(at[..n]);
        at = at[n..];
        return text;
    }
}
