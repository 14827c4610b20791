using System.Collections.Immutable;
using Microsoft.Extensions.Logging;

namespace Matrix.Replication.Buses;

/// <summary>The bus of the monolith, and of tests that host several services in one process. Never loses a frame unless a reader is far behind.</summary>
public sealed class InProcessBus(TimeProvider time, ILogger<InProcessBus> log) : IReplicationBus
{
    private readonly Lock gate = new();
    private readonly Dictionary<StreamDefinition, EphemeralStream> ephemeral = [];
    private ImmutableArray<Subscription> subscriptions = [];

    public bool IsConnected => true;
    public long Interruptions => 0;

    public ValueTask PublishAsync(StreamFrame frame, CancellationToken ct)
    {
        ReplicationMetrics.FramesPublished.Add(1, ReplicationMetrics.Tag(frame.Stream));
        lock (gate) Deliver(frame);
        return ValueTask.CompletedTask;
    }

    public IAsyncDisposable Subscribe(IReadOnlyCollection<StreamDefinition> streams, Func<StreamFrame, ValueTask> onFrame)
    {
        var subscription = new Subscription(this, streams.ToDictionary(s => s, s => new FramePump<StreamFrame>(s, onFrame, log)));
        lock (gate) subscriptions = subscriptions.Add(subscription);
        return subscription;
    }

    public ValueTask<long> PublishEphemeralAsync(StreamDefinition stream, string key, ReadOnlyMemory<byte> payload, CancellationToken ct)
    {
        lock (gate)
        {
            var held = Held(stream);
            var now = time.GetUtcNow();
            if (held.Position == 0) held.Base = held.Position = now.ToUnixTimeMilliseconds() * 1000;
            var row = new StreamRow(++held.Position, key, payload);
            held.Put(row, now, now + EphemeralRetention.Of(stream));
            Deliver(new StreamFrame(stream, row.Position - 1, row.Position, "local", [row]));
            return ValueTask.FromResult(row.Position);
        }
    }

    public ValueTask<long> GetEphemeralPositionAsync(StreamDefinition stream, CancellationToken ct)
    {
        lock (gate) return ValueTask.FromResult(Held(stream).Position);
    }

    public ValueTask<EphemeralPage?> TryReadEphemeralAsync(StreamDefinition stream, long from, int limit, CancellationToken ct)
    {
        lock (gate)
        {
            var held = Held(stream);
            var rows = held.After(from, limit, time.GetUtcNow());
            return ValueTask.FromResult<EphemeralPage?>(new EphemeralPage(held.Base, rows.Count == limit ? rows[^1].Position : held.Position, rows));
        }
    }

    private EphemeralStream Held(StreamDefinition stream)
    {
        if (!ephemeral.TryGetValue(stream, out var held)) ephemeral.Add(stream, held = new EphemeralStream());
        return held;
    }

    private void Deliver(StreamFrame frame)
    {
        foreach (var subscription in subscriptions)
        {
            if (subscription.Pumps.TryGetValue(frame.Stream, out var pump)) pump.Post(frame, 0);
        }
    }

    private sealed class EphemeralStream
    {
        private readonly Dictionary<string, (long Position, DateTimeOffset Expires)> newest = new(StringComparer.Ordinal);
        private readonly SortedDictionary<long, StreamRow> rows = [];

        public long Base { get; set; }
        public long Position { get; set; }

        public void Put(StreamRow row, DateTimeOffset now, DateTimeOffset expires)
        {
            if (newest.TryGetValue(row.Key, out var old)) rows.Remove(old.Position);
            newest[row.Key] = (row.Position, expires);
            rows.Add(row.Position, row);
            // One out for one in keeps it within bounds; the oldest is the first to expire.
            var oldest = rows.First().Value;
            if (rows.Count <= EphemeralRetention.MaxKeys && newest[oldest.Key].Expires > now) return;
            rows.Remove(oldest.Position);
            newest.Remove(oldest.Key);
        }

        public List<StreamRow> After(long from, int limit, DateTimeOffset now) =>
            rows.Where(r => r.Key > from && newest[r.Value.Key].Expires > now).Select(r => r.Value).Take(limit).ToList();
    }

    private sealed class Subscription(InProcessBus bus, Dictionary<StreamDefinition, FramePump<StreamFrame>> pumps) : IAsyncDisposable
    {
        public IReadOnlyDictionary<StreamDefinition, FramePump<StreamFrame>> Pumps => pumps;

        public async ValueTask DisposeAsync()
        {
            lock (bus.gate) bus.subscriptions = bus.subscriptions.Remove(this);
            foreach (var pump in pumps.Values) await pump.DisposeAsync();
        }
    }
}
