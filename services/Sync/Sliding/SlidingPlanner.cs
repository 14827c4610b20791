using Matrix.Events;
using Matrix.Sync.Answers;
using Matrix.Sync.Encryption;
using Matrix.Sync.Engine;
using Matrix.Sync.Rooms;
using Matrix.Sync.Unread;
using Matrix.Sync.Users;

namespace Matrix.Sync.Sliding;

/// <summary>
/// Decides what of the selected rooms is told, as of one moment. Runs under the read lock. What changed since a position is for the engine to find: this
/// says for each room from which position on.
/// </summary>
internal sealed class SlidingPlanner(SyncState state, RoomSelector selector, EncryptionNews encryption)
{
    /// <summary>Null: something has to be known first.</summary>
    public SlidingAnswer? TryPlan(Reader reader, SlidingRequest request, ConnectionState before, OlderChanges older, RoomSelector.Needs needs)
    {
        var selection = selector.Select(request, reader.User, before, needs);
        if (needs.Any) return null;
        var since = reader.Request.Since;
        var now = since is { } token ? state.Now.NotBefore(token) : state.Now;
        var plan = new AnswerPlan { Now = now, NowMs = state.NowMs };
        var told = new RoomPlanning(reader, plan, request, before, since, older).Run(selection);
        var context = new ExtensionContext
        {
            State = state, Reader = reader, Plan = plan, Since = since, Older = older, Selection = selection, Before = before, Told = told, Encryption = encryption,
        };
        var extensions = request.Extensions.Select(SlidingExtensions.Create).ToList();
        foreach (var extension in extensions) extension.Plan(context);
        plan.Now = AnswerPlanner.WithTyping(now, reader.User, plan.NowMs);
        return new SlidingAnswer
        {
            Plan = plan, Since = since, Selection = selection, Rooms = told, Context = context, Extensions = extensions,
            State = Next(before, selection, told, request, reader.User, since?.WithResets(now), older, plan.NowMs),
        };
    }

    /// <summary>What the client will have been told once it has the answer.</summary>
    private static ConnectionState Next(
        ConnectionState before, Selection selection, List<ToldRoom> told, SlidingRequest request, User user, Positions? since, OlderChanges older, long nowMs)
    {
        Dictionary<long, SentRoom>? rooms = null;
        void Put(long nid, SentRoom room)
        {
            if (before.Rooms.TryGetValue(nid, out var known) && known == room) return;
            (rooms ??= new(before.Rooms))[nid] = room;
        }

        var isTold = new HashSet<long>(told.Count);
        foreach (var t in told)
        {
            var own = t.Room.Own;
            isTold.Add(own.RoomNid);
            // Who is out for good is told so once.
            if (IsOver(t)) (rooms ??= new(before.Rooms)).Remove(own.RoomNid);
            else Put(own.RoomNid, new(null, t.Membership == Membership.Join, t.Room.IsDm, t.Room.Config));
        }
        foreach (var room in selection.Rooms.Values)
            if (!isTold.Contains(room.Own.RoomNid) && before.Rooms.TryGetValue(room.Own.RoomNid, out var sent))
                Put(room.Own.RoomNid, sent with { Known = null, Config = room.Config });
        if (since is { } token && before.Rooms.Count > 0)
            foreach (var own in user.Rooms.Values)
                if (before.Rooms.TryGetValue(own.RoomNid, out var sent) && sent.IsLive && !selection.Rooms.ContainsKey(own.RoomId) && Misses(request, user, own, token, older, nowMs))
                    Put(own.RoomNid, sent with { Known = token.Events });

        var scopes = request.Extensions.ToDictionary(e => e.Name, e => e.Scope, StringComparer.Ordinal);
        var isSameScope = scopes.Count == before.Extensions.Count && scopes.All(s => before.Extensions.TryGetValue(s.Key, out var scope) && scope == s.Value);
        return rooms is null && isSameScope ? before : new(rooms ?? before.Rooms, isSameScope ? before.Extensions : scopes);
    }

    private static bool IsOver(ToldRoom told) =>
        told.Membership is Membership.Leave or Membership.Ban && !told.Room.IsSubscribed && !RoomSelector.Stays(told.Room.Own);

    /// <summary>Something came in a room that the client has, and is not told now.</summary>
    private static bool Misses(SlidingRequest request, User user, UserRoom own, in Positions since, OlderChanges older, long nowMs)
    {
        if (RoomSelector.Activity(own) > since.Events) return true;
        if (own.Room is { } room)
        {
            if (room.LastReceipt > since.Receipts && request.Extensions.Any(e => e.Name == "receipts")) return true;
            if (AnswerPlanner.TypingChanged(room, since, nowMs) && request.Extensions.Any(e => e.Name == "typing")) return true;
        }
        if (!request.IsStable && (own.LastReceipt > since.Receipts || (UnreadState.IsOpen(own) && AnswerPlanner.RulesChanged(user, since.AccountData, older)))) return true;
        if (user.AccountData.Last <= since.AccountData && older.AccountData is null && !older.AllAccountData) return false;
        foreach (var (type, entry) in user.AccountData.OfRoom(own.RoomId))
            if (AnswerPlanner.IsChanged(own.RoomId, type, entry, since.AccountData, older)) return true;
        return false;
    }
}

