using System.Buffers;
using Matrix.Events;
using Matrix.Rooms.Aggregations;
using Matrix.Storage.AccountData;
using Matrix.Storage.DelayedEvents;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;
using Matrix.Web.Auth;

namespace Matrix.ClientApi.Rooms;

/// <summary>Writes events as the asking device sees them: age, its own transaction ids, what they replaced, why they are empty, what relates to them.</summary>
internal sealed class EventAnswers(EventReader events, Aggregator aggregator, OwnMemberships memberships, AccountDataStore accountData, TimeProvider clock)
{
    private static readonly Dictionary<string, ReadOnlyMemory<byte>> NoBundles = [];
    private static readonly Dictionary<string, string> NotSaid = [];

    /// <summary>The redactions of those events that are redacted, by event id: one query when there is any.</summary>
    public Task<EventRenderer> RendererAsync(Requester requester, IEnumerable<StoredEvent> shown, CancellationToken ct) =>
        RendererAsync(requester, shown, NoBundles, NotSaid, ct);

    /// <summary>As above, with aggregations of the children of <paramref name="main"/> as far as the view reaches, and what the reader was then.</summary>
    /// <param name="further">Events that are shown without either.</param>
    public Task<EventRenderer> BundlingRendererAsync(
        Requester requester, RoomView view, IReadOnlyList<StoredEvent> main, IReadOnlyList<StoredEvent> further, CancellationToken ct) =>
        BundlingRendererAsync(requester, _ => new(view.UpTo, view.Standing.Member), main, further, view.Ignored, ct);

    /// <summary>As above, for events of several rooms.</summary>
    /// <param name="reach">Of the view of an event's room.</param>
    public async Task<EventRenderer> BundlingRendererAsync(
        Requester requester, Func<StoredEvent, ViewReach> reach, IReadOnlyList<StoredEvent> main, IReadOnlyList<StoredEvent> further, IReadOnlySet<string> ignored,
        CancellationToken ct)
    {
        var targets = new List<AggregationTarget>(main.Count);
        foreach (var e in main)
            if (AggregationTarget.Of(e.Pdu, e.RoomNid, e.RedactedBy is not null, reach(e).UpTo) is { } target) targets.Add(target);
        var bundles = targets.Count == 0 ? NoBundles
            : await aggregator.BundleAsync(new AggregationReader(requester.UserId, requester.DeviceId, ignored), targets, ct);
        var readerAt = await memberships.AtAsync(requester.UserId, main, e => reach(e).Member, ct);
        return await RendererAsync(requester, main.Concat(further), bundles, readerAt, ct);
    }

    public async Task<IReadOnlySet<string>> IgnoredAsync(Requester requester, CancellationToken ct) =>
        IgnoredUsers.Read(await accountData.GetAsync(requester.UserId.Value, "", IgnoredUsers.Type, ct));

    private async Task<EventRenderer> RendererAsync(
        Requester requester, IEnumerable<StoredEvent> shown, Dictionary<string, ReadOnlyMemory<byte>> bundles, Dictionary<string, string> readerAt,
        CancellationToken ct)
    {
        List<string>? ids = null;
        foreach (var e in shown) if (e.RedactedBy is { } id) (ids ??= []).Add(id);
        var redactions = ids is null ? [] : (await events.ByIdsAsync(ids, ct)).DistinctBy(e => e.Pdu.EventId).ToDictionary(e => e.Pdu.EventId, StringComparer.Ordinal);
        return new EventRenderer(requester, redactions, bundles, readerAt, clock.GetUtcNow().ToUnixTimeMilliseconds());
    }
}

/// <param name="UpTo">The last position that is seen.</param>
/// <param name="Member">The reader's membership now; null: he never had one.</param>
internal readonly record struct ViewReach(long UpTo, MembershipRecord? Member);

/// <summary>Renders events of one answer.</summary>
internal sealed class EventRenderer(
    Requester requester, Dictionary<string, StoredEvent> redactions, Dictionary<string, ReadOnlyMemory<byte>> bundles, Dictionary<string, string> readerAt,
    long nowMs)
{
    public void Write(IBufferWriter<byte> output, StoredEvent e) => ClientEvent.Write(output, e.Pdu, new ClientEventOptions
    {
        AgeMs = Math.Max(0, nowMs - e.Pdu.OriginServerTs),
        TransactionId = e.TxnDeviceId is not null && e.TxnDeviceId == requester.DeviceId && e.Pdu.Sender == requester.UserId.Value ? e.TxnId : null,
        Membership = readerAt.GetValueOrDefault(e.Pdu.EventId),
        MoreUnsigned = DelayOf(e),
        PrevContent = e.PrevContent,
        PrevSender = e.PrevSender,
        ReplacesState = e.ReplacesEventId,
        RedactedBecause = e.RedactedBy is { } id && redactions.TryGetValue(id, out var redaction) ? Plain(redaction) : default,
        Relations = bundles.GetValueOrDefault(e.Pdu.EventId),
    });

    /// <summary>MSC4140: who sent a delayed event is told which.</summary>
    private ReadOnlyMemory<byte> DelayOf(StoredEvent e) => e.TxnDeviceId == DelayedEvent.Device && e.Pdu.Sender == requester.UserId.Value
        ? System.Text.Encoding.ASCII.GetBytes($"\"org.matrix.msc4140.delay_id\":\"{e.TxnId}\",\"delay_id\":\"{e.TxnId}\"") : default(ReadOnlyMemory<byte>);

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
