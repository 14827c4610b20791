using Matrix.Storage.Sync;
using Matrix.Sync.Engine;
using Matrix.Sync.Rooms;
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
    /// <summary>Positions by room nid.</summary>
    private readonly Dictionary<long, long> entered = [], left = [];
    private readonly List<long> asked = [];
    /// <summary>Rooms of the reader, where memory does not say who came and went; null: it does.</summary>
    private HashSet<long>? followed;

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

    /// <summary>The reader's own turns in a room since the position that his client has.</summary>
    /// <param name="asks">False: if he has joined it, its members are told here by who plans the room.</param>
    public void AddOwn(UserRoom own, IEnumerable<MembershipTurn> turns, bool asks)
    {
        foreach (var turn in turns)
        {
            if (turn.Before != Membership.Join && turn.After == Membership.Join) entered[own.RoomNid] = turn.Position;
            // If only for a while: who has left it meanwhile he has not been told.
            else if (turn.Before == Membership.Join && turn.After != Membership.Join) left[own.RoomNid] = turn.Position;
        }
        // All who are in it share a room with him.
        if (asks && own.Membership == Membership.Join && entered.ContainsKey(own.RoomNid)) asked.Add(own.RoomNid);
    }

    /// <summary>Others who have come into rooms of the reader, or left them.</summary>
    public void AddContacts(User user, long since)
    {
        foreach (var (userId, isJoined) in user.Contacts.After(since)) (isJoined ? Changed : Left).Add(userId);
        if (user.Contacts.Floor > since) followed = [.. user.Rooms.Values.Where(own => own.Membership == Membership.Join).Select(own => own.RoomNid)];
    }

    /// <param name="upTo">Position of the answer in stream events.</param>
    public async Task FillAsync(Reader reader, long upTo, ISyncStore store, CancellationToken ct)
    {
        var (self, since) = (reader.User.Id, reader.Request.Since?.Events ?? 0);
        var members = asked.Count + left.Count > 0 ? await store.JoinedMembersAsync([.. asked.Union(left.Keys)], ct) : [];
        foreach (var room in members.Values) room.Remove(self);
        foreach (var room in asked) Changed.UnionWith(members.GetValueOrDefault(room) ?? []);
        // Of the rooms that he left the members are those of now: who has gone since the moment of this answer was there.
        if (left.Count > 0 || followed is not null)
            AddTurns(await store.MemberTurnsAsync([.. left.Keys.Union(followed ?? [])], since, left.Count > 0 ? long.MaxValue : upTo, ct), members, self, upTo);
        Left.Remove(self);
        if (Left.Count + doubtful.Count == 0) return;
        // Who left a room may share another one.
        var sharing = await store.SharingAsync(self, [.. Left.Union(doubtful)], ct);
        Left.ExceptWith(sharing);
        doubtful.IntersectWith(sharing);
        Changed.UnionWith(doubtful);
        Changed.ExceptWith(Left);
    }

    private void AddTurns(List<MemberTurn> turns, Dictionary<long, List<string>> members, string self, long upTo)
    {
        var seen = new HashSet<(long, string)>();
        foreach (var (room, position, user, isJoined) in turns)
        {
            if (user == self) continue;
            if (position <= upTo && followed?.Contains(room) == true && position > entered.GetValueOrDefault(room)) (isJoined ? Changed : Left).Add(user);
            // Whom he shared the room with before he left it: not who came when he was gone.
            if (left.TryGetValue(room, out var gone) && (isJoined ? position <= gone : !seen.Contains((room, user)))) Left.Add(user);
            seen.Add((room, user));
        }
        foreach (var room in left.Keys) Left.UnionWith((members.GetValueOrDefault(room) ?? []).Where(user => !seen.Contains((room, user))));
    }
}
