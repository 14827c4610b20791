using System.Globalization;
using Matrix.Replication.Frames;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Matrix.Replication.Buses;

/// <param name="ConnectionString">StackExchange.Redis form: host:port,password=...</param>
/// <param name="Prefix">Of channels and keys, so that several homeservers can share a Redis.</param>
public sealed record RedisBusOptions(string ConnectionString, string Prefix);

/// <summary>
/// The bus of a fleet. The only file that sees StackExchange.Redis, written against what 1.2.6 and 2.x both have, but for the ordered way of hearing a
/// channel and two settings. Connects in the background, again and again; what is published meanwhile is lost and found in the database.
/// </summary>
public sealed partial class RedisBus : IReplicationBus, IRateBuckets, IAsyncDisposable
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(2);
    private readonly RedisBusOptions options;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly CancellationTokenSource stopping = new();
    private readonly Task<ConnectionMultiplexer?> connecting;
    private long interruptions;
    private bool disposed;

    public RedisBus(RedisBusOptions options, TimeProvider time, ILogger<RedisBus> log)
    {
        this.options = options;
        this.time = time;
        this.log = log;
        connecting = Task.Run(ConnectAsync);
    }

    public event Action? ConnectionChanged;

    /// <summary>Both the connection that publishes and the one that listens.</summary>
    public bool IsConnected => Connection is { IsConnected: true } connection && connection.GetSubscriber().IsConnected();

    public long Interruptions => Volatile.Read(ref interruptions);

    private ConnectionMultiplexer? Connection => connecting.IsCompletedSuccessfully ? connecting.Result : null;

    public ValueTask PublishAsync(StreamFrame frame, CancellationToken ct)
    {
        var connection = Connection;
        if (connection is not { IsConnected: true })
        {
            ReplicationMetrics.FramesLost.Add(1, ReplicationMetrics.Tag(frame.Stream));
            return ValueTask.CompletedTask;
        }
        try
        {
            // Not awaited by the server's answer: frames of one connection keep their order, and a lost one is found in the database.
            var sent = connection.GetSubscriber().PublishAsync(Channel(frame.Stream), StreamFrameCodec.Encode(frame), CommandFlags.FireAndForget);
            ReplicationMetrics.FramesPublished.Add(1, ReplicationMetrics.Tag(frame.Stream));
            return sent.IsCompletedSuccessfully ? ValueTask.CompletedTask : new ValueTask(SentAsync(frame.Stream, sent));
        }
        catch (Exception e) when (IsTransportFault(e))
        {
            Lost(frame.Stream, e);
            return ValueTask.CompletedTask;
        }
    }

    public IAsyncDisposable Subscribe(IReadOnlyCollection<StreamDefinition> streams, Func<StreamFrame, ValueTask> onFrame)
    {
        var pumps = streams.ToDictionary(s => s, s => new FramePump<byte[]>(s, bytes =>
        {
            if (StreamFrameCodec.TryDecode(bytes, out var frame) && frame.Stream == s) return onFrame(frame);
            ReplicationMetrics.FramesLost.Add(1, ReplicationMetrics.Tag(s));
            LogNotAFrame(log, s.Name, bytes.Length);
            return ValueTask.CompletedTask;
        }, log));
        return new Subscription(this, pumps);
    }

    public async ValueTask<long> PublishEphemeralAsync(StreamDefinition stream, string key, ReadOnlyMemory<byte> payload, CancellationToken ct)
    {
        // The script replaces the positions; everything after them is the same for every single-row frame.
        var frame = StreamFrameCodec.Encode(new StreamFrame(stream, 0, 1, "", [new StreamRow(1, key, payload)]));
        var answer = await EvaluateAsync(RedisScripts.Publish,
            [HashKey(stream), IndexKey(stream), ValuePrefix(stream) + key],
            [
                key, payload.ToArray(), (long)EphemeralRetention.Of(stream).TotalMilliseconds, EphemeralRetention.MaxKeys,
                (byte[])Channel(stream)!, frame[..1], frame[StreamFrameCodec.AfterPositions..],
            ], ct);
        if (answer is null) ReplicationMetrics.FramesLost.Add(1, ReplicationMetrics.Tag(stream));
        return answer is null ? 0 : Number((RedisValue)answer);
    }

    public async ValueTask<long> GetEphemeralPositionAsync(StreamDefinition stream, CancellationToken ct) =>
        await TryReadEphemeralAsync(stream, long.MaxValue >> 11, 1, ct) is { } page ? page.To : 0;

    public async ValueTask<EphemeralPage?> TryReadEphemeralAsync(StreamDefinition stream, long from, int limit, CancellationToken ct)
    {
        var answer = await EvaluateAsync(RedisScripts.Read, [HashKey(stream), IndexKey(stream)], [from, limit, ValuePrefix(stream)], ct);
        if (answer is null) return null;
        var values = (RedisValue[])answer!;
        var rows = new StreamRow[(values.Length - 2) / 3];
        for (var i = 0; i < rows.Length; i++)
        {
            var at = 2 + (3 * i);
            rows[i] = new StreamRow(Number(values[at + 1]), values[at]!, (byte[])values[at + 2]!);
        }
        return new EphemeralPage(Number(values[0]), Number(values[1]), rows);
    }

    public async ValueTask<BucketAnswer?> TakeAsync(string key, double perSecond, int burst, int most, CancellationToken ct)
    {
        var answer = await EvaluateAsync(RedisScripts.Take, [$"{{{options.Prefix}}}:r:{key}"],
            [perSecond.ToString("R", CultureInfo.InvariantCulture), burst, most], ct);
        if (answer is null) return null;
        var values = (RedisValue[])answer!;
        return new BucketAnswer((int)Number(values[0]), Number(values[1]));
    }

    public async ValueTask DisposeAsync()
    {
        // The container has it under several names.
        if (Interlocked.Exchange(ref disposed, true)) return;
        await stopping.CancelAsync();
        if (await connecting is { } connection)
        {
            await connection.CloseAsync(allowCommandsToComplete: false);
            connection.Dispose();
        }
        stopping.Dispose();
    }

    private async Task<ConnectionMultiplexer?> ConnectAsync()
    {
        var parsed = ConfigurationOptions.Parse(options.ConnectionString);
        parsed.AbortOnConnectFail = false;
        parsed.ClientName = "armada";
        // A dead connection is noticed by asking; the library's default of a minute is too long for a bus.
        parsed.KeepAlive = 5;
        parsed.ReconnectRetryPolicy = new LinearRetry(500);
#if REDIS_2
        // The library looks after its connections so often; each look wakes an idle process.
        parsed.HeartbeatInterval = TimeSpan.FromSeconds(4);
        // Its own threads for reading would be woken beside those of the pool for each message.
        parsed.SocketManager = SocketManager.ThreadPool;
#endif
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var connection = await ConnectionMultiplexer.ConnectAsync(parsed);
                connection.ConnectionFailed += (_, e) =>
                {
                    LogConnectionFailed(log, e.Exception, e.ConnectionType.ToString());
                    ConnectionChanged?.Invoke();
                };
                connection.ConnectionRestored += (_, e) =>
                {
                    Interlocked.Increment(ref interruptions);
                    LogConnectionRestored(log, e.ConnectionType.ToString());
                    ConnectionChanged?.Invoke();
                };
                return connection;
            }
            catch (Exception e) when (IsTransportFault(e))
            {
                LogCannotConnect(log, e.Message);
                await Task.Delay(TimeSpan.FromSeconds(1), time, stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        return null;
    }

    private async Task<RedisResult?> EvaluateAsync(string script, RedisKey[] keys, RedisValue[] values, CancellationToken ct)
    {
        if (Connection is not { IsConnected: true } connection) return null;
        try
        {
            // EVAL, not EVALSHA: a restarted server does not know the script, and a few hundred bytes cost nothing here.
            return await connection.GetDatabase().ScriptEvaluateAsync(script, keys, values, CommandFlags.NoScriptCache)
                .WaitAsync(AnswerTimeout, time, ct);
        }
        catch (Exception e) when (IsTransportFault(e))
        {
            LogCommandFailed(log, e.Message);
            return null;
        }
    }

    private async Task SentAsync(StreamDefinition stream, Task sent)
    {
        try
        {
            await sent;
        }
        catch (Exception e) when (IsTransportFault(e))
        {
            Lost(stream, e);
        }
    }

    private void Lost(StreamDefinition stream, Exception e)
    {
        ReplicationMetrics.FramesLost.Add(1, ReplicationMetrics.Tag(stream));
        LogCommandFailed(log, e.Message);
    }

    // A command that is given up when the connection closes is reported as cancelled by the library.
    private bool IsTransportFault(Exception e) =>
        e is RedisException or TimeoutException or ObjectDisposedException or IOException
        || (e is TaskCanceledException && !stopping.IsCancellationRequested);

    private static long Number(RedisValue value) => long.Parse((string)value!, CultureInfo.InvariantCulture);
    private RedisChannel Channel(StreamDefinition stream) =>
        new($"{options.Prefix}:stream:{stream.Name}", RedisChannel.PatternMode.Literal);
    private string HashKey(StreamDefinition stream) => $"{{{options.Prefix}}}:e:{stream.Name}";
    private string IndexKey(StreamDefinition stream) => $"{{{options.Prefix}}}:i:{stream.Name}";
    private string ValuePrefix(StreamDefinition stream) => $"{{{options.Prefix}}}:v:{stream.Name}:";

    private sealed class Subscription : IAsyncDisposable
    {
        private readonly RedisBus bus;
        private readonly Dictionary<StreamDefinition, FramePump<byte[]>> pumps;
        private readonly List<Func<Task>> unsubscribes = [];
        private readonly Task subscribed;

        public Subscription(RedisBus bus, Dictionary<StreamDefinition, FramePump<byte[]>> pumps)
        {
            this.bus = bus;
            this.pumps = pumps;
            subscribed = SubscribeAsync();
        }

        public async ValueTask DisposeAsync()
        {
            await subscribed;
            foreach (var unsubscribe in unsubscribes) await unsubscribe();
            foreach (var pump in pumps.Values) await pump.DisposeAsync();
        }

        // The library keeps a subscription and repeats it to the server after every reconnection.
        private async Task SubscribeAsync()
        {
            if (await bus.connecting is not { } connection) return;
            foreach (var (stream, pump) in pumps)
            {
                try
                {
                    unsubscribes.Add(await HearAsync(connection.GetSubscriber(), bus.Channel(stream), bytes => pump.Post(bytes, bytes.Length)));
                }
                catch (Exception e) when (bus.IsTransportFault(e))
                {
                    LogCommandFailed(bus.log, e.Message);
                }
            }
        }

        /// <summary>Messages of the channel one at a time, in order. The result ends it, without waiting for the server.</summary>
        private static async Task<Func<Task>> HearAsync(ISubscriber subscriber, RedisChannel channel, Action<byte[]> onMessage)
        {
#if REDIS_2
            var queue = await subscriber.SubscribeAsync(channel);
            queue.OnMessage(message => onMessage((byte[])message.Message!));
            return () => queue.UnsubscribeAsync(CommandFlags.FireAndForget);
#else
            Action<RedisChannel, RedisValue> handler = (_, message) => onMessage(message!);
            await subscriber.SubscribeAsync(channel, handler);
            return () => subscriber.UnsubscribeAsync(channel, handler, CommandFlags.FireAndForget);
#endif
        }
    }

    [LoggerMessage(3010, LogLevel.Warning, "Redis cannot be reached ({Reason}); readers poll the database until it can")]
    private static partial void LogCannotConnect(ILogger log, string reason);
    [LoggerMessage(3011, LogLevel.Warning, "Redis connection lost ({Kind}); readers poll the database until it is back")]
    private static partial void LogConnectionFailed(ILogger log, Exception? e, string kind);
    [LoggerMessage(3012, LogLevel.Information, "Redis connection is back ({Kind})")]
    private static partial void LogConnectionRestored(ILogger log, string kind);
    [LoggerMessage(3013, LogLevel.Debug, "A Redis command failed: {Reason}")]
    private static partial void LogCommandFailed(ILogger log, string reason);
    [LoggerMessage(3014, LogLevel.Warning, "A message of {Length} bytes on the channel of stream {Stream} is not a frame of this release")]
    private static partial void LogNotAFrame(ILogger log, string stream, int length);
}
