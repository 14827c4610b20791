using Matrix.Events;
using Matrix.Rooms;
using Matrix.ServiceDefaults;
using Matrix.Storage.Ephemeral;
using Matrix.Storage.Sync;
using Matrix.Sync.Engine;
using Matrix.Sync.Rooms;
using Matrix.Sync.Store;
using Matrix.Sync.Unread;
using Matrix.Sync.Users;

namespace Matrix.Sync.Answers;

/// <summary>
/// Plans the joined rooms of an answer, some at a time: under the read lock what is in memory; what is not is loaded in between, for all of them at
/// once. In the steady state nothing is loaded.
/// </summary>
internal sealed partial class RoomStage(
    SyncState state, RoomCacheLoader loader, ISyncStore store, MessageLifetimes lifetimes, HomeserverConfig config, TimeProvider clock, ILogger<RoomStage> log)
{
    /// <summary>Rooms that are planned without letting go of the lock.</summary>
    private const int RoomsPerTurn = 64;
    private const int MaxTurns = 8, ExtendBy = 200, MaxWindow = 1000;
    private const int RoomsPerEvaluation = 16;
    private const int MaxOfflineTold = 50;
    private static readonly PresenceRow Offline = new("offline", null, 0, false);

    private sealed class Needs
    {
        public List<(string Id, long Nid)> Rooms { get; } = [];
        public List<(Room Room, RoomCache Cache)> Shallow { get; } = [];
        public List<(string RoomId, long Nid)> Members { get; } = [];
        public List<(Room Room, long Floor, List<string> EventIds)> Related { get; } = [];
        public List<(UserRoom Own, long From, long UpTo)> Unread { get; } = [];
    }

    public async Task RunAsync(AnswerPlan plan, Reader reader, OlderChanges older, CancellationToken ct)
    {
        var isLong = plan.Waiting.Count > RoomsPerTurn;
        foreach (var chunk in plan.Waiting.Chunk(RoomsPerTurn))
        {
            // Thousands of rooms take as long as hundreds of short answers, which shall not wait for the thread.
            if (isLong) await Task.Yield();
            var waiting = chunk.ToList();
            for (var turn = 0; waiting.Count > 0; turn++)
            {
                var needs = new Needs();
                using (state.Read()) waiting.RemoveAll(room => TryPlan(plan, reader, older, room, needs, turn));
                if (waiting.Count == 0) break;
                if (turn == MaxTurns)
                {
                    foreach (var room in waiting) LogUnavailable(log, room.Own.RoomId);
                    break;
                }
                await FetchAsync(plan, needs, reader, ct);
            }
        }
        plan.Waiting = [];
    }

    private async Task FetchAsync(AnswerPlan plan, Needs needs, Reader reader, CancellationToken ct)
    {
        if (needs.Rooms.Count > 0) await loader.LoadAsync(needs.Rooms, reader.Request.TimelineLimit, ct);
        if (needs.Shallow.Count > 0) await loader.ExtendAsync(needs.Shallow, ExtendBy, ct);
        if (needs.Related.Count > 0) await FetchRelatedAsync(plan, needs.Related, reader, ct);
        if (needs.Members.Count > 0) await FetchMembersAsync(needs.Members, ct);
        if (plan.Threads.IsAsking) await plan.Threads.AskAsync(store, ct);
        foreach (var chunk in needs.Unread.Chunk(RoomsPerEvaluation)) await EvaluateOlderAsync(plan, reader, chunk, ct);
    }

    private async Task FetchRelatedAsync(
        AnswerPlan plan, List<(Room Room, long Floor, List<string> EventIds)> windows, Reader reader, CancellationToken ct)
    {
        var related = await store.RelatedAsync(
            [.. windows.SelectMany(w => w.EventIds.Select(id => (w.Room.Nid, id)))], reader.Request.Filter.Room.Timeline, plan.Now.Events, ct);
        foreach (var (room, floor, ids) in windows) plan.RelatedBy[(room.Id, floor)] = ids.Where(related.Contains).ToHashSet(StringComparer.Ordinal);
    }

    private async Task FetchMembersAsync(List<(string RoomId, long Nid)> members, CancellationToken ct)
    {
        var events = (await store.EventsByNidsAsync([.. members.Select(m => m.Nid)], ct)).ToDictionary(e => e.EventNid, e => CachedEvent.Of(e));
        using (state.Write())
            foreach (var (roomId, nid) in members)
                if (events.TryGetValue(nid, out var e) && state.Rooms.TryGetValue(roomId, out var room)) room.Cache?.Keep(e);
    }

    /// <summary>Events older than the window that the user has not read: evaluated once, never kept.</summary>
    private async Task EvaluateOlderAsync(
        AnswerPlan plan, Reader reader, IReadOnlyCollection<(UserRoom Own, long From, long UpTo)> unread, CancellationToken ct)
    {
        const int Most = 1000;
        var older = await store.TimelinesAsync([.. unread.Select(u => new TimelineRange(u.Own.RoomNid, u.From, u.UpTo))], Most, ct);
        var events = unread.ToDictionary(u => u.Own, u => (older.GetValueOrDefault(u.Own.RoomNid)?.Events ?? []).ConvertAll(e => CachedEvent.Of(e)));
        for (var asked = 0; ; asked++)
        {
            var isDone = true;
            using (state.Read())
                foreach (var (own, _, upTo) in unread)
                {
                    if (!state.Rooms.TryGetValue(own.RoomId, out var room) || room.Cache is not { } cache) continue;
                    if (TryDisplayName(cache, reader.User.Id, out var name, out _))
                        isDone &= own.Unread.TryEvaluate(
                            events[own], room, cache, reader.User, name, UnreadBasis.Of(reader.User, cache), upTo, plan.Threads, asked < ThreadWalk.MaxHops);
                }
            if (isDone) return;
            await plan.Threads.AskAsync(store, ct);
        }
    }

    // ---------------------------------------------------------------- under the read lock

    /// <summary>True: the room is done. False: it waits for what it added to <paramref name="needs"/>.</summary>
    private bool TryPlan(AnswerPlan plan, Reader reader, OlderChanges older, JoinedRoom joined, Needs needs, int turn)
    {
        var own = joined.Own;
        if (!state.Rooms.TryGetValue(own.RoomId, out var room) || room.Cache is not { } cache)
        {
            needs.Rooms.Add((own.RoomId, own.RoomNid));
            return false;
        }
        cache.LastUsed = clock.GetTimestamp();
        var wanted = reader.For(joined.As);
        if (!TryRelatedBy(plan, wanted, joined, room, cache, needs, out var relatedBy)) return false;
        var part = new RoomPlan(room.Id, wanted.Request)
        {
            RoomNid = room.Nid, MustTell = joined.IsNew || reader.Request.IsInitial || wanted.Request.IsSliding || joined.IsRecounted || HasRead(reader, own), RelatedBy = relatedBy,
            OldestTsMs = lifetimes.OldestTsMs(cache, plan.NowMs),
        };
        var planner = new RoomPlanner(cache, wanted, part, Membership.Join, joined.Known, plan.Now.Events, joined.IsFull);
        var mayExtend = turn < MaxTurns - 2 && cache.Window.Count < MaxWindow;
        if (planner.Run(mayExtend) == RoomPlanner.Outcome.TooShallow)
        {
            needs.Shallow.Add((room, cache));
            return false;
        }
        if (wanted.Request.CountsUnread && !TryCountUnread(plan, wanted, own, room, cache, part, needs, mayAsk: turn < MaxTurns - 2)) return false;

        if (part.Gap is { } gap) part.Gap = gap with { RoomNid = room.Nid };
        plan.Joined.Add(part);
        if (joined.IsNew && !wanted.Request.IsSliding) part.Limited = true;     // Synapse: what the client may have of an earlier stay does not join this
        if (part.Limited) part.Parents.AddRange(part.Timeline.Where(cache.IsRelated));
        if (wanted.Request.IsSliding)
        {
            planner.PlanProfile();
            return true;
        }
        if (joined.IsNew)
            foreach (var (userId, member) in cache.Members) if (member.Membership == Membership.Join && userId != reader.User.Id) part.NewMembers.Add(userId);
        PlanEphemeral(plan, reader, room, joined, part);
        AnswerPlanner.AddRoomAccountData(reader, part, isWhole: joined.Known == long.MinValue, older);
        PlanContacts(plan, reader, part);
        return true;
    }

    /// <summary>His counts go down, also where his filter hides receipts.</summary>
    private static bool HasRead(Reader reader, UserRoom own) => reader.Request.Since is { } since && own.LastReceipt > since.Receipts;

    /// <summary>False: whether others relate to the window's events has to be asked for.</summary>
    private static bool TryRelatedBy(
        AnswerPlan plan, Reader reader, JoinedRoom joined, Room room, RoomCache cache, Needs needs, out HashSet<string>? related)
    {
        related = null;
        var filter = reader.Request.Filter.Room.Timeline;
        if (!filter.AsksForRelated || plan.RelatedBy.TryGetValue((room.Id, cache.Floor), out related)) return true;
        needs.Related.Add((room, cache.Floor, [.. Between(cache, cache.LastAt(joined.Known) + 1, plan.Now.Events).Where(e => filter.Matches(e.View)).Select(e => e.EventId)]));
        return false;
    }

    private static bool TryCountUnread(
        AnswerPlan plan, Reader reader, UserRoom own, Room room, RoomCache cache, RoomPlan part, Needs needs, bool mayAsk)
    {
        var basis = UnreadBasis.Of(reader.User, cache);
        var from = own.Unread.Start(own, basis);
        var first = cache.LastAt(from) + 1;
        if (from < cache.Floor || first < cache.Window.Count)
        {
            if (!TryDisplayName(cache, reader.User.Id, out var name, out var memberNid))
            {
                needs.Members.Add((own.RoomId, memberNid));
                return false;
            }
            if (from < cache.Floor)
            {
                needs.Unread.Add((own, from, cache.Floor));
                return false;
            }
            var events = Between(cache, first, plan.Now.Events);
            if (!own.Unread.TryEvaluate(events, room, cache, reader.User, name, basis, plan.Now.Events, plan.Threads, mayAsk)) return false;
        }
        part.Unread = own.Unread.Count(own, reader.Request.ThreadCounts, part.OldestTsMs);
        part.MustTell |= reader.Request.Since is { } since && part.Unread.ReadBySending > since.Events;
        return true;
    }

    private static IEnumerable<CachedEvent> Between(RoomCache cache, int first, long upTo)
    {
        for (var i = first; i < cache.Window.Count && cache.Window[i].Event.Position <= upTo; i++) yield return cache.Window[i].Event;
    }

    /// <summary>False: the member event has to be loaded.</summary>
    private static bool TryDisplayName(RoomCache cache, string userId, out string? name, out long missing)
    {
        (name, missing) = (null, 0);
        if (!cache.Members.TryGetValue(userId, out var member)) return true;
        missing = member.Nid;
        if (member.Event is null) return false;
        name = StateContent.String(member.Event.Content, "displayname"u8);
        return true;
    }

    private static void PlanEphemeral(AnswerPlan plan, Reader reader, Room room, JoinedRoom joined, RoomPlan part)
    {
        var filter = reader.Request.Filter.Room.Ephemeral;
        var since = reader.Request.Since is { } token ? token.WithResets(plan.Now) : default;
        var isWhole = joined.Known == long.MinValue;
        if (filter.Matches("m.receipt", null, room.Id))
        {
            if (isWhole) plan.ReceiptsWhole[room.Id] = part;
            else if (room.LastReceipt > since.Receipts)
            {
                if (room.Receipts.Floor > since.Receipts) plan.ReceiptsSince[room.Id] = part;
                else part.Receipts.AddRange(room.Receipts.Between(since.Receipts, plan.Now.Receipts).Where(r => r.IsFor(reader.User.Id)));
            }
        }
        if (!filter.Matches("m.typing", null, room.Id)) return;
        // Who comes back may remember somebody typing who does so no longer.
        if ((isWhole && room.TypingNow(plan.NowMs).Any()) || (!reader.Request.IsInitial && AnswerPlanner.TypingChanged(room, since, plan.NowMs)))
            part.Typing = [.. room.TypingNow(plan.NowMs).Where(user => !reader.User.AccountData.Ignored.Contains(user))];
    }

    /// <summary>Devices and presence of those who newly share a room with the reader.</summary>
    private void PlanContacts(AnswerPlan plan, Reader reader, RoomPlan part)
    {
        if (reader.Request.IsInitial) return;
        plan.Devices.Changed.UnionWith(part.NewMembers);
        plan.Devices.Left.UnionWith(part.GoneMembers);
        if (!config.EnablePresence) return;
        // Synapse: that somebody is offline is told as well. Here where they are few: elsewhere it goes without saying.
        var isOfflineTold = part.NewMembers.Count <= MaxOfflineTold;
        foreach (var userId in part.NewMembers)
        {
            var row = state.Presence.Of(userId) ?? Offline;
            if ((row.Presence != "offline" || isOfflineTold) && reader.Request.Filter.Presence.Matches("m.presence", userId)
                && !plan.Presence.Exists(p => p.UserId == userId))
                plan.Presence.Add((userId, row));
        }
    }

    [LoggerMessage(1, LogLevel.Error, "Room {RoomId} could not be read and is missing from an answer")]
    private static partial void LogUnavailable(ILogger log, string roomId);
}
