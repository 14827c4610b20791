using Matrix.Events;
using Matrix.Storage.Ephemeral;
using Matrix.Sync.Engine;
using Matrix.Sync.Rooms;
using Matrix.Sync.Unread;
using Matrix.Sync.Users;

namespace Matrix.Sync.Answers;

/// <summary>
/// Finds out what changed for a reader since his token. Everything here runs under the read lock of <see cref="SyncState"/>, so it sees one moment of all
/// streams, and never waits.
/// </summary>
internal sealed class AnswerPlanner(SyncState state)
{
    /// <summary>
    /// False: nothing that concerns the reader has come since, without looking any further. The usual answer to a wake-up by somebody else's news, and
    /// to a client that polls.
    /// </summary>
    public static bool MayHaveNews(Reader reader, in Positions since, long nowMs)
    {
        var user = reader.User;
        return RoomsHaveNews(user, since, nowMs) || user.LastPresence > since.Presence || user.PresenceFloor > since.Presence
            || user.LastDeviceList > since.DeviceLists || user.DeviceListFloor > since.DeviceLists
            || user.AccountData.Last > since.AccountData || user.AccountData.Floor > since.AccountData
            || reader.Device.LastToDevice > since.ToDevice;
    }

    /// <summary>The plan of the moment, with all rooms still waiting.</summary>
    public AnswerPlan Begin(Reader reader, OlderChanges older)
    {
        var request = reader.Request;
        var now = state.Now;
        if (request.Since is { } token) now = now.NotBefore(token);
        var plan = new AnswerPlan { Now = now, NowMs = state.NowMs };
        if (request.Since is { } since) BeginIncremental(plan, reader, since.WithResets(now), older);
        else BeginInitial(plan, reader);
        plan.Now = WithTyping(plan.Now, reader.User, plan.NowMs);
        plan.AskToDevice = reader.Device.LastToDevice > (request.Since?.ToDevice ?? 0) && reader.Device.FirstToDevice <= now.ToDevice;
        return plan;
    }

    /// <summary>Notes when typing users were told, if anybody types.</summary>
    public static Positions WithTyping(in Positions now, User user, long nowMs) => now with { TypingTsMs = SomebodyTypes(user) ? nowMs : null };

    private static bool SomebodyTypes(User user)
    {
        if (user.LastTyping == 0) return false;
        foreach (var own in user.Rooms.Values) if (own.Room is { Typing.IsEmpty: false }) return true;
        return false;
    }

    private void BeginInitial(AnswerPlan plan, Reader reader)
    {
        var request = reader.Request;
        foreach (var own in reader.User.Rooms.Values)
        {
            if (!request.Filter.Room.MatchesRoom(own.RoomId)) continue;
            switch (own.Membership)
            {
                case Membership.Join:
                    plan.Waiting.Add(new JoinedRoom(own, long.MinValue, IsFull: true, IsNew: false));
                    break;
                case Membership.Invite:
                    plan.Invites.Add(own);
                    break;
                case Membership.Knock:
                    plan.Knocks.Add(own);
                    break;
                case Membership.Leave or Membership.Ban when request.Filter.Room.IncludeLeave && !own.Forgotten:
                    plan.Left.Add(new LeftRoom(own, long.MinValue, wasJoined: true, isFull: true));
                    break;
            }
        }
        AddAllAccountData(plan, reader);
        PlanPresence(plan, reader, since: null);
    }

    public static void AddAllAccountData(AnswerPlan plan, Reader reader)
    {
        var global = reader.User.AccountData.Global;
        foreach (var (type, entry) in global)
            if (!entry.IsDeleted) AddAccountData(plan, reader, type, entry);
        if (!global.ContainsKey(AccountDataCache.PushRulesType)) AddDefaultPushRules(plan, reader);
    }

    private static void AddAccountData(AnswerPlan plan, Reader reader, string type, AccountDataCache.Entry entry)
    {
        if (reader.Request.Filter.AccountData.Matches(type)) plan.AccountData.Add((type, entry.Content));
    }

    private static void AddDefaultPushRules(AnswerPlan plan, Reader reader)
    {
        if (!reader.Request.Filter.AccountData.Matches(AccountDataCache.PushRulesType)) return;
        var json = new System.Buffers.ArrayBufferWriter<byte>(4096);
        PushRuleSet.Default.Write(json, reader.User.Id);
        plan.AccountData.Add((AccountDataCache.PushRulesType, json.WrittenMemory));
    }

