using System.Threading.Channels;
using Matrix.Replication;
using Matrix.Storage.Ephemeral;
using Matrix.Storage.Streams;
using Matrix.Sync.Rooms;
using Matrix.Sync.Store;
using Matrix.Sync.Users;

namespace Matrix.Sync.Engine;

/// <summary>
/// Streams whose rows concern everybody who shares a room with their user: device lists and presence. Who that is may have to be asked for, so
/// these streams are applied here and not by the follower's call; their position in <see cref="SyncState"/> moves when it is done. What waits is
/// coalesced by user.
/// </summary>
internal sealed partial class ContactNews(SyncState state, ISyncStore store, TimeProvider clock, ILogger<ContactNews> log) : BackgroundService
{
    // One place: any number of arrivals is one wake-up of the worker.
    private readonly Channel<bool> arrived = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly Lock gate = new();
    private Batch pending = new();

    private sealed class Batch
    {
        public Dictionary<string, long> Devices { get; } = new(StringComparer.Ordinal);
        /// <summary>What only that user is told: about whom.</summary>
        public Dictionary<(string User, string About), long> Signed { get; } = [];
        public Dictionary<string, (long Position, PresenceRow Row)> Presence { get; } = new(StringComparer.Ordinal);
        public long? DevicesTo { get; set; }
        public long? PresenceTo { get; set; }
        public bool PresenceReset { get; set; }
        public bool IsEmpty => DevicesTo is null && PresenceTo is null;
    }

    /// <summary>Called by the follower, in order.</summary>
    public void Enqueue(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> rows)
    {
        // From now on the position is what was applied here, not what the follower has given.
        using (state.Write()) state.HoldPosition(stream, from);
        lock (gate)
        {
            if (stream == Streams.DeviceLists)
            {
                foreach (var row in rows)
                {
                    if (DeviceListRow.Decode(row.Payload.Span).About is { } about) pending.Signed[(row.Key, about)] = row.Position;
                    else pending.Devices[row.Key] = row.Position;
                }
                pending.DevicesTo = to;
            }
            else
            {
                if (from == 0) { pending.Presence.Clear(); pending.PresenceReset = true; }
                foreach (var row in rows) pending.Presence[row.Key] = (row.Position, PresenceRow.Decode(row.Payload.Span));
                pending.PresenceTo = to;
            }
        }
        arrived.Writer.TryWrite(true);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await arrived.Reader.ReadAsync(stoppingToken);
            Batch batch;
            lock (gate) (batch, pending) = (pending, new Batch());
            if (batch.IsEmpty) continue;
            while (!await TryApplyAsync(batch, stoppingToken))
                await Task.Delay(TimeSpan.FromSeconds(1), clock, stoppingToken);
        }
    }

    private async Task<bool> TryApplyAsync(Batch batch, CancellationToken ct)
    {
        Dictionary<string, string[]> rooms;
        try
        {
            rooms = await RoomsOfAsync([.. batch.Devices.Keys.Union(batch.Presence.Keys)], ct);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            LogFailed(log, e.Message);
            return false;
        }
        var woken = new HashSet<User>();
        using (state.Write())
        {
            if (batch.PresenceReset) ResetPresence();
            foreach (var (userId, position) in batch.Devices)
                foreach (var watcher in WhoSees(userId, rooms)) Tell(watcher, userId, position, woken);
            foreach (var ((userId, about), position) in batch.Signed)
                if (state.Users.TryGetValue(userId, out var signer) && signer.IsLoaded) Tell(signer, about, position, woken);
            foreach (var (userId, (position, row)) in batch.Presence)
            {
                state.Presence.Apply(position, userId, row);
                foreach (var watcher in WhoSees(userId, rooms))
                {
                    watcher.PresenceChanges[userId] = position;
                    watcher.LastPresence = Math.Max(watcher.LastPresence, position);
                    woken.Add(watcher);
                }
            }
            if (batch.DevicesTo is { } devicesTo) state.SetPosition(Streams.DeviceLists, devicesTo);
            if (batch.PresenceTo is { } presenceTo) state.SetPosition(Streams.Presence, presenceTo);
        }
        foreach (var user in woken) user.Signal.Wake();
        return true;
    }

    private static void Tell(User watcher, string about, long position, HashSet<User> woken)
    {
        watcher.DeviceListChanges[about] = Math.Max(watcher.DeviceListChanges.GetValueOrDefault(about), position);
        watcher.LastDeviceList = Math.Max(watcher.LastDeviceList, position);
        woken.Add(watcher);
    }

    private void ResetPresence()
    {
        state.Presence.Reset();
        foreach (var user in state.Users.Values)
        {
            user.PresenceChanges.Clear();
            user.LastPresence = 0;
        }
    }

    private HashSet<User> WhoSees(string userId, Dictionary<string, string[]> rooms)
    {
        var users = new HashSet<User>();
        if (state.Users.TryGetValue(userId, out var self) && self.IsLoaded) users.Add(self);
        foreach (var roomId in rooms.GetValueOrDefault(userId) ?? [])
            if (state.Rooms.TryGetValue(roomId, out var room))
            {
                room.WakePeekers();
                foreach (var watcher in room.Watchers) users.Add(watcher);
            }
        return users;
    }

    private async Task<Dictionary<string, string[]>> RoomsOfAsync(string[] userIds, CancellationToken ct)
    {
        var rooms = new Dictionary<string, string[]>(StringComparer.Ordinal);
        var unknown = new List<string>();
        using (state.Write())
        {
            foreach (var id in userIds)
            {
                if (state.Users.TryGetValue(id, out var user) && user.IsLoaded)
                    rooms[id] = [.. user.Rooms.Values.Where(r => r.Membership == Membership.Join).Select(r => r.RoomId)];
                else if (state.JoinedRooms.Of(id) is { } known) rooms[id] = known;
                else unknown.Add(id);
            }
            state.JoinedRooms.BeginLoad(unknown);
        }
        if (unknown.Count == 0) return rooms;
        var loaded = (await store.JoinedRoomsAsync(unknown, ct)).ToLookup(p => p.UserId, p => p.RoomId);
        using (state.Write())
        {
            foreach (var id in unknown)
            {
                rooms[id] = [.. loaded[id]];
                state.JoinedRooms.EndLoad(id, rooms[id]);
            }
        }
        return rooms;
    }

    [LoggerMessage(1, LogLevel.Warning, "Device lists and presence wait for the database: {Reason}")]
    private static partial void LogFailed(ILogger log, string reason);
}
