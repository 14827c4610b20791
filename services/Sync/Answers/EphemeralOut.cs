using Matrix.Primitives;
using Matrix.Storage.Ephemeral;
using Matrix.Storage.Streams;
using Matrix.Storage.Sync;

namespace Matrix.Sync.Answers;

/// <summary>Contents of what is no room event, in the forms that all answers share.</summary>
internal static class EphemeralOut
{
    /// <summary>The members of m.presence, without braces. Spec: client-server-api/#mpresence</summary>
    public static PooledBuffer PresenceMembers(this PooledBuffer output, PresenceRow row, long nowMs)
    {
        output.Raw("\"presence\":"u8).Text(row.Presence).Raw(",\"currently_active\":"u8).Raw(row.CurrentlyActive ? "true"u8 : "false"u8);
        if (row.LastActiveTsMs > 0) output.Raw(",\"last_active_ago\":"u8).Number(Math.Max(0, nowMs - row.LastActiveTsMs));
        if (row.StatusMsg is not null) output.Raw(",\"status_msg\":"u8).Text(row.StatusMsg);
        return output;
    }

    /// <summary>Account data as events, without the brackets around them.</summary>
    public static PooledBuffer AccountData(this PooledBuffer output, List<(string Type, ReadOnlyMemory<byte> Content)> data)
    {
        var first = true;
        foreach (var (type, content) in data)
            output.Comma(ref first).Raw("{\"type\":"u8).Text(type).Raw(",\"content\":"u8).Raw(content.Span).Raw("}"u8);
        return output;
    }

    /// <summary>Messages as events, without the brackets around them.</summary>
    public static PooledBuffer ToDeviceMessages(this PooledBuffer output, List<ToDeviceMessage> messages)
    {
        var first = true;
        foreach (var m in messages)
            output.Comma(ref first).Raw("{\"sender\":"u8).Text(m.Sender).Raw(",\"type\":"u8).Text(m.Type).Raw(",\"content\":"u8).Raw(m.Content.Span).Raw("}"u8);
        return output;
    }

    public static PooledBuffer TypingContent(this PooledBuffer output, IEnumerable<string> users)
    {
        output.Raw("{\"user_ids\":["u8);
        var first = true;
        foreach (var user in users) output.Comma(ref first).Text(user);
        return output.Raw("]}"u8);
    }

    /// <summary>
    /// By event, type and user: where the user has read up to now, not where he had on the way. Of his receipts on one event the unthreaded one is told.
    /// Spec: client-server-api/#mreceipt
    /// </summary>
    public static PooledBuffer ReceiptContent(this PooledBuffer output, IEnumerable<ReceiptRow> newestFirst)
    {
        output.Raw("{"u8);
        var firstEvent = true;
        foreach (var byEvent in newestFirst.DistinctBy(r => (r.UserId, r.ReceiptType, r.ThreadId)).GroupBy(r => r.EventId, StringComparer.Ordinal))
        {
            output.Comma(ref firstEvent).Text(byEvent.Key).Raw(":{"u8);
            var firstType = true;
            foreach (var byType in byEvent.GroupBy(r => r.ReceiptType, StringComparer.Ordinal))
            {
                output.Comma(ref firstType).Text(byType.Key).Raw(":{"u8);
                var firstUser = true;
                foreach (var byUser in byType.GroupBy(r => r.UserId, StringComparer.Ordinal))
                {
                    var receipt = byUser.FirstOrDefault(r => r.ThreadId.Length == 0) ?? byUser.First();
                    output.Comma(ref firstUser).Text(receipt.UserId).Raw(":{\"ts\":"u8).Number(receipt.TsMs);
                    if (receipt.ThreadId.Length > 0) output.Raw(",\"thread_id\":"u8).Text(receipt.ThreadId);
                    output.Raw("}"u8);
                }
                output.Raw("}"u8);
            }
            output.Raw("}"u8);
        }
        return output.Raw("}"u8);
    }
}
