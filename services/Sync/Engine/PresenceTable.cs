using Matrix.Storage.Ephemeral;

namespace Matrix.Sync.Engine;

/// <summary>The last presence of every user that was heard of since this process started.</summary>
internal sealed class PresenceTable
{
    private readonly Dictionary<string, (long Position, PresenceRow Row)> users = new(StringComparer.Ordinal);

    public void Apply(long position, string userId, PresenceRow row) => users[userId] = (position, row);
    public PresenceRow? Of(string userId) => users.TryGetValue(userId, out var known) ? known.Row : null;
    public IEnumerable<KeyValuePair<string, (long Position, PresenceRow Row)>> All => users;
    public bool Any => users.Count > 0;
    public void Reset() => users.Clear();
}

/// <summary>
/// Rooms that users are joined to, local or not, loaded or not: who has to hear of a user's devices and presence. Asked for by user; kept until the
/// user's memberships change.
/// </summary>
internal sealed class JoinedRoomsIndex
{
    private const int Max = 20_000;
    private readonly Dictionary<string, string[]> rooms = new(StringComparer.Ordinal);
    private readonly HashSet<string> loading = new(StringComparer.Ordinal);

    public string[]? Of(string userId) => rooms.GetValueOrDefault(userId);

    public void BeginLoad(IEnumerable<string> userIds) => loading.UnionWith(userIds);

    /// <summary>Not kept when the user's memberships changed while they were read.</summary>
    public void EndLoad(string userId, string[] roomIds)
    {
        if (!loading.Remove(userId)) return;
        if (rooms.Count >= Max) rooms.Clear();
        rooms[userId] = roomIds;
    }

    public void Forget(string userId)
    {
        rooms.Remove(userId);
        loading.Remove(userId);
    }
}