/// <summary>Goes through the selected rooms of one answer.</summary>
internal sealed class RoomPlanning(Reader reader, AnswerPlan plan, SlidingRequest request, ConnectionState before, Positions? since, OlderChanges older)
{
    private readonly Dictionary<RoomConfig, SyncRequest> requests = [];
    private readonly List<ToldRoom> told = [];
    private readonly bool recounts = !request.IsStable && since is { } from && AnswerPlanner.RulesChanged(reader.User, from.AccountData, older);

    public List<ToldRoom> Run(Selection selection)
    {
        var turned = Turned();
        foreach (var room in selection.Rooms.Values)
        {
            SentRoom? sent = before.Rooms.TryGetValue(room.Own.RoomNid, out var known) ? known : null;
            if (room.Own.Membership == Membership.Join) PlanJoined(room, sent, turned);
            else PlanOther(room, sent);
        }
        return told;
    }

    /// <summary>Rooms that the user joined or joined again since the token.</summary>
    private HashSet<string> Turned()
    {
        var turned = new HashSet<string>(StringComparer.Ordinal);
        if (since is not { } token || (reader.User.LastEvent <= token.Events && older.Memberships is null)) return turned;
        foreach (var room in AnswerPlanner.Turns(reader.User.Log, token.Events, older))
            if (room.First().Before != Membership.Join || room.Any(t => t.After != Membership.Join)) turned.Add(room.Key);
        return turned;
    }

    private SyncRequest As(RoomConfig config)
    {
        if (!requests.TryGetValue(config, out var wanted))
            requests[config] = wanted = reader.Request with
            {
                ExactTimelineLimit = config.TimelineLimit, Required = config.Required, CountsUnread = !request.IsStable,
            };
        return wanted;
    }

    private void PlanJoined(SelectedRoom room, SentRoom? sent, HashSet<string> turned)
    {
        var own = room.Own;
        var known = sent is { AsJoined: true } && !turned.Contains(own.RoomId) ? sent.Value.Known ?? since!.Value.Events : long.MinValue;
        // Whether he was elsewhere in between is not known any more for one that is so far behind.
        if (sent is { IsLive: false } && own.Position > known) known = long.MinValue;
        var isInitial = known == long.MinValue;
        var moreTimeline = !isInitial && room.Config.TimelineLimit > sent!.Value.Config.TimelineLimit;
        var moreState = !isInitial && !room.Config.Required.IsCoveredBy(sent!.Value.Config.Required);
        if (!isInitial && !moreTimeline && !moreState && RoomSelector.Activity(own) <= known && sent!.Value.IsDm == room.IsDm && !HasRead(own, sent.Value)
            && !(recounts && UnreadState.IsOpen(own))) return;
        plan.Waiting.Add(new JoinedRoom(own, moreTimeline ? long.MinValue : known, IsFull: isInitial || moreTimeline || moreState, IsNew: false)
        {
            As = As(room.Config),
        });
        told.Add(new(room, sent, Membership.Join, isInitial, moreTimeline, known));
    }

    /// <summary>The user may have read something since, on whichever device: clients of the first form are told counts, which go down then.</summary>
    private bool HasRead(UserRoom own, SentRoom sent) => !request.IsStable && (!sent.IsLive || own.LastReceipt > since!.Value.Receipts);

    private void PlanOther(SelectedRoom room, SentRoom? sent)
    {
        var own = room.Own;
        var known = sent is null ? long.MinValue : sent.Value.Known ?? since!.Value.Events;
        if (sent is not null && own.Position <= known && sent.Value.IsDm == room.IsDm) return;
        var isHidden = own.Membership == Membership.Invite && !reader.User.AccountData.ShowsInviteOf(own.Sender);
        told.Add(new(room, sent, isHidden ? Membership.Leave : own.Membership, sent is not { AsJoined: true }, false, known));
        if (isHidden) plan.Left.Add(LeftRoom.Behind(own, known) with { As = As(room.Config) });
        else if (own.Membership == Membership.Invite) plan.Invites.Add(own);
        else if (own.Membership == Membership.Knock) plan.Knocks.Add(own);
        else
        {
            plan.Left.Add(new LeftRoom(own, sent is { AsJoined: true } ? known : long.MinValue, wasJoined: own.WasIn != false, isFull: sent is not { AsJoined: true })
            {
                As = As(room.Config),
            });
        }
    }
}
