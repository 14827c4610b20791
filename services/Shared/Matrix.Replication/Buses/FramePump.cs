using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Matrix.Replication.Buses;

/// <summary>
/// The one ordered path of a subscription to a stream: whatever arrives is handed on one at a time, in order of arrival. Bounded: when the reader
/// is slower than the transport, what does not fit is lost, which a reader of hints survives.
/// </summary>
internal sealed partial class FramePump<T> : IAsyncDisposable
{
    private const int Capacity = 1024;
    private const long MaxBytes = 32 * 1024 * 1024;
    private readonly StreamDefinition stream;
    private readonly Channel<(T Item, int Size)> queue;
    private readonly Task loop;
    private long bytes;

    public FramePump(StreamDefinition stream, Func<T, ValueTask> deliver, ILogger log)
    {
        this.stream = stream;
        var options = new BoundedChannelOptions(Capacity) { SingleReader = true, FullMode = BoundedChannelFullMode.DropWrite };
        queue = Channel.CreateBounded<(T, int Size)>(options, dropped => Lost(dropped.Size));
        loop = Task.Run(() => RunAsync(deliver, log));
    }

    /// <param name="size">Bytes that only the queue keeps alive.</param>
    public void Post(T item, int size)
    {
        if (Interlocked.Add(ref bytes, size) > MaxBytes) Lost(size);
        else queue.Writer.TryWrite((item, size));
    }

    /// <summary>Returns when what was posted has been delivered.</summary>
    public async ValueTask DisposeAsync()
    {
        queue.Writer.TryComplete();
        await loop;
    }

    private void Lost(int size)
    {
        Interlocked.Add(ref bytes, -size);
        ReplicationMetrics.FramesLost.Add(1, ReplicationMetrics.Tag(stream));
    }

    private async Task RunAsync(Func<T, ValueTask> deliver, ILogger log)
    {
        await foreach (var (item, size) in queue.Reader.ReadAllAsync())
        {
            Interlocked.Add(ref bytes, -size);
            try
            {
                await deliver(item);
            }
            catch (Exception e)
            {
                LogSubscriberFailed(log, e, stream.Name);
            }
        }
    }

    [LoggerMessage(3001, LogLevel.Error, "A subscriber of stream {Stream} failed on a frame")]
    private static partial void LogSubscriberFailed(ILogger log, Exception e, string stream);
}
