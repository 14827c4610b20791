using System.Runtime.InteropServices;
using Matrix.Events;

namespace Matrix.Storage.Events;

public sealed partial class EventWriter
{
    /// <summary>The arrays that the statements unnest; kept and cleared.</summary>
    private sealed class Columns
    {
        // rooms
        public readonly List<long> RoomNids = [], Heads = [], Counts = [];
        public readonly List<long?> RoomSnapshots = [];
        public readonly List<long> NewRoomNids = [], NewCreated = [];
        public readonly List<string?> NewRoomIds = [], NewVersions = [];
        public readonly List<bool> NewPublic = [];
        // events
        public readonly List<long> Nids = [], Rooms = [], Depths = [], Timestamps = [], Received = [];
        public readonly List<string?> Ids = [], Types = [], Senders = [], Prev = [], Auth = [], Redacts = [];
        public readonly List<long?> StateKeys = [], Snapshots = [], Replaces = [];
        public readonly List<short> Flags = [];
        public readonly List<byte[]> Json = [];
        public readonly List<bool> Known = [];
        public readonly List<long> StreamRooms = [], StreamNids = [], PastRooms = [], PastNids = [];
        public readonly List<string?> ReadRoots = [];
        // what senders have read
        public readonly List<long> ReadRooms = [], ReadPlaces = [];
        public readonly List<string?> Readers = [], ReadThreads = [];
        public readonly List<long> ChildRooms = [], ChildNids = [], FullNids = [], FullRooms = [];
        public readonly List<string?> MissingIds = [], FullIds = [];
        public readonly List<long> MoveEvents = [], MoveKeys = [], MovesBefore = [], MovesNow = [];
        public readonly List<long> GoneMemberRooms = [];
        public readonly List<string?> GoneMemberUsers = [];
        // transactions
        public readonly List<string?> TxnUsers = [], TxnDevices = [], TxnIds = [], TxnEvents = [], TxnRooms = [];
        public readonly List<long> TxnCreated = [];
        // state
        public readonly List<long> SnapshotNids = [], SnapshotRooms = [], Chains = [];
        public readonly List<int> Numbers = [];
        public readonly List<byte[]> Deltas = [];
        public readonly List<long> StateRooms = [], StateKeyNids = [], StateEvents = [];
        public readonly List<long> GoneRooms = [], GoneNids = [], TipRooms = [], TipNids = [];
        // members
        public readonly List<long> MemberRooms = [], MemberEvents = [], MemberPlaces = [];
        public readonly List<string?> MemberUsers = [], Memberships = [], MemberSenders = [];
        // redactions
        public readonly List<long> RedactedNids = [], RedactedRooms = [];
        public readonly List<byte[]> RedactedJson = [];
        public readonly List<string?> RedactedIds = [], RedactedBy = [];
        // relations
        public readonly List<long> RelatingNids = [], RelatingRooms = [];
        public readonly List<string?> Parents = [], RelationTypes = [], RelatingTypes = [], RelatingSenders = [], RelationKeys = [];
        public readonly List<bool> CanReplace = [];
        // aliases
        public readonly List<string?> Aliases = [], AliasRooms = [], AliasCreators = [];
        public readonly List<long> AliasCreated = [];

        private readonly System.Collections.IList[] all;

        public Columns() => all =
        [
            RoomNids, Heads, Counts, RoomSnapshots, NewRoomNids, NewCreated, NewRoomIds, NewVersions, NewPublic, Nids, Rooms, Depths, Timestamps,
            Received, Ids, Types, Senders, Prev, Auth, Redacts, StateKeys, Snapshots, Replaces, Flags, Json, TxnUsers, TxnDevices, TxnIds, TxnEvents,
            TxnRooms, TxnCreated, SnapshotNids, SnapshotRooms, Chains, Numbers, Deltas, StateRooms, StateKeyNids, StateEvents, GoneRooms, GoneNids,
            TipRooms, TipNids, MemberRooms, MemberEvents, MemberPlaces, MemberUsers, Memberships, MemberSenders, RedactedNids, RedactedRooms,
            RedactedJson, RedactedIds, RedactedBy, RelatingNids, RelatingRooms, Parents, RelationTypes, RelatingTypes, RelatingSenders, RelationKeys,
            CanReplace, Aliases, AliasRooms, AliasCreators, AliasCreated, Known, StreamRooms, StreamNids, PastRooms, PastNids, ChildRooms, ChildNids,
            FullNids, FullRooms, MissingIds, FullIds, MoveEvents, MoveKeys, MovesBefore, MovesNow, GoneMemberRooms, GoneMemberUsers,
            ReadRoots, ReadRooms, ReadPlaces, Readers, ReadThreads,
        ];

