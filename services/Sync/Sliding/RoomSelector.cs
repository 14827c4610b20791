using Matrix.Rooms;
using Matrix.Sync.Engine;
using Matrix.Sync.Rooms;
using Matrix.Sync.Users;

namespace Matrix.Sync.Sliding;

/// <summary>A room that a request asks for.</summary>
internal sealed class SelectedRoom(UserRoom own, bool isDm)
{
    private readonly List<RoomConfig> configs = [];
    private RoomConfig? config;

    public UserRoom Own { get; } = own;
    public bool IsDm { get; } = isDm;
    /// <summary>Names of the lists that it is in the range of.</summary>
    public List<string> Lists { get; } = [];
    public bool IsSubscribed { get; set; }
    /// <summary>Everything that lists and subscription want of it.</summary>
    public RoomConfig Config => config ??= RoomConfig.Union(configs);

    public void Add(RoomConfig wanted)
    {
        if (configs.Contains(wanted)) return;
        configs.Add(wanted);
        config = null;
    }
}

/// <param name="Count">Rooms that match the filters.</param>
/// <param name="Windows">The ranges, with the rooms in them.</param>
internal sealed record SelectedList(string Name, int Count, List<(int From, int To, List<string> RoomIds)> Windows);

internal sealed record Selection(List<SelectedList> Lists, Dictionary<string, SelectedRoom> Rooms);

/// <summary>
/// Finds the rooms that a request asks for: every list is the user's rooms by last activity, filtered, of which the range is taken. Under the read lock.
/// </summary>
internal sealed class RoomSelector(SyncState state)
{
    /// <summary>What has to be known first.</summary>
    internal sealed class Needs
    {
        public HashSet<UserRoom> Facts { get; } = [];
        public Dictionary<string, long> Spaces { get; } = new(StringComparer.Ordinal);
        /// <summary>Rooms of which it is not known whether the user has ever been in them.</summary>
        public HashSet<UserRoom> Stays { get; } = [];
        public bool Any => Facts.Count + Spaces.Count + Stays.Count > 0;
    }

    public Selection Select(SlidingRequest request, User user, ConnectionState sent, Needs needs)
    {
        var selected = new Dictionary<string, SelectedRoom>(StringComparer.Ordinal);
        SelectedRoom Room(UserRoom own)
        {
            if (!selected.TryGetValue(own.RoomId, out var room)) selected[own.RoomId] = room = new(own, IsDm(user, own));
            return room;
        }

        var lists = new List<SelectedList>(request.Lists.Count);
        if (request.Lists.Count > 0)
        {
            var rooms = new List<UserRoom>(user.Rooms.Count);
            foreach (var own in user.Rooms.Values) if (IsListed(user, own, sent, needs)) rooms.Add(own);
            rooms.Sort(static (a, b) =>
            {
                var order = Activity(b).CompareTo(Activity(a));
                return order != 0 ? order : StringComparer.Ordinal.Compare(a.RoomId, b.RoomId);
            });
            foreach (var list in request.Lists) lists.Add(Take(list, user, rooms, needs, Room));
        }
        foreach (var (roomId, config) in request.Subscriptions)
        {
            if (user.Find(roomId) is not { } own || !MaySubscribe(user, own, sent, needs)) continue;
            var room = Room(own);
            room.IsSubscribed = true;
            room.Add(config);
        }
        return new(lists, selected);
    }

    private SelectedList Take(SlidingList list, User user, List<UserRoom> rooms, Needs needs, Func<UserRoom, SelectedRoom> room)
    {
        var children = Children(list.Filter, user, needs);
        var windows = (list.Ranges ?? [(0, int.MaxValue)]).Select(r => (r.From, r.To, RoomIds: new List<string>())).ToList();
        var count = 0;
        foreach (var own in rooms)
        {
            if (!Matches(list.Filter, user, own, children, needs)) continue;
            var index = count++;
            foreach (var (from, to, roomIds) in windows)
            {
                if (index < from || index > to) continue;
                roomIds.Add(own.RoomId);
                var taken = room(own);
                taken.Add(list.Config);
                if (!taken.Lists.Contains(list.Name)) taken.Lists.Add(list.Name);
            }
        }
        return new(list.Name, count, windows);
    }

    private static bool IsDm(User user, UserRoom own) => user.AccountData.Direct.Contains(own.RoomId);

