using Matrix.EventPersister.Policy;
using Matrix.Events;
using Matrix.Rooms.Ingest;

namespace Matrix.EventPersister.Ingest;

// What the room's policy server says of live events.
internal sealed partial class IngestTurn
{
    private RoomPolicy? asked;
    private long askedOf;

    /// <summary>The policy of the current state; null: none.</summary>
    private async ValueTask<RoomPolicy?> PolicyAsync(CancellationToken ct)
    {
        if (policy is null || (room.TryGetEntry(RoomPolicy.StateKey, out var entry) && entry is null)) return null;
        if (!storage.StateKeys.TryGet(RoomPolicy.StateKey, out var key)) await storage.StateKeys.FindAsync([RoomPolicy.StateKey], ct);
        var nid = storage.StateKeys.TryGet(RoomPolicy.StateKey, out key) ? room.Map.Get(key) : 0;
        if (nid == 0)
        {
            room.SetEntry(RoomPolicy.StateKey, null);
            return null;
        }
        if (nid == askedOf) return asked;
        await StoredAsync([nid], ct);
        askedOf = nid;
        return asked = await policy.OfAsync(room, EventOf(nid)?.Pdu, ct);
    }

    /// <summary>Signatures that are missing are asked for, all at once, before the room begins to judge.</summary>
    private async ValueTask<IReadOnlyList<IncomingPdu>> RecommendedAsync(IReadOnlyList<IncomingPdu> pdus, CancellationToken ct)
    {
        if (mode != IngestMode.Live || await PolicyAsync(ct) is not { } now) return pdus;
        var signed = await policy!.CompleteAsync(room, now, [.. pdus.Select(p => p.Pdu)], ct);
        return [.. pdus.Select((p, i) => p with { Pdu = signed[i] })];
    }
}
