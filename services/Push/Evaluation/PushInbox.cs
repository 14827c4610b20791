using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Storage.Streams;

namespace Matrix.Push.Evaluation;

/// <summary>Receipts of users, as far as they matter here.</summary>
/// <param name="ThreadId">Empty: of all threads.</param>
/// <param name="Position">Of the event in stream events; null: it is not known.</param>
internal readonly record struct ReadUpTo(string UserId, string RoomId, string ThreadId, long? Position);

/// <summary>What happened in the streams besides events, until the engine looks.</summary>
/// <param name="Pushers">Users whose pushers changed.</param>
/// <param name="Settings">Users whose account data changed.</param>
/// <param name="AllReceipts">False: there were too many to keep.</param>
internal sealed record PushNews(IReadOnlyCollection<string> Pushers, IReadOnlyCollection<string> Settings, IReadOnlyList<ReadUpTo> Receipts, bool AllReceipts);

/// <summary>The side of the engine that the streams see: memory only, quick, bounded.</summary>
internal sealed class PushInbox(EventFeed feed) : IStreamConsumer
{
    private const int MaxReceipts = 10_000;
    private readonly Lock gate = new();
    private readonly WakeUp news = new();
    private HashSet<string> pushers = new(StringComparer.Ordinal);
    private HashSet<string> settings = new(StringComparer.Ordinal);
    private List<ReadUpTo> receipts = [];
    private bool allReceipts = true;

    public IReadOnlyCollection<StreamDefinition> Streams { get; } =
        [Replication.Streams.Events, Replication.Streams.Pushers, Replication.Streams.PushRules, Replication.Streams.AccountData, Replication.Streams.Receipts];

    public ValueTask OnRowsAsync(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> rows)
    {
        if (stream == Replication.Streams.Events) feed.Add(from, to, rows);
        else lock (gate) foreach (var row in rows) AddLocked(stream, row);
        news.Wake();
        return ValueTask.CompletedTask;
    }

    private void AddLocked(StreamDefinition stream, StreamRow row)
    {
        if (stream == Replication.Streams.Pushers)
        {
            pushers.Add(row.Key);
        }
        else if (stream == Replication.Streams.Receipts)
        {
            var receipt = ReceiptRow.Decode(row.Payload.Span);
            if (receipts.Count < MaxReceipts) receipts.Add(new(receipt.UserId, row.Key, receipt.ThreadId, receipt.EventPosition));
            else allReceipts = false;
        }
        else if (stream == Replication.Streams.PushRules || AccountDataRow.Decode(row.Payload.Span) is { RoomId: "", Type: "m.push_rules" or "m.ignored_user_list" })
        {
            settings.Add(row.Key);
        }
    }

    public PushNews Take()
    {
        lock (gate)
        {
            var taken = new PushNews(pushers, settings, receipts, allReceipts);
            if (pushers.Count > 0) pushers = new(StringComparer.Ordinal);
            if (settings.Count > 0) settings = new(StringComparer.Ordinal);
            if (receipts.Count > 0) receipts = [];
            allReceipts = true;
            return taken;
        }
    }

    /// <summary>Until something happens, or the time is over.</summary>
    public Task WaitAsync(TimeSpan atMost, TimeProvider clock, CancellationToken ct) => news.WaitAsync(atMost, clock, ct);
}
