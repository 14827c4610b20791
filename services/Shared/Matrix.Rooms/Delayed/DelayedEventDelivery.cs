using System.Buffers;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Rooms.Writing;
using Matrix.Storage.DelayedEvents;
using Matrix.Storage.Streams;

namespace Matrix.Rooms.Delayed;

/// <summary>Sends delayed events that have been claimed. The event is written under a transaction of its own, so a second attempt finds the first one's event.</summary>
public sealed class DelayedEventDelivery(IRoomWriter writer, DelayedEventStore store, IStreamPublisher publisher, TimeProvider clock)
{
    /// <summary>How long a claim holds: longer than any send takes.</summary>
    public static readonly TimeSpan ClaimLife = TimeSpan.FromMinutes(2);

    private long NowMs => clock.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Null: it was sent. What the room refuses finalises the event, unless it was sent <paramref name="byHand"/>: then it stays scheduled.</summary>
    /// <param name="byHand">Its user wants it sent now; else its time has come, wherever he is.</param>
    public async Task<MatrixError?> DeliverAsync(DelayedEvent e, bool byHand, CancellationToken ct)
    {
        string eventId;
        try
        {
            var write = new RoomWrite(e.RoomId, e.UserId, [new EventToSend(e.Type, e.StateKey, e.Content)])
            {
                DeviceId = DelayedEvent.Device, TxnId = e.DelayId, OriginServerTs = e.OriginTsMs, IsByHand = byHand,
            };
            eventId = (await writer.SendAsync(write, ct)).EventIds[^1];
        }
        catch (MatrixException refused)
        {
            // The server's own trouble is no answer of the room.
            if (byHand || refused.Error.Status >= 500) await ReleaseAsync(e, tells: byHand);
            else await store.FinaliseAsync(e.DelayId, NowMs, null, Body(refused.Error), CancellationToken.None);
            return refused.Error;
        }
        await store.FinaliseAsync(e.DelayId, NowMs, eventId, null, CancellationToken.None);
        return null;
    }

    /// <summary>Who sends those whose time has come knows when to try again; of one that was tried by hand he has to be told.</summary>
    private async Task ReleaseAsync(DelayedEvent e, bool tells) =>
        await publisher.PublishAllAsync(await store.ReleaseAsync(e.DelayId, tells, NowMs, CancellationToken.None));

    private static byte[] Body(MatrixError error)
    {
        var output = new ArrayBufferWriter<byte>(128);
        output.Write("{\"errcode\":"u8);
        CanonicalJson.WriteString(output, error.Code);
        output.Write(",\"error\":"u8);
        CanonicalJson.WriteString(output, error.Message);
        output.Write("}"u8);
        return output.WrittenSpan.ToArray();
    }
}
