using Matrix.Replication;
using Matrix.Replication.Buses;
using Matrix.Replication.Frames;
using Microsoft.Extensions.Logging.Abstractions;

namespace Matrix.Testing.Replication;

/// <summary>How often, from 0 to 1, each thing happens to a frame.</summary>
public sealed record BusFaults(double Drop, double Repeat, double Reorder, double Delay)
{
    public static readonly BusFaults None = new(0, 0, 0, 0);
    public static readonly BusFaults Many = new(0.3, 0.3, 0.4, 0.3);
}

/// <summary>
/// The bus at its worst: loses, repeats, reorders and delays what is published, the same way for the same seed. Nothing moves by itself: a test
/// calls <see cref="PumpAsync"/>. Frames travel as bytes.
/// </summary>
public sealed class LossyBus(int seed, BusFaults faults, TimeProvider time) : IReplicationBus
{
    private readonly Random random = new(seed);
    private readonly List<byte[]> travelling = [];
    private readonly List<Subscription> subscriptions = [];
    private InProcessBus kept = new(time, NullLogger<InProcessBus>.Instance);
    private bool isConnected = true;
    private long interruptions;

    public event Action? ConnectionChanged;

    /// <summary>Set to false: everything that travels is lost, and so is what is published from now on.</summary>
    public bool IsConnected
    {
        get => isConnected;
        set
        {
            if (value && !isConnected) interruptions++;
            isConnected = value;
            if (!value) travelling.Clear();
            ConnectionChanged?.Invoke();
        }
    }

    /// <summary>Always another where frames are dropped: it may have been interrupted at any time.</summary>
    public long Interruptions => faults.Drop > 0 ? ++interruptions : interruptions;

    public int Travelling => travelling.Count;

    public ValueTask PublishAsync(StreamFrame frame, CancellationToken ct)
    {
        if (!isConnected || random.NextDouble() < faults.Drop) return ValueTask.CompletedTask;
        var bytes = StreamFrameCodec.Encode(frame);
        travelling.Add(bytes);
        if (random.NextDouble() < faults.Repeat) travelling.Add(bytes);
        return ValueTask.CompletedTask;
    }

    public IAsyncDisposable Subscribe(IReadOnlyCollection<StreamDefinition> streams, Func<StreamFrame, ValueTask> onFrame)
    {
        var subscription = new Subscription(this, streams, onFrame);
        subscriptions.Add(subscription);
        return subscription;
    }

    /// <summary>Delivers what travels, one frame at a time, except what is delayed until the next call.</summary>
    public async Task PumpAsync()
    {
        var delayed = new List<byte[]>();
        while (travelling.Count > 0)
        {
            var at = random.NextDouble() < faults.Reorder ? random.Next(travelling.Count) : 0;
            var bytes = travelling[at];
            travelling.RemoveAt(at);
            if (random.NextDouble() < faults.Delay)
            {
                delayed.Add(bytes);
                continue;
            }
            if (!StreamFrameCodec.TryDecode(bytes, out var frame)) throw new InvalidOperationException("A published frame does not decode.");
            foreach (var subscription in subscriptions.ToArray())
            {
                if (subscription.Streams.Contains(frame.Stream)) await subscription.OnFrame(frame);
            }
        }
        travelling.AddRange(delayed);
    }

    public async ValueTask<long> PublishEphemeralAsync(StreamDefinition stream, string key, ReadOnlyMemory<byte> payload, CancellationToken ct)
    {
        if (!isConnected) return 0;
        var position = await kept.PublishEphemeralAsync(stream, key, payload, ct);
        await PublishAsync(new StreamFrame(stream, position - 1, position, "", [new StreamRow(position, key, payload)]), ct);
        return position;
    }

    public ValueTask<long> GetEphemeralPositionAsync(StreamDefinition stream, CancellationToken ct) =>
        isConnected ? kept.GetEphemeralPositionAsync(stream, ct) : ValueTask.FromResult(0L);

    public ValueTask<EphemeralPage?> TryReadEphemeralAsync(StreamDefinition stream, long from, int limit, CancellationToken ct) =>
        isConnected ? kept.TryReadEphemeralAsync(stream, from, limit, ct) : ValueTask.FromResult<EphemeralPage?>(null);

    /// <summary>What a restart of a Redis without persistence does.</summary>
    public void LoseEphemeralData()
    {
        travelling.Clear();
        interruptions++;
        kept = new InProcessBus(time, NullLogger<InProcessBus>.Instance);
    }

    private sealed class Subscription(LossyBus bus, IReadOnlyCollection<StreamDefinition> streams, Func<StreamFrame, ValueTask> onFrame) : IAsyncDisposable
    {
        public IReadOnlyCollection<StreamDefinition> Streams => streams;
        public Func<StreamFrame, ValueTask> OnFrame => onFrame;

        public ValueTask DisposeAsync()
        {
            bus.subscriptions.Remove(this);
            return ValueTask.CompletedTask;
        }
    }
}