        /// <summary>Some of the events were outliers: their rows are there.</summary>
        public bool AnyKnown => Known.Contains(true);

        public void Clear()
        {
            foreach (var list in all) list.Clear();
        }

        public void Add(RoomCommit room)
        {
            RoomNids.Add(room.RoomNid);
            Heads.Add(room.ExpectedHead);
            Counts.Add(room.Events.Count);
            RoomSnapshots.Add(room.CurrentSnapshot);
            if (room.NewRoom is { } created) AddNew(room, created);
            var first = StreamNids.Count;
            foreach (var e in room.Events) AddEvent(room, e);
            foreach (var s in room.Snapshots)
            {
                SnapshotNids.Add(s.SnapshotNid);
                SnapshotRooms.Add(s.RoomNid);
                Chains.Add(s.Chain);
                Numbers.Add(s.Number);
                Deltas.Add(s.Delta);
            }
            foreach (var (key, nid) in room.StateChanges)
            {
                StateRooms.Add(room.RoomNid);
                StateKeyNids.Add(key);
                StateEvents.Add(nid);
            }
            foreach (var nid in room.ExtremitiesGone) { GoneRooms.Add(room.RoomNid); GoneNids.Add(nid); }
            foreach (var nid in room.ExtremitiesNew) { TipRooms.Add(room.RoomNid); TipNids.Add(nid); }
            foreach (var m in room.Memberships)
            {
                MemberRooms.Add(room.RoomNid);
                MemberUsers.Add(m.UserId);
                Memberships.Add(m.Membership);
                MemberEvents.Add(m.EventNid);
                MemberSenders.Add(m.Sender);
                MemberPlaces.Add(first + PlaceOf(room, m.EventIndex));
            }
            foreach (var user in room.MembershipsGone) { GoneMemberRooms.Add(room.RoomNid); GoneMemberUsers.Add(user); }
            foreach (var r in room.Redactions)
            {
                RedactedIds.Add(r.TargetId);
                RedactedBy.Add(r.RedactedBy);
                RedactedRooms.Add(room.RoomNid);
                if (r.TargetNid == 0) continue;
                RedactedNids.Add(r.TargetNid);
                RedactedJson.Add(BytesOf(r.Json));
            }
        }

        /// <summary>Place of an event among those of its room that enter the stream, from 1.</summary>
        private static int PlaceOf(RoomCommit room, int index)
        {
            var place = 0;
            for (var i = 0; i <= index; i++) if (room.Events[i].Place == EventPlace.Stream) place++;
            return place;
        }

        private void AddNew(RoomCommit room, NewRoom created)
        {
            NewRoomNids.Add(room.RoomNid);
            NewRoomIds.Add(created.RoomId);
            NewVersions.Add(created.Version);
            NewCreated.Add(room.CreatedTsMs);
            NewPublic.Add(created.IsPublic);
            if (created.Alias is null) return;
            Aliases.Add(created.Alias);
            AliasRooms.Add(created.RoomId);
            AliasCreators.Add(created.Creator);
            AliasCreated.Add(room.CreatedTsMs);
        }

