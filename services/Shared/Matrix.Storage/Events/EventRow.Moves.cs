using System.Buffers.Binary;
using System.Text;

namespace Matrix.Storage.Events;

// The moves of a row, behind everything else: releases that do not know them do not look there.
public sealed partial record EventRow
{
    private static string?[] TextsOf(StateMove m) => [m.Type, m.StateKey, m.EventId, m.Sender, m.Membership];

    private int MovesSize()
    {
        if (Moves.Count == 0) return 0;
        var size = 4;
        foreach (var m in Moves)
        {
            size += 24;
            foreach (var t in TextsOf(m)) size += 4 + (t is null ? 0 : Encoding.UTF8.GetByteCount(t));
        }
        return size;
    }

    private void WriteMoves(Span<byte> at)
    {
        BinaryPrimitives.WriteInt32LittleEndian(at, Moves.Count);
        at = at[4..];
        foreach (var m in Moves)
        {
            BinaryPrimitives.WriteInt64LittleEndian(at, m.StateKeyNid);
            BinaryPrimitives.WriteInt64LittleEndian(at[8..], m.BeforeNid);
            BinaryPrimitives.WriteInt64LittleEndian(at[16..], m.NowNid);
            at = at[24..];
            foreach (var t in TextsOf(m))
            {
                var n = t is null ? 0 : Encoding.UTF8.GetBytes(t, at[4..]);
                BinaryPrimitives.WriteInt32LittleEndian(at, t is null ? -1 : n);
                at = at[(4 + n)..];
            }
        }
    }

    private static StateMove[] ReadMoves(ReadOnlySpan<byte> at)
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
        return moves;
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
