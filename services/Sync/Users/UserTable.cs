using Matrix.Replication;
using Matrix.Storage.Sync;
using Matrix.Sync.Engine;
using Matrix.Sync.Rooms;
using Matrix.Sync.Store;

namespace Matrix.Sync.Users;

/// <summary>Brings users into memory: one load a user, exact as of the streams, with the rows that came meanwhile on top.</summary>
internal sealed class UserTable(SyncState state, ISyncStore store, CatchUp catchUp, TimeProvider clock)
{
    private readonly SingleFlight loads = new();

    /// <summary>The user, loaded, pinned until <see cref="User.Unpin"/>, and the device.</summary>
    public async ValueTask<(User User, Device Device)> PinAsync(string userId, string deviceId, CancellationToken ct)
    {
        while (true)
        {
            using (state.Read())
                if (state.Users.TryGetValue(userId, out var known) && known.IsReady && known.Devices.TryGetValue(deviceId, out var device))
                    return (Pinned(known), device);
            using (state.Write())
                if (state.Users.TryGetValue(userId, out var known) && known.IsReady)
                    return (Pinned(known), known.Device(deviceId));
            await loads.RunAsync([userId], _ => LoadAsync(userId), ct);
        }
    }

    // Under the lock, so that no eviction comes between.
    private User Pinned(User user)
    {
        user.LastUsed = clock.GetTimestamp();
        user.Pin();
        return user;
    }

    private async Task LoadAsync(string userId)
    {
        var user = new User(userId) { LastUsed = clock.GetTimestamp() };
        using (state.Write())
        {
            if (state.Users.TryGetValue(userId, out var known) && known.IsReady) return;
            state.Users[userId] = user;
        }
        try
        {
            var load = await store.LoadUserAsync(userId, default);
            await catchUp.ReachAsync(Followed(load), default);
            List<(long, string)> unknown;
            using (state.Write()) unknown = Install(user, load);
            var activity = await store.ActivityAsync(unknown, default);
            using (state.Write()) SetActivity(user, activity);
        }
        catch
        {
            using (state.Write()) Drop(user);
            throw;
        }
    }

    private static IEnumerable<(StreamDefinition, long)> Followed(UserLoad load)
    {
        StreamDefinition[] streams = [Streams.Events, Streams.Receipts, Streams.AccountData, Streams.ToDevice];
        return streams.Select(s => (s, load.Positions.GetValueOrDefault(s)));
    }

    /// <summary>Rooms whose newest positions have to be asked for.</summary>
    private List<(long, string)> Install(User user, UserLoad load)
    {
        foreach (var m in load.Memberships)
            user.Rooms[m.RoomId] = new UserRoom(user.Id, m.RoomId, m.RoomNid)
            {
                Membership = MembershipNames.Parse(m.Membership), Position = m.Position, EventNid = m.EventNid, Sender = m.Sender, Forgotten = m.Forgotten,
                WasIn = MembershipNames.Parse(m.Membership) == Membership.Join ? true : null,
            };
        foreach (var r in load.OwnReceipts)
            if (user.Find(r.RoomId) is { } own) own.Read(r.Position, r.Receipt);
        foreach (var (roomId, thread, position) in load.Implied) user.Find(roomId)?.Sent.Add(thread, position);
        foreach (var d in load.AccountData) user.AccountData.Load(d.RoomId, d.Type, d.Content);
        foreach (var d in load.ToDevice)
        {
            var device = user.Device(d.DeviceId);
            (device.FirstToDevice, device.LastToDevice) = (d.First, d.Last);
        }
        // He watches rooms from now on only.
        user.Contacts.Floor = state.Position(Streams.Events);
        user.Log.Floor = load.Positions.GetValueOrDefault(Streams.Events);
        user.AccountData.Floor = load.Positions.GetValueOrDefault(Streams.AccountData);
        user.DeviceListFloor = state.Position(Streams.DeviceLists);
        user.PresenceFloor = state.Position(Streams.Presence);

        var unknown = new List<(long, string)>();
        foreach (var own in user.Rooms.Values)
        {
            user.LastEvent = Math.Max(user.LastEvent, own.Position);
            if (own.Membership != Membership.Join) continue;
            if (!state.Watch(user, own).IsActivityKnown) unknown.Add((own.RoomNid, own.RoomId));
        }
        user.IsLoaded = true;
        foreach (var row in user.Arriving!) if (row.Position > load.Positions.GetValueOrDefault(row.Stream)) row.Apply(user);
        user.Arriving = null;
        return unknown;
    }

    private void SetActivity(User user, List<RoomActivity> activity)
    {
        var byNid = activity.ToDictionary(a => a.RoomNid);
        foreach (var own in user.Rooms.Values)
        {
            if (own.Room is not { } room) continue;
            if (byNid.TryGetValue(own.RoomNid, out var newest))
            {
                room.LastEvent = Math.Max(room.LastEvent, newest.LastEvent);
                room.LastReceipt = Math.Max(room.LastReceipt, newest.LastReceipt);
                room.IsActivityKnown = true;
            }
            user.LastEvent = Math.Max(user.LastEvent, room.LastEvent);
            user.LastReceipt = Math.Max(user.LastReceipt, room.LastReceipt);
        }
        user.IsReady = true;
    }

    /// <summary>Forgets a user who could not be loaded, or was not used for long. Under the write lock.</summary>
    public void Drop(User user)
    {
        foreach (var own in user.Rooms.Values) state.Unwatch(user, own);
        if (state.Users.TryGetValue(user.Id, out var known) && known == user) state.Users.Remove(user.Id);
    }
}
