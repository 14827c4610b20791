using Matrix.Events;
using Matrix.Sync.Answers;
using Matrix.Sync.Engine;
using Matrix.Sync.Rooms;
using Matrix.Sync.Store;
using Matrix.Sync.Users;

namespace Matrix.Sync.Sliding;

/// <summary>Makes an answer complete: the rooms by the stages that /sync uses too, then what is said of them besides, then the extensions.</summary>
internal sealed class SlidingBuilder(
    SyncState state, ISyncStore store, SlidingPlanner planner, AnswerBuilder answers, RoomCacheLoader loader, RoomStage rooms, StrippedStage stripped,
    LeftStage left, FillStage fill)
{
    public async Task<SlidingAnswer> BuildAsync(Reader reader, SlidingRequest request, ConnectionState before, CancellationToken ct)
    {
        var older = await answers.OlderAsync(reader, ct);
        var answer = await PlanAsync(reader, request, before, older, ct);
        var plan = answer.Plan;
        await rooms.RunAsync(plan, reader, older, ct);
        await stripped.RunAsync(plan, reader, ct);
        await left.RunAsync(plan, reader, ct);
        await fill.RunAsync(plan, reader, ct);
        Complete(answer, before);
        await FillBumpsAsync(answer, ct);
        foreach (var extension in answer.Extensions) await extension.FillAsync(answer.Context, store, ct);
        return answer;
    }

    private async Task<SlidingAnswer> PlanAsync(Reader reader, SlidingRequest request, ConnectionState before, OlderChanges older, CancellationToken ct)
    {
        const int Attempts = 5;
        for (var attempt = 1; ; attempt++)
        {
            var needs = new RoomSelector.Needs();
            if (await answers.WithAccountDataAsync(reader, () => planner.TryPlan(reader, request, before, older, needs), ct) is { } answer)
            {
                if (!await FindForgottenAsync(reader, answer, ct)) return answer;
                continue;
            }
            if (attempt == Attempts) throw Primitives.MatrixError.Unavailable("Rooms could not be read.").AsException();
            if (needs.Spaces.Count > 0) await loader.LoadAsync([.. needs.Spaces.Select(s => (s.Key, s.Value))], 0, ct);
            if (needs.Facts.Count > 0) await LoadFactsAsync([.. needs.Facts], ct);
            if (needs.Stays.Count > 0) await LoadStaysAsync(reader, [.. needs.Stays], ct);
        }
    }

    /// <summary>Forgetting is no news on any stream: it is asked for before a room that the user is out of is told for the first time. True: there are some.</summary>
    private async Task<bool> FindForgottenAsync(Reader reader, SlidingAnswer answer, CancellationToken ct)
    {
        var left = answer.Rooms.Where(t => t is { Before: null, Membership: Membership.Leave or Membership.Ban }).Select(t => t.Room.Own).ToList();
        if (left.Count == 0) return false;
        var forgotten = await store.ForgottenAsync(reader.User.Id, [.. left.Select(own => own.RoomNid)], ct);
        using (state.Write()) foreach (var own in left) if (forgotten.Contains(own.RoomNid)) own.Forgotten = true;
        return forgotten.Count > 0;
    }

    private async Task LoadStaysAsync(Reader reader, List<UserRoom> unknown, CancellationToken ct)
    {
        var joined = (await store.MembershipHistoryAsync(reader.User.Id, [.. unknown.Select(own => own.RoomNid)], long.MinValue, ct))
            .Where(step => MembershipNames.Parse(step.Membership) == Membership.Join).Select(step => step.RoomNid).ToHashSet();
        using (state.Write()) foreach (var own in unknown) own.WasIn ??= joined.Contains(own.RoomNid);
    }

    /// <summary>What filters ask of rooms that are not in memory. The database may know more than the streams have told here: that is told soon.</summary>
    private async Task LoadFactsAsync(List<UserRoom> unknown, CancellationToken ct)
    {
        var found = (await store.CurrentStateAsync([.. unknown.Select(own => own.RoomNid)], [.. RoomFacts.Types.Select(t => new StateKey(t, ""))], ct))
            .ToLookup(e => e.RoomNid);
        using (state.Write())
        {
            foreach (var own in unknown)
            {
                var create = found[own.RoomNid].FirstOrDefault(e => e.Pdu.Type == EventTypes.Create);
                var facts = RoomFacts.Of(create is null ? null : CachedEvent.Of(create), found[own.RoomNid].Any(e => e.Pdu.Type == EventTypes.Encryption));
                if (own.Room is { } room) room.Facts = facts;
                else own.Facts = facts;
            }
        }
    }

    /// <summary>Brings rooms and what became of them together. One that could not be read is behind, and told by a later answer.</summary>
    private static void Complete(SlidingAnswer answer, ConnectionState before)
    {
        var parts = answer.Plan.Joined.Concat(answer.Plan.LeftPlans).ToDictionary(p => p.RoomId, StringComparer.Ordinal);
        var strippedRooms = answer.Plan.InvitePlans.Concat(answer.Plan.KnockPlans).ToDictionary(p => p.RoomId, StringComparer.Ordinal);
        foreach (var told in answer.Rooms)
        {
            told.Part = parts.GetValueOrDefault(told.Room.Own.RoomId);
            told.Stripped = strippedRooms.GetValueOrDefault(told.Room.Own.RoomId);
        }
        var missing = answer.Rooms.FindAll(t => !t.IsComplete);
        if (missing.Count == 0) return;
        var rooms = new Dictionary<long, SentRoom>(answer.State.Rooms);
        foreach (var told in missing)
        {
            answer.Rooms.Remove(told);
            var nid = told.Room.Own.RoomNid;
            if (told.Before is { } sent) rooms[nid] = sent with { Known = sent.Known ?? answer.Since!.Value.Events };
            else if (!before.Rooms.ContainsKey(nid)) rooms.Remove(nid);
        }
        answer.State = new(rooms, answer.State.Extensions);
    }

    /// <summary>Positions of the last activity: from the window, or what the room remembers, or the database.</summary>
    private async Task FillBumpsAsync(SlidingAnswer answer, CancellationToken ct)
    {
        var missing = new List<ToldRoom>();
        foreach (var told in answer.Rooms)
        {
            var own = told.Room.Own;
            told.Bump = told.Membership != Membership.Join ? own.Position : told.Part?.Profile?.Bump ?? own.Room?.Bump;
            if (told.Bump is null) missing.Add(told);
        }
        if (missing.Count == 0) return;
        var found = await store.LastOfTypesAsync([.. missing.Select(t => t.Room.Own.RoomNid)], BumpTypes.All, ct);
        using (state.Write())
        {
            foreach (var told in missing)
            {
                var own = told.Room.Own;
                told.Bump = found.GetValueOrDefault(own.RoomNid, own.Position);
                if (own.Room is { } room) room.Bump = Math.Max(room.Bump ?? long.MinValue, told.Bump.Value);
            }
        }
    }
}
