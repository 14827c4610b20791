namespace Matrix.Replication.Following;

/// <param name="Writer">Name of this instance, carried in frames for whoever debugs them.</param>
public sealed record PublisherOptions(string Writer);

/// <summary>
/// Publishes what was committed. Within this process a frame that joins the local position has been given to the consumers when the call returns;
/// one whose predecessor is still on its way is not waited for: who needs it uses <see cref="IStreamFollower.WaitForAsync"/>.
/// </summary>
public sealed class StreamPublisher(StreamFollower follower, IReplicationBus bus, PublisherOptions options) : IStreamPublisher
{
    public async ValueTask PublishAsync(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> rows, CancellationToken ct)
    {
        if (stream.IsEphemeral) throw new ArgumentException($"Stream {stream} takes its positions from the bus.", nameof(stream));
        var frame = new StreamFrame(stream, from, to, options.Writer, rows) { Trace = ReplicationMetrics.CurrentTrace };
        await bus.PublishAsync(frame, ct);
        await follower.OfferAsync(frame);
    }

    public async ValueTask<long> PublishEphemeralAsync(StreamDefinition stream, string key, ReadOnlyMemory<byte> payload, CancellationToken ct)
    {
        if (!stream.IsEphemeral) throw new ArgumentException($"Stream {stream} takes its positions from the database.", nameof(stream));
        var position = await bus.PublishEphemeralAsync(stream, key, payload, ct);
        if (position > 0)
            await follower.OfferAsync(new StreamFrame(stream, position - 1, position, options.Writer, [new StreamRow(position, key, payload)]));
        return position;
    }
}
