using Matrix.EventPersister.Policy;
using Matrix.Events;
using Matrix.Rooms.Ingest;
using Matrix.Storage.Events;

namespace Matrix.EventPersister.Ingest;

// What the room's policy server says of live events.
internal sealed partial class IngestTurn
{
    private RoomPolicy? asked;
    private long askedOf;
    /// <summary>Events that are not recommended because nobody answered.</summary>
    private readonly HashSet<string> unasked = new(StringComparer.Ordinal);

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

    /// <summary>Whether an event that is soft-failed for want of a recommendation has come with one, and is to be judged anew.</summary>
    private async ValueTask<bool> IsRecommendedNowAsync(Pdu e, EventFacts known, CancellationToken ct)
    {
        if (mode != IngestMode.Live || !known.IsSoftFailed || !RoomPolicy.Concerns(e) || await PolicyAsync(ct) is not { } now) return false;
        await StoredAsync([known.EventNid], ct);
        // It had one: then it was the room's state that it failed by.
        if (EventOf(known.EventNid)?.Pdu is not { } before || now.IsRecommended(before, server.Ed25519)) return false;
        if (now.IsRecommended(e, server.Ed25519)) return true;
        if (room.PolicyAwaySince != 0) unasked.Add(e.EventId);
        return false;
    }
}