    /// <param name="since">Null: of everybody who is there.</param>
    private void PlanPresence(AnswerPlan plan, Reader reader, long? since)
    {
        if (!state.Presence.Any) return;
        foreach (var (userId, (position, row)) in state.Presence.All)
        {
            if (since is { } told ? position <= told : row.Presence == "offline") continue;
            var shares = state.SharesRoom(reader.User, userId);
            if (shares == true) AddPresence(plan, reader, userId, row);
            else if (shares is null && reader.Request.Filter.Presence.Matches("m.presence", userId)) plan.PresenceInDoubt.Add((userId, row));
        }
    }

    private static void AddPresence(AnswerPlan plan, Reader reader, string userId, PresenceRow row)
    {
        if (reader.Request.Filter.Presence.Matches("m.presence", userId)) plan.Presence.Add((userId, row));
    }

    // ---------------------------------------------------------------- incremental

    private void BeginIncremental(AnswerPlan plan, Reader reader, in Positions since, OlderChanges older)
    {
        var user = reader.User;
        var turned = user.LastEvent > since.Events || older.Memberships is not null ? PlanMemberships(plan, reader, since.Events, older) : null;
        var changedData = ChangedAccountData(plan, reader, since.AccountData, older);
        var filter = reader.Request.Filter.Room;
        var recounts = reader.Request.CountsUnread && RulesChanged(user, since.AccountData, older);
        if (reader.Request.FullState || turned is not null || changedData is not null || recounts || RoomsHaveNews(user, since, plan.NowMs))
        {
            var isHidden = false;
            foreach (var own in user.Rooms.Values)
            {
                if (own.Room is not { } room || turned?.Contains(own.RoomId) == true) continue;
                if (!filter.MatchesRoom(own.RoomId))
                {
                    isHidden |= room.LastEvent > since.Events;
                    continue;
                }
                var isRecounted = recounts && UnreadState.IsOpen(own);
                if (reader.Request.FullState || isRecounted || HasNews(room, since, plan.NowMs) || changedData?.Contains(own.RoomId) == true)
                    plan.Waiting.Add(new JoinedRoom(own, since.Events, reader.Request.FullState, IsNew: false) { IsRecounted = isRecounted });
            }
            // Memory tells it, if the user was here all the time. Else the rooms' windows and gaps do, and of rooms that are hidden the database.
            if (isHidden || user.Contacts.Floor <= since.Events) plan.Devices.AddContacts(user, since.Events);
        }
        if (user.PresenceFloor > since.Presence) PlanPresence(plan, reader, since.Presence);
        else if (user.LastPresence > since.Presence)
            foreach (var (userId, position) in user.PresenceChanges)
                if (position > since.Presence && state.Presence.Of(userId) is { } row) AddPresence(plan, reader, userId, row);
        plan.Devices.AddChanges(state, user, since.DeviceLists, older);
    }

    /// <summary>What counts as unread is another thing now than it was when the client was told.</summary>
    public static bool RulesChanged(User user, long since, OlderChanges older)
    {
        if (user.AccountData.Last <= since && older.AccountData is null && !older.AllAccountData) return false;
        foreach (var type in (ReadOnlySpan<string>)[AccountDataCache.PushRulesType, AccountDataCache.IgnoredUsersType])
            if (user.AccountData.Global.TryGetValue(type, out var entry) && IsChanged("", type, entry, since, older)) return true;
        return false;
    }

    private static bool RoomsHaveNews(User user, in Positions since, long nowMs) =>
        user.LastEvent > since.Events || user.LastReceipt > since.Receipts || user.LastTyping > since.Typing
        || (since.TypingTsMs is { } told && SomebodyStopped(user, told, nowMs));

    private static bool SomebodyStopped(User user, long afterMs, long upToMs)
    {
        foreach (var own in user.Rooms.Values) if (own.Room?.Typing.HasExpired(afterMs, upToMs) == true) return true;
        return false;
    }

    private static bool HasNews(Room room, in Positions since, long nowMs) =>
        room.LastEvent > since.Events || room.LastReceipt > since.Receipts || TypingChanged(room, since, nowMs);

