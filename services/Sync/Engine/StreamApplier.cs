using Matrix.Events;
using Matrix.Replication;
using Matrix.Rooms;
using Matrix.Storage.Ephemeral;
using Matrix.Storage.Events;
using Matrix.Storage.Streams;
using Matrix.Sync.Rooms;
using Matrix.Sync.Sliding;
using Matrix.Sync.Users;

namespace Matrix.Sync.Engine;

/// <summary>
/// Brings what is held in memory up to a stream's rows and wakes whom they concern. Rows are decoded before the lock is taken; a wake-up comes after
/// the positions have moved.
/// </summary>
internal sealed class StreamApplier(SyncState state, ContactNews contacts, TypingClock typing, TimeProvider clock) : IStreamConsumer
{
    private const EventFlags Hidden = EventFlags.Rejected | EventFlags.SoftFailed;

    public IReadOnlyCollection<StreamDefinition> Streams { get; } =
    [
        Replication.Streams.Events, Replication.Streams.Receipts, Replication.Streams.AccountData, Replication.Streams.ToDevice,
        Replication.Streams.DeviceLists, Replication.Streams.Presence, Replication.Streams.Typing,
    ];

    public ValueTask OnRowsAsync(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> rows)
    {
        var woken = new HashSet<User>();
        if (stream == Replication.Streams.Events) ApplyEvents(to, rows, woken);
        else if (stream == Replication.Streams.Receipts) ApplyReceipts(to, rows, woken);
        else if (stream == Replication.Streams.Typing) ApplyTyping(from, to, rows, woken);
        else if (stream == Replication.Streams.DeviceLists || stream == Replication.Streams.Presence)
        {
            if (stream == Replication.Streams.DeviceLists) VoidKeyCounts(rows);
            contacts.Enqueue(stream, from, to, rows);
        }
        else ApplyUserRows(stream, to, rows, woken);
        foreach (var user in woken) user.Signal.Wake();
        return ValueTask.CompletedTask;
    }

    // ---------------------------------------------------------------- events

    private void ApplyEvents(long to, IReadOnlyList<StreamRow> rows, HashSet<User> woken)
    {
        var decoded = new EventRow[rows.Count];
        var cached = new CachedEvent?[rows.Count];
        for (var i = 0; i < rows.Count; i++) decoded[i] = EventRow.Decode(rows[i]);
        var wanted = new bool[rows.Count];
        using (state.Read())
            for (var i = 0; i < rows.Count; i++)
                wanted[i] = state.Rooms.TryGetValue(decoded[i].RoomId, out var room) && (room.Cache is not null || room.Arriving is not null);
        for (var i = 0; i < rows.Count; i++) if (wanted[i]) cached[i] = ToCached(decoded[i]);

        using (state.Write())
        {
            for (var i = 0; i < rows.Count; i++) Apply(decoded[i], cached[i], woken);
            state.SetPosition(Replication.Streams.Events, to);
        }
    }

    /// <summary>Null: nothing that a timeline shows, or of a room version that this release does not know.</summary>
    private static CachedEvent? ToCached(EventRow row)
    {
        if ((row.Flags & (Hidden | EventFlags.Outlier)) != 0 || RoomVersions.Find(row.RoomVersion) is not { } version) return null;
        return CachedEvent.Of(StoredEvent.FromRow(row, version));
    }

