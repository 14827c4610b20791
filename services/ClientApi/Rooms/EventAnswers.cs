using System.Buffers;
using Matrix.Events;
using Matrix.Storage.Events;
using Matrix.Web.Auth;

namespace Matrix.ClientApi.Rooms;

/// <summary>Writes events as the asking device sees them: age, its own transaction ids, what they replaced, and why they are empty.</summary>
internal sealed class EventAnswers(EventReader events, TimeProvider clock)
{
    /// <summary>The redactions of those events that are redacted, by event id: one query when there is any.</summary>
    public async Task<EventRenderer> RendererAsync(Requester requester, IEnumerable<StoredEvent> shown, CancellationToken ct)
    {
        List<string>? ids = null;
        foreach (var e in shown) if (e.RedactedBy is { } id) (ids ??= []).Add(id);
        var redactions = ids is null ? [] : (await events.ByIdsAsync(ids, ct)).DistinctBy(e => e.Pdu.EventId).ToDictionary(e => e.Pdu.EventId, StringComparer.Ordinal);
        return new EventRenderer(requester, redactions, clock.GetUtcNow().ToUnixTimeMilliseconds());
    }
}

/// <summary>Renders events of one answer.</summary>
internal sealed class EventRenderer(Requester requester, Dictionary<string, StoredEvent> redactions, long nowMs)
{
    public void Write(IBufferWriter<byte> output, StoredEvent e) => ClientEvent.Write(output, e.Pdu, new ClientEventOptions
    {
        AgeMs = Math.Max(0, nowMs - e.Pdu.OriginServerTs),
        TransactionId = e.TxnDeviceId is not null && e.TxnDeviceId == requester.DeviceId && e.Pdu.Sender == requester.UserId.Value ? e.TxnId : null,
        PrevContent = e.PrevContent,
        PrevSender = e.PrevSender,
        ReplacesState = e.ReplacesEventId,
        RedactedBecause = e.RedactedBy is { } id && redactions.TryGetValue(id, out var redaction) ? Plain(redaction) : default,
    });

    private ReadOnlyMemory<byte> Plain(StoredEvent redaction)
    {
        var buffer = new ArrayBufferWriter<byte>(redaction.Pdu.Json.Length + 128);
        ClientEvent.Write(buffer, redaction.Pdu, new ClientEventOptions { AgeMs = Math.Max(0, nowMs - redaction.Pdu.OriginServerTs) });
        return buffer.WrittenMemory;
    }

    public void WriteArray(IBufferWriter<byte> output, IReadOnlyList<StoredEvent> list)
    {
        output.Write("["u8);
        for (var i = 0; i < list.Count; i++)
        {
            if (i > 0) output.Write(","u8);
            Write(output, list[i]);
        }
        output.Write("]"u8);
    }
}
