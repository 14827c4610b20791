using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;
using Matrix.Storage.Sync;

namespace Matrix.ClientApi.Rooms;

/// <summary>
/// What the reader was in the room at an event, the change by that event included: <c>unsigned.membership</c>, as <c>/sync</c> tells it. Costs nothing for
/// what came after his newest membership, one round trip for all that is older. Spec: client-server-api/#room-event-format
/// </summary>
internal sealed class OwnMemberships(SyncReader history)
{
    /// <param name="memberOf">His membership now in the room of an event; null: he never had one.</param>
    /// <returns>By event id; events outside of the room's history are omitted.</returns>
    public async Task<Dictionary<string, string>> AtAsync(
        UserId user, IReadOnlyList<StoredEvent> shown, Func<StoredEvent, MembershipRecord?> memberOf, CancellationToken ct)
    {
        var found = new Dictionary<string, string>(shown.Count, StringComparer.Ordinal);
        List<StoredEvent>? older = null;
        foreach (var e in shown)
        {
            if (e.Position is not { } position) continue;
            var now = memberOf(e);
            if (e.Pdu.Type == EventTypes.Member && e.Pdu.StateKey == user.Value) found[e.Pdu.EventId] = e.Pdu.Membership ?? Memberships.Leave;
            else if (now is null) found[e.Pdu.EventId] = Memberships.Leave;
            else if (now.Position > 0 && position >= now.Position) found[e.Pdu.EventId] = now.Membership;
            else (older ??= []).Add(e);
        }
        if (older is null) return found;
        var rooms = older.Select(e => e.RoomNid).Distinct().ToArray();
        var steps = (await history.MembershipHistoryAsync(user.Value, rooms, older.Min(e => e.Position!.Value), ct)).ToLookup(s => s.RoomNid);
        foreach (var e in older)
            found[e.Pdu.EventId] = steps[e.RoomNid].LastOrDefault(s => s.Position <= e.Position)?.Membership ?? Memberships.Leave;
        return found;
    }
}
