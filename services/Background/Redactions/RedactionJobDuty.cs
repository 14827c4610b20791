using System.Text.Json;
using Matrix.Background.Duties;
using Matrix.Primitives;
using Matrix.Rooms.Writing;
using Matrix.Storage.Redactions;

namespace Matrix.Background.Redactions;

/// <summary>
/// Works through jobs of redaction, a room at a time. Each redaction has a transaction of its own: a room that is begun again, because its instance went away,
/// redacts nothing twice.
/// </summary>
internal sealed class RedactionJobDuty(RedactionJobStore store, IRoomWriter writer, TimeProvider clock) : IBackgroundDuty
{
    private const string Device = "\u001bredaction";
    private static readonly TimeSpan ClaimLife = TimeSpan.FromMinutes(10);

    public string Name => "redaction_jobs";
    public TimeSpan Interval => TimeSpan.FromSeconds(10);

    /// <summary>One room of one job; 0: there is no job.</summary>
    public async Task<int> RunAsync(CancellationToken ct)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        if (await store.ClaimAsync(now, now + (long)ClaimLife.TotalMilliseconds, ct) is not { } job) return 0;
        var room = job.RoomIds.Count > 0 ? job.RoomIds[0] : "";
        var failures = new List<KeyValuePair<string, string>>();
        var redacted = 0;
        foreach (var id in room.Length == 0 ? [] : await store.EventsAsync(room, job.UserId, job.MaxEvents, ct))
        {
            try
            {
                await writer.SendAsync(new RoomWrite(room, job.Sender, [new EventToSend("m.room.redaction", null, Content(id, job.Reason))])
                {
                    DeviceId = Device, TxnId = $"{job.RedactId}/{id}",
                }, ct);
                redacted++;
            }
            catch (MatrixException refused) when (refused.Error.Status < 500)
            {
                failures.Add(KeyValuePair.Create(id, refused.Error.Message));
            }
        }
        await store.RoomDoneAsync(job.RedactId, room, redacted, failures, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct);
        return redacted + failures.Count + 1;
    }

    private static byte[] Content(string eventId, string? reason)
    {
        using var buffer = new MemoryStream();
        using (var w = new Utf8JsonWriter(buffer))
        {
            w.WriteStartObject();
            w.WriteString("redacts", eventId);
            if (reason is not null) w.WriteString("reason", reason);
            w.WriteEndObject();
        }
        return buffer.ToArray();
    }
}