    public static bool TypingChanged(Room room, in Positions since, long nowMs) =>
        room.Typing.Position > since.Typing || (since.TypingTsMs is { } told && room.Typing.HasExpired(told, nowMs)) || room.Typing.LeftAt > since.Events;

    /// <summary>
    /// Rooms that the reader has joined, left, was invited to. Returns those that need nothing else, by id; a member who only changed his name is none.
    /// </summary>
    private static HashSet<string>? PlanMemberships(AnswerPlan plan, Reader reader, long since, OlderChanges older)
    {
        HashSet<string>? done = null;
        foreach (var room in Turns(reader.User.Log, since, older))
        {
            if (reader.User.Find(room.Key) is not { } own) continue;
            var before = room.First().Before;
            var wasElsewhere = before != Membership.Join || room.Any(t => t.After != Membership.Join);
            var wasJoined = before == Membership.Join || room.Any(t => t.After == Membership.Join);
            var isHidden = !reader.Request.Filter.Room.MatchesRoom(own.RoomId);
            plan.Devices.AddOwn(own, room, asks: isHidden);
            if (isHidden) continue;
            switch (own.Membership)
            {
                case Membership.Join when wasElsewhere:
                    plan.Waiting.Add(new JoinedRoom(own, long.MinValue, IsFull: true, IsNew: true));
                    break;
                case Membership.Join:
                    continue;
                case Membership.Invite when wasJoined && !reader.User.AccountData.ShowsInviteOf(own.Sender):
                    plan.Left.Add(LeftRoom.Behind(own, before == Membership.Join ? since : long.MinValue));
                    break;
                case Membership.Invite:
                    plan.Invites.Add(own);
                    break;
                case Membership.Knock:
                    plan.Knocks.Add(own);
                    break;
                default:
                    // Who joined and left again has not been told the state before.
                    plan.Left.Add(new LeftRoom(own, before == Membership.Join ? since : long.MinValue, wasJoined, wasJoined && (before != Membership.Join || reader.Request.FullState)));
                    break;
            }
            (done ??= new(StringComparer.Ordinal)).Add(room.Key);
        }
        return done;
    }

    /// <summary>What the database told may have been read before the newest changes came: those are in the log.</summary>
    public static IEnumerable<IGrouping<string, MembershipTurn>> Turns(MembershipLog log, long since, OlderChanges older)
    {
        var turns = log.After(since);
        if (older.Memberships is { } told) turns = told.Where(t => t.Position <= log.Floor).Concat(turns);
        return turns.GroupBy(t => t.RoomId, StringComparer.Ordinal);
    }

    /// <summary>Adds global account data that changed; returns the rooms in which some did.</summary>
    public static HashSet<string>? ChangedAccountData(AnswerPlan plan, Reader reader, long since, OlderChanges older)
    {
        var data = reader.User.AccountData;
        if (data.Last <= since && older.AccountData is null && !older.AllAccountData) return null;
        HashSet<string>? rooms = null;
        foreach (var (roomId, types) in data.ByRoom)
            foreach (var (type, entry) in types)
            {
                if (!IsChanged(roomId, type, entry, since, older)) continue;
                if (roomId.Length > 0) (rooms ??= new(StringComparer.Ordinal)).Add(roomId);
                else AddAccountData(plan, reader, type, entry);
            }
        return rooms;
    }

    /// <summary>The room's account data: all of it, or what changed.</summary>
    public static void AddRoomAccountData(Reader reader, RoomPlan part, bool isWhole, OlderChanges older)
    {
        var since = reader.Request.Since?.AccountData ?? 0;
        foreach (var (type, entry) in reader.User.AccountData.OfRoom(part.RoomId))
        {
            // Changed since this answer's moment: the next one tells it.
            if (entry.IsStale) continue;
            if (isWhole ? entry.IsDeleted : !IsChanged(part.RoomId, type, entry, since, older)) continue;
            if (reader.Request.Filter.Room.AccountData.Matches(type, null, part.RoomId)) part.AccountData.Add((type, entry.Content));
        }
    }

    public static bool IsChanged(string roomId, string type, AccountDataCache.Entry entry, long since, OlderChanges older) =>
        entry.Position > since || older.AllAccountData || older.AccountData?.Contains((roomId, type)) == true;
}