    /// <summary>By which lists are sorted.</summary>
    public static long Activity(UserRoom own) => own.Room is { } room ? Math.Max(room.LastEvent, own.Position) : own.Position;

    /// <summary>
    /// Rooms that the user has left by himself, has forgotten, or has never been in, are told off once if the client has them, and else are none of its
    /// business. Spec: MSC4186, lists
    /// </summary>
    private static bool IsListed(User user, UserRoom own, ConnectionState sent, Needs needs) => own.Membership switch
    {
        Membership.Join or Membership.Knock => true,
        // Of an invitation that is not told the client learns no more than that the user is out.
        Membership.Invite => user.AccountData.ShowsInviteOf(own.Sender) || (sent.Rooms.TryGetValue(own.RoomNid, out var told) && told.AsJoined),
        Membership.Leave or Membership.Ban => Stays(own, needs) || sent.Rooms.ContainsKey(own.RoomNid),
        _ => false,
    };

    /// <summary>Somebody else has put the user out of the room: lists have it as long as he has not forgotten it.</summary>
    public static bool Stays(UserRoom own) =>
        (own.Membership == Membership.Ban || (own.Membership == Membership.Leave && own.Sender != own.UserId)) && !own.Forgotten && own.WasIn == true;

    private static bool Stays(UserRoom own, Needs needs)
    {
        if ((own.Membership == Membership.Ban || own.Sender != own.UserId) && !own.Forgotten && own.WasIn is null) needs.Stays.Add(own);
        return Stays(own);
    }

    private static bool MaySubscribe(User user, UserRoom own, ConnectionState sent, Needs needs)
    {
        if (own.Membership is not (Membership.Leave or Membership.Ban)) return own.Membership != Membership.None && IsListed(user, own, sent, needs);
        if (sent.Rooms.ContainsKey(own.RoomNid)) return true;
        if (own is { Forgotten: false, WasIn: null }) needs.Stays.Add(own);
        return own is { Forgotten: false, WasIn: true };
    }

    // ---------------------------------------------------------------- filters

    private bool Matches(RoomListFilter filter, User user, UserRoom own, HashSet<string>? children, Needs needs)
    {
        if (ReferenceEquals(filter, RoomListFilter.All)) return true;
        if (filter.IsDm is { } dm && dm != IsDm(user, own)) return false;
        if (filter.IsInvited is { } invited && invited != (own.Membership == Membership.Invite)) return false;
        if (children is not null && !children.Contains(own.RoomId)) return false;
        if (filter.NotTags.Count > 0 || filter.Tags is not null)
        {
            var tags = user.AccountData.TagsOf(own.RoomId);
            if (filter.NotTags.Any(tags.Contains)) return false;
            if (filter.Tags is { } wanted && !wanted.Any(tags.Contains)) return false;
        }
        if (!filter.NeedsFacts) return true;
        if (Facts(own) is not { } facts)
        {
            needs.Facts.Add(own);
            return true;
        }
        if (filter.IsEncrypted is { } encrypted && encrypted != facts.IsEncrypted) return false;
        if (filter.NotRoomTypes.Contains(facts.Type)) return false;
        return filter.RoomTypes is not { } types || types.Contains(facts.Type);
    }

    /// <summary>Null: not known.</summary>
    private static RoomFacts? Facts(UserRoom own)
    {
        if (own.Room is not { } room) return own.Facts;
        if (room.Facts is null && room.Cache is { } cache)
            room.Facts = RoomFacts.Of(cache.Current(Events.EventTypes.Create), cache.Current(Events.EventTypes.Encryption) is not null);
        return room.Facts;
    }

    /// <summary>Rooms that the filter's spaces name; null: it has none. Spec: client-server-api/#mspacechild</summary>
    private HashSet<string>? Children(RoomListFilter filter, User user, Needs needs)
    {
        if (filter.Spaces is not { } spaces) return null;
        var children = new HashSet<string>(StringComparer.Ordinal);
        foreach (var space in spaces)
        {
            if (user.Find(space) is not { Membership: Membership.Join } own) continue;
            if (!state.Rooms.TryGetValue(space, out var room) || room.Cache is not { } cache)
            {
                needs.Spaces[space] = own.RoomNid;
                continue;
            }
            // A child without servers is none any more.
            foreach (var (key, e) in cache.State)
                if (key.Type == "m.space.child" && new Primitives.CanonicalObject(e.Content).TryGet("via"u8, out _)) children.Add(key.Key);
        }
        return children;
    }
}
