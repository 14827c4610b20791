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
    private readonly Channel<T> queue;
    private readonly Task loop;

    public FramePump(StreamDefinition stream, Func<T, ValueTask> deliver, ILogger log)
    {
        var options = new BoundedChannelOptions(Capacity) { SingleReader = true, FullMode = BoundedChannelFullMode.DropWrite };
        queue = Channel.CreateBounded<T>(options, _ => ReplicationMetrics.FramesLost.Add(1, ReplicationMetrics.Tag(stream)));
        loop = Task.Run(() => RunAsync(stream, deliver, log));
    }

    public void Post(T item) => queue.Writer.TryWrite(item);

    /// <summary>Returns when what was posted has been delivered.</summary>
    public async ValueTask DisposeAsync()
    {
        queue.Writer.TryComplete();
        await loop;
    }

    private async Task RunAsync(StreamDefinition stream, Func<T, ValueTask> deliver, ILogger log)
    {
        await foreach (var item in queue.Reader.ReadAllAsync())
        {
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
