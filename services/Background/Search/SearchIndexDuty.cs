using Matrix.Events;
using Matrix.Replication;
using Matrix.Storage;
using Matrix.Storage.Events;
using Matrix.Storage.Following;
using Matrix.Storage.Search;
using Npgsql;

namespace Matrix.Background.Search;

/// <summary>Keeps the index of messages up with stream events.</summary>
internal sealed class SearchIndexDuty(Database database, SearchStore store) : IFollowingDuty
{
    private const int EventsAtOnce = 1_000;
    private const EventFlags NotSearched = EventFlags.Outlier | EventFlags.Rejected | EventFlags.SoftFailed | EventFlags.Redacted;

    public string Reader => "search";
    public IReadOnlyList<StreamDefinition> Streams { get; } = [Replication.Streams.Events];
    public bool IsMine => true;

    public async Task RebuildAsync(CancellationToken ct)
    {
        await store.ClearAsync(ct);
        var after = long.MinValue;
        while (await store.PageAsync(after, EventsAtOnce, ct) is { Count: > 0 } page)
        {
            var entries = new List<SearchEntry>(page.Count);
            foreach (var e in page) Add(entries, e.Pdu, e.EventNid, e.RoomNid, e.Position!.Value);
            await database.InTransactionAsync(async tx => { await SearchStore.AddAsync(tx, entries, ct); return true; }, ct);
            after = page[^1].Position!.Value;
        }
    }

    public bool Concerns(StreamDefinition stream, StreamRow row) =>
        EventRow.Decode(row) is { Type: EventTypes.Message or EventTypes.Name or EventTypes.Topic } or { Redacts: not null };

    public async Task ApplyAsync(NpgsqlTransaction tx, StreamDefinition stream, IReadOnlyList<StreamRow> rows, CancellationToken ct)
    {
        var entries = new List<SearchEntry>();
        var redacted = new List<(long, string)>();
        foreach (var row in rows)
        {
            var e = EventRow.Decode(row);
            if (e.Redacts is { } target) redacted.Add((e.RoomNid, target));
            if ((e.Flags & NotSearched) != 0 || RoomVersions.Find(e.RoomVersion) is not { } version) continue;
            if (e.Type is EventTypes.Message or EventTypes.Name or EventTypes.Topic)
                Add(entries, Pdu.ReadTrusted(e.Json, version, e.EventId), e.EventNid, e.RoomNid, e.Position);
        }
        await SearchStore.AddAsync(tx, entries, ct);
        await SearchStore.RemoveAsync(tx, redacted, ct);
    }

    private static void Add(List<SearchEntry> entries, Pdu pdu, long eventNid, long roomNid, long position)
    {
        if (SearchableText.Of(pdu) is not { } found || SearchTokens.ToVector(found.Text) is not { Length: > 0 } words) return;
        entries.Add(new SearchEntry(eventNid, roomNid, position, pdu.Sender, found.Kind, words));
    }
}