    private void Apply(EventRow row, CachedEvent? e, HashSet<User> woken)
    {
        if ((row.Flags & Hidden) != 0) return;
        var isOutlier = (row.Flags & EventFlags.Outlier) != 0;
        if (row.Type == EventTypes.Member && row.StateKey is { } who && (row.IsCurrentState || isOutlier)) ApplyMembership(row, who, woken);
        foreach (var move in row.Moves) if (move.Type == EventTypes.Member) ApplyMembership(row, move, woken);
        if (row.Type == EventTypes.Member && row.IsCurrentState && row.StateKey is { } member && state.Typing.Find(row.RoomId) is { } typists
            && typists.Knows(member) && ToMembership(row) != Memberships.Join)
            typists.Leave(member, row.Position);
        if (state.Users.TryGetValue(row.Sender, out var sender))
        {
            sender.LastActiveMs = Math.Max(sender.LastActiveMs, row.ReceivedTsMs);
            if (row.Reads is { } thread) Read(sender, row.RoomId, thread, row.Position);
        }
        if (isOutlier || !state.Rooms.TryGetValue(row.RoomId, out var room)) return;

        room.LastEvent = row.Position;
        if (room.Bump is not null && BumpTypes.Contains(row.Type)) room.Bump = row.Position;
        if (row.Type is EventTypes.Create or EventTypes.Encryption || (row.Flags & EventFlags.StateMoved) != 0) room.Facts = null;
        if (room.Arriving is not null || room.Cache is not null)
        {
            // The room came into memory after the rows were looked at.
            e ??= ToCached(row);
            var isKnown = e is not null && (row.Flags & EventFlags.StateMoved) == 0;
            if (room.Arriving is { } arriving) arriving.Add(new ArrivingEvent(row.Position, isKnown ? e : null, row.IsCurrentState));
            if (room.Cache is { } cache && (!isKnown || !cache.Append(e!, row.IsCurrentState))) room.Cache = null;
        }
        room.WakePeekers();
        if (row.Type == EventTypes.Member && row.StateKey is { } contact && row.IsCurrentState && IsTurn(row)) NoteContact(row, room, contact, ToMembership(row));
        foreach (var move in row.Moves) if (move.Type == EventTypes.Member) NoteContact(row, room, move.StateKey, move.Membership);
        foreach (var watcher in room.Watchers)
        {
            watcher.LastEvent = row.Position;
            woken.Add(watcher);
        }
    }

    /// <summary>Apart, so that rows of others cost no closure.</summary>
    private static void Read(User sender, string roomId, string thread, long position) =>
        ForUser(sender, position, Replication.Streams.Events, u => u.Find(roomId)?.Sent.Add(thread, position));

    private void ApplyMembership(EventRow row, string who, HashSet<User> woken)
    {
        state.JoinedRooms.Forget(who);
        if (!state.Users.TryGetValue(who, out var user)) return;
        var membership = MembershipNames.Parse(ToMembership(row));
        ForUser(user, row.Position, Replication.Streams.Events, u => Join(u, row, membership, row.EventNid, row.Sender));
        woken.Add(user);
    }

    /// <summary>Somebody came or left: who is only invited, or changes his name, shares the room as before.</summary>
    private static bool IsTurn(EventRow row) =>
        (ToMembership(row) == Memberships.Join) != (!row.PrevContent.IsEmpty && StateContent.String(row.PrevContent.Span, "membership"u8) == Memberships.Join);

    private static void NoteContact(EventRow row, Room room, string who, string? membership)
    {
        foreach (var watcher in room.Watchers)
            if (watcher.Id != who) watcher.Contacts.Add(row.Position, who, membership == Memberships.Join);
    }

    /// <summary>Forks were resolved: the user's membership is another one from this event on, by an older event of his own, or by none.</summary>
    private void ApplyMembership(EventRow row, StateMove move, HashSet<User> woken)
    {
        state.JoinedRooms.Forget(move.StateKey);
        if (!state.Users.TryGetValue(move.StateKey, out var user)) return;
        var membership = MembershipNames.Parse(move.Membership ?? Memberships.Leave);
        ForUser(user, row.Position, Replication.Streams.Events, u => Join(u, row, membership, move.NowNid, move.Sender ?? row.Sender));
        woken.Add(user);
    }

    private static string? ToMembership(EventRow row) =>
        RoomVersions.Find(row.RoomVersion) is { } version ? Pdu.ReadTrusted(row.Json, version, row.EventId).Membership : null;

    private void Join(User user, EventRow row, Membership membership, long eventNid, string sender)
    {
        if (!user.Rooms.TryGetValue(row.RoomId, out var own)) user.Rooms[row.RoomId] = own = new UserRoom(user.Id, row.RoomId, row.RoomNid) { WasIn = false };
        user.Log.Add(new MembershipTurn(row.Position, row.RoomId, own.Membership, membership));
        if (membership == Membership.Join || own.Membership == Membership.Join) own.WasIn = true;
        own.Membership = membership;
        own.Position = row.Position;
        own.EventNid = eventNid;
        own.Sender = sender;
        own.Forgotten = false;
        own.Facts = null;
        if (membership == Membership.Join) state.Watch(user, own);
        else state.Unwatch(user, own);
        user.LastEvent = row.Position;
    }

