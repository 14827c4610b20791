using Matrix.Sync.Engine;
using Matrix.Sync.Rooms;
using Matrix.Sync.Users;

namespace Matrix.Sync.Answers;

/// <summary>
/// Whose devices changed, of those who share a room with the reader. Streams are not applied together: that somebody left may have been told before a
/// change of his devices that came earlier, and he must not be told as changed then.
/// </summary>
internal static class DeviceChanges
{
    /// <param name="doubtful">Gets those of whom memory does not say whether they share a room: they are in <paramref name="changed"/> too, until the database was asked.</param>
    public static void Collect(SyncState state, User user, long since, HashSet<string> changed, HashSet<string> doubtful)
    {
        if (user.LastDeviceList <= since) return;
        foreach (var (userId, position) in user.DeviceListChanges)
        {
            if (position <= since) continue;
            var shares = userId == user.Id ? true : Shares(state, user, userId);
            if (shares != false) changed.Add(userId);
            if (shares is null) doubtful.Add(userId);
        }
    }

    private static bool? Shares(SyncState state, User user, string other)
    {
        if (state.Users.TryGetValue(other, out var loaded) && loaded.IsLoaded)
        {
            foreach (var room in loaded.Rooms.Values) if (room.Membership == Membership.Join && IsIn(user, room.RoomId)) return true;
            return false;
        }
        return state.JoinedRooms.Of(other) is { } rooms ? Array.Exists(rooms, room => IsIn(user, room)) : null;
    }

    private static bool IsIn(User user, string roomId) => user.Rooms.TryGetValue(roomId, out var own) && own.Membership == Membership.Join;
}
