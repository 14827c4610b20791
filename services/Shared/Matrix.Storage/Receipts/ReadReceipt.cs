namespace Matrix.Storage.Receipts;

/// <summary>How far somebody has read a room, by his receipts or by what he has sent.</summary>
/// <param name="ThreadId">Root of the thread, <c>main</c>, or empty: all threads.</param>
/// <param name="Position">In stream events.</param>
public sealed record ReadReceipt(string RoomId, string ThreadId, long Position);
