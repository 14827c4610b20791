using Matrix.Sync.Engine;
using Matrix.Sync.Store;
using Matrix.Sync.Users;

namespace Matrix.Sync.Answers;

/// <summary>
/// Whose devices a reader has to hear of: who shares a room with him and has changed them, who came to share one, and who shares none any more. That is about
/// all rooms that he is in, whatever filters or lists show of them. What memory knows is found under the read lock, the rest is asked for afterwards.
/// </summary>
internal sealed class DeviceNews
{
    /// <summary>Their devices changed; memory does not say whether they share a room.</summary>
    private readonly HashSet<string> doubtful = new(StringComparer.Ordinal);
    private readonly List<long> entered = [], left = [];
    private bool asksMembers;

    public HashSet<string> Changed { get; } = new(StringComparer.Ordinal);
    public HashSet<string> Left { get; } = new(StringComparer.Ordinal);
    public bool HasNews => Changed.Count + Left.Count > 0;

    /// <summary>
    /// Devices that changed. Streams are not applied together: that somebody left may have been told before a change of his devices that came earlier, and he
    /// must not be told as changed then.
    /// </summary>
    public void AddChanges(SyncState state, User user, long since, OlderChanges older)
    {
        foreach (var userId in older.DeviceLists ?? []) if (state.SharesRoom(user, userId) != false) Changed.Add(userId);
        if (user.LastDeviceList <= since) return;
        foreach (var (userId, position) in user.DeviceListChanges)
        {
            if (position <= since) continue;
            var shares = state.SharesRoom(user, userId);
            if (shares == true) Changed.Add(userId);
            else if (shares is null) doubtful.Add(userId);
        }
    }

    /// <summary>The reader has joined the room since: all who are in it share one with him.</summary>
    public void AddEntered(UserRoom own) => entered.Add(own.RoomNid);

    /// <summary>The reader has left the room since, if only for a while: who has left it meanwhile he has not been told.</summary>
    public void AddLeft(UserRoom own) => left.Add(own.RoomNid);

    /// <summary>Others who have come into rooms of the reader, or left them.</summary>
    public void AddContacts(User user, long since)
    {
        foreach (var (userId, isJoined) in user.Contacts.After(since)) (isJoined ? Changed : Left).Add(userId);
        asksMembers = user.Contacts.Floor > since;
    }

    /// <param name="upTo">Position of the answer in stream events.</param>
    public async Task FillAsync(Reader reader, long upTo, ISyncStore store, CancellationToken ct)
    {
        var (self, since) = (reader.User.Id, reader.Request.Since?.Events ?? 0);
        if (asksMembers)
        {
            var turned = await store.MemberTurnsAsync(self, since, upTo, ct);
            AddOthers(turned, self);
            Left.UnionWith(turned);
        }
        if (entered.Count > 0) foreach (var members in (await store.JoinedMembersAsync(entered, ct)).Values) AddOthers(members, self);
        if (left.Count > 0) Left.UnionWith(await store.MembersSinceAsync(left, since, ct));
        Left.Remove(self);
        if (Left.Count + doubtful.Count == 0) return;
        // Who left a room may share another one.
        var sharing = await store.SharingAsync(self, [.. Left.Union(doubtful)], ct);
        Left.ExceptWith(sharing);
        doubtful.IntersectWith(sharing);
        Changed.UnionWith(doubtful);
        Changed.ExceptWith(Left);
    }

    private void AddOthers(IEnumerable<string> users, string self)
    {
        foreach (var user in users) if (user != self) Changed.Add(user);
    }
}