        private void AddEvent(RoomCommit room, NewEvent e)
        {
            var pdu = e.Pdu;
            Nids.Add(e.EventNid);
            Ids.Add(pdu.EventId);
            Rooms.Add(room.RoomNid);
            Types.Add(pdu.Type);
            StateKeys.Add(e.StateKeyNid);
            Senders.Add(pdu.Sender);
            Depths.Add(pdu.Depth);
            Timestamps.Add(pdu.OriginServerTs);
            Received.Add(e.ReceivedTsMs);
            Flags.Add((short)e.Flags);
            Snapshots.Add(e.SnapshotNid);
            Replaces.Add(e.ReplacesNid);
            Prev.Add(NidArray(e.PrevNids));
            Auth.Add(NidArray(e.AuthNids));
            Redacts.Add(e.Redacts);
            Json.Add(BytesOf(pdu.Json));
            Known.Add(e.WasOutlier);
            if (e.Place == EventPlace.Stream)
            {
                StreamRooms.Add(room.RoomNid);
                StreamNids.Add(e.EventNid);
                ReadRoots.Add(e.ReadRoot);
                if ((e.Flags & EventFlags.Reads) != 0) AddRead(room.RoomNid, pdu.Sender, e.ReadRoot ?? ThreadWalk.Main);
            }
            else if (e.Place == EventPlace.Past) { PastRooms.Add(room.RoomNid); PastNids.Add(e.EventNid); }
            foreach (var id in e.MissingParents) { ChildRooms.Add(room.RoomNid); ChildNids.Add(e.EventNid); MissingIds.Add(id); }
            foreach (var m in e.Moves) { MoveEvents.Add(e.EventNid); MoveKeys.Add(m.StateKeyNid); MovesBefore.Add(m.BeforeNid); MovesNow.Add(m.NowNid); }
            if (e.FillsGap) { FullNids.Add(e.EventNid); FullRooms.Add(room.RoomNid); FullIds.Add(pdu.EventId); }
            AddRelation(room, e);
            if (e.TxnId is null) return;
            TxnUsers.Add(pdu.Sender);
            TxnDevices.Add(e.TxnDeviceId ?? "");
            TxnIds.Add(e.TxnId);
            TxnEvents.Add(pdu.EventId);
            TxnRooms.Add(room.RoomId);
            TxnCreated.Add(e.ReceivedTsMs);
        }

        /// <summary>Of several events of a sender in a thread the last one counts: a statement may meet a row once.</summary>
        private void AddRead(long roomNid, string sender, string thread)
        {
            var i = ReadRooms.Count - 1;
            while (i >= 0 && ReadRooms[i] == roomNid && (Readers[i] != sender || ReadThreads[i] != thread)) i--;
            if (i >= 0 && ReadRooms[i] == roomNid)
            {
                ReadPlaces[i] = StreamNids.Count;
                return;
            }
            ReadRooms.Add(roomNid);
            Readers.Add(sender);
            ReadThreads.Add(thread);
            ReadPlaces.Add(StreamNids.Count);
        }

        private void AddRelation(RoomCommit room, NewEvent e)
        {
            const EventFlags hidden = EventFlags.Outlier | EventFlags.Rejected | EventFlags.SoftFailed;
            if ((e.Flags & hidden) != 0 || EventRelation.Read(e.Pdu) is not { } relation) return;
            foreach (var r in room.Redactions) if (r.TargetNid == e.EventNid) return;
            RelatingNids.Add(e.EventNid);
            RelatingRooms.Add(room.RoomNid);
            Parents.Add(relation.ParentId);
            RelationTypes.Add(relation.RelType);
            RelatingTypes.Add(e.Pdu.Type);
            RelatingSenders.Add(e.Pdu.Sender);
            RelationKeys.Add(relation.Key);
            CanReplace.Add(EventRelation.CanReplace(e.Pdu));
        }

        /// <summary>The array itself where the memory is a whole one, which is how events are built.</summary>
        private static byte[] BytesOf(ReadOnlyMemory<byte> memory) =>
            MemoryMarshal.TryGetArray(memory, out var segment) && segment.Offset == 0 && segment.Array!.Length == segment.Count
                ? segment.Array : memory.ToArray();
    }
}
