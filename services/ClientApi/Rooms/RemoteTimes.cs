using Matrix.Crypto;
using Matrix.FederationClient.Rooms;
using Matrix.Primitives;
using Matrix.Rooms.Ingest;
using Matrix.Storage.Events;
using Matrix.Storage.Federation;

namespace Matrix.ClientApi.Rooms;

/// <summary>
/// Asks the other servers of a room for an event that is closer to a time than what is here, where history is missing that may hold one. What they name
/// is fetched and becomes part of the room's past before it is shown. Spec: server-server-api/#retrieving-events, timestamp_to_event
/// </summary>
internal sealed class RemoteTimes(
    IRemoteRooms remote, ServerMembers members, EventTimes times, EventReader events, IPduIngest ingest, ServerIdentity identity, TimeProvider clock)
{
    private const int MaxServers = 3;
    /// <summary>For all servers together, the events that are fetched included.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <param name="local">The closest event here; null: there is none.</param>
    /// <returns>Null: nobody has a closer one. Whether the user may see it is still to be judged.</returns>
    public async Task<StoredEvent?> FindAsync(RoomView view, long ts, bool backwards, StoredEvent? local, CancellationToken ct)
    {
        // Who only looks in makes this server ask nobody. What is missing came before an event that is here.
        var since = local is null ? long.MinValue : backwards ? local.Pdu.OriginServerTs : ts;
        if (!view.IsJoined || !await times.HasGapAsync(view.RoomNid, since, ct)) return null;
        using var limit = new CancellationTokenSource(Patience, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(ct, limit.Token);
        try
        {
            foreach (var server in await members.OthersAsync(view.RoomNid, identity.ServerName, MaxServers, both.Token))
            {
                if (await remote.FindByTimeAsync(server, view.RoomId, ts, backwards, both.Token) is not { } told || !IsCloser(told.OriginServerTs)) continue;
                if (await TakeAsync(view, server, told.EventId, both.Token) is { } e && IsCloser(e.Pdu.OriginServerTs)) return e;
            }
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            // What is here is the answer.
        }
        return null;

        bool IsCloser(long at) => backwards
            ? at <= ts && (local is null || at > local.Pdu.OriginServerTs)
            : at >= ts && (local is null || at < local.Pdu.OriginServerTs);
    }

    /// <summary>The event as part of the room here; null: it cannot be had, or is none of this room.</summary>
    private async Task<StoredEvent?> TakeAsync(RoomView view, string server, string eventId, CancellationToken ct)
    {
        if (await StoredAsync() is { } known) return known;
        if (await remote.GetEventAsync(server, eventId, ct) is not { } json) return null;
        try
        {
            await ingest.IngestAsync(new PduIngest(view.RoomId, server, IngestMode.Backfill, [json]), ct);
        }
        catch (MatrixException)
        {
            // The room has too much to do: whoever asks again finds it.
            return null;
        }
        return await StoredAsync();

        async Task<StoredEvent?> StoredAsync() =>
            (await events.ByIdsAsync([eventId], ct)).FirstOrDefault(e => e.RoomNid == view.RoomNid && e.Position is not null);
    }
}
