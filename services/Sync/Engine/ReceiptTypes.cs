using Matrix.Storage.Streams;

namespace Matrix.Sync.Engine;

/// <summary>Spec: client-server-api/#receipts</summary>
internal static class ReceiptTypes
{
    public const string Read = "m.read";
    public const string Private = "m.read.private";

    /// <summary>Private receipts are for their owner alone.</summary>
    public static bool IsFor(this ReceiptRow receipt, string userId) => receipt.ReceiptType != Private || receipt.UserId == userId;
}
