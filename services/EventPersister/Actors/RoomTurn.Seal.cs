using System.Runtime.InteropServices;
using Matrix.Events;
using Matrix.Storage.Events;
using Matrix.Storage.Rooms;

namespace Matrix.EventPersister.Actors;

internal sealed partial class RoomTurn
{
    /// <summary>What the transaction needs of this turn. Snapshots are made here, when no event can be taken back any more.</summary>
    public async ValueTask<RoomCommit> SealAsync(NewRoom? newRoom, CancellationToken ct)
    {
        if (ingest is not null) return await ingest.SealAsync(newRoom, ct);
        var snapshots = new List<SnapshotRow>();
        var state = new Dictionary<long, long>();
        var members = new Dictionary<string, NewMembership>();
        var current = room.CurrentSnapshot;
        for (var i = 0; i < events.Count; i++)
        {
            var e = events[i];
            if (e.StateKeyNid is { } key)
            {
                var change = new KeyValuePair<long, long>(key, e.EventNid);
                var row = room.Chain.Append(await storage.Numbers.Snapshots.NextAsync(ct), room.RoomNid, new ReadOnlySpan<KeyValuePair<long, long>>(in change));
                snapshots.Add(row);
                current = row.SnapshotNid;
                state[key] = e.EventNid;
                if (e.Pdu.Type == EventTypes.Member)
                    members[e.Pdu.StateKey!] = new NewMembership(e.Pdu.StateKey!, e.Pdu.Membership ?? Memberships.Leave, e.Pdu.Sender, e.EventNid, i);
            }
            e.SnapshotNid = current;
        }
        return new RoomCommit
        {
            RoomNid = room.RoomNid, RoomId = room.RoomId, Version = room.Version.Id, ExpectedHead = room.Head, NewRoom = newRoom,
            Events = events, Snapshots = snapshots, CurrentSnapshot = snapshots.Count > 0 ? current : null, StateChanges = [.. state],
            Memberships = [.. members.Values], Redactions = redactions, CreatedTsMs = NowMs,
            ExtremitiesGone = [.. tipsBefore.Where(t => !room.Extremities.Contains(t)).Select(t => t.EventNid)],
            ExtremitiesNew = [.. room.Extremities.Where(t => !tipsBefore.Contains(t)).Select(t => t.EventNid)],
        };
    }

    /// <summary>The commit happened.</summary>
    public void Advance(RoomCommit commit)
    {
        room.Head += commit.Events.Count;
        room.IsNew = false;
        room.CurrentSnapshot = commit.CurrentSnapshot ?? room.CurrentSnapshot;
    }
}