    /// <summary>Now, or once the user is loaded: then only what is newer than what was loaded.</summary>
    private static void ForUser(User user, long position, StreamDefinition stream, Action<User> apply)
    {
        if (user.IsLoaded) apply(user);
        else user.Arriving!.Add(new ArrivingRow(stream, position, apply));
    }

    // ---------------------------------------------------------------- receipts and typing

    private void ApplyReceipts(long to, IReadOnlyList<StreamRow> rows, HashSet<User> woken)
    {
        var decoded = new ReceiptRow[rows.Count];
        for (var i = 0; i < rows.Count; i++) decoded[i] = ReceiptRow.Decode(rows[i].Payload.Span);
        using (state.Write())
        {
            for (var i = 0; i < rows.Count; i++) Apply(rows[i].Position, rows[i].Key, decoded[i], woken);
            state.SetPosition(Replication.Streams.Receipts, to);
        }
    }

    private void Apply(long position, string roomId, ReceiptRow receipt, HashSet<User> woken)
    {
        if (state.Users.TryGetValue(receipt.UserId, out var owner))
        {
            owner.LastActiveMs = Math.Max(owner.LastActiveMs, receipt.TsMs);
            ForUser(owner, position, Replication.Streams.Receipts, u => u.Find(roomId)?.Read(position, receipt));
        }
        if (!state.Rooms.TryGetValue(roomId, out var room)) return;
        room.LastReceipt = position;
        room.Receipts.Add(position, receipt);
        room.WakePeekers();
        var isPrivate = receipt.ReceiptType == ReceiptTypes.Private;
        foreach (var watcher in room.Watchers)
        {
            if (isPrivate && watcher.Id != receipt.UserId) continue;
            watcher.LastReceipt = position;
            woken.Add(watcher);
        }
    }

    private void ApplyTyping(long from, long to, IReadOnlyList<StreamRow> rows, HashSet<User> woken)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        using (state.Write())
        {
            if (from == 0) state.Typing.Reset();
            foreach (var row in rows)
            {
                var (roomId, who) = (TypingRow.RoomOf(row.Key), TypingRow.Decode(row.Payload.Span));
                if (who.Typing && state.Users.TryGetValue(who.UserId, out var typist)) typist.LastActiveMs = now;
                state.Typing.Of(roomId).Apply(row.Position, who.UserId, who.Typing, who.ExpiresTsMs, now);
                if (!state.Rooms.TryGetValue(roomId, out var room)) continue;
                if (who.Typing) typing.Expect(room.Id, who.ExpiresTsMs);
                room.WakePeekers();
                foreach (var watcher in room.Watchers)
                {
                    watcher.LastTyping = row.Position;
                    woken.Add(watcher);
                }
            }
            state.SetPosition(Replication.Streams.Typing, to);
        }
    }

    // ---------------------------------------------------------------- streams keyed by user

    private void ApplyUserRows(StreamDefinition stream, long to, IReadOnlyList<StreamRow> rows, HashSet<User> woken)
    {
        using (state.Write())
        {
            foreach (var row in rows)
            {
                if (!state.Users.TryGetValue(row.Key, out var user)) continue;
                var (position, payload) = (row.Position, row.Payload);
                if (stream == Replication.Streams.AccountData)
                {
                    var changed = AccountDataRow.Decode(payload.Span);
                    ForUser(user, position, stream, u => u.AccountData.Changed(position, changed.RoomId, changed.Type));
                }
                else
                {
                    var changed = ToDeviceRow.Decode(payload.Span);
                    if (changed.KeysChanged)
                    {
                        // The next answer tells it: nobody is woken for it.
                        if (user.Devices.TryGetValue(changed.DeviceId, out var device)) device.Keys.Void();
                        continue;
                    }
                    ForUser(user, position, stream, u => u.Device(changed.DeviceId).Arrived(position));
                }
                woken.Add(user);
            }
            state.SetPosition(stream, to);
        }
    }

    /// <summary>A device that went took its keys along; one with the same id may be there again.</summary>
    private void VoidKeyCounts(IReadOnlyList<StreamRow> rows)
    {
        using (state.Read())
            foreach (var row in rows)
                if (state.Users.TryGetValue(row.Key, out var user))
                    foreach (var device in user.Devices.Values) device.Keys.Void();
    }
}
