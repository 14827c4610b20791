namespace Matrix.Sync.Engine;

/// <summary>Spec: client-server-api/#receipts</summary>
internal static class ReceiptTypes
{
    public const string Read = "m.read";
    public const string Private = "m.read.private";
}
