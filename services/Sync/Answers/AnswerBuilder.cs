using Matrix.Events;
using Matrix.Sync.Engine;
using Matrix.Sync.Rooms;
using Matrix.Sync.Store;
using Matrix.Sync.Users;

namespace Matrix.Sync.Answers;

/// <summary>Makes a plan complete: what memory knows under the lock, then whatever is older than memory.</summary>
internal sealed class AnswerBuilder(
    SyncState state, ISyncStore store, AnswerPlanner planner, RoomStage rooms, FillStage fill, StrippedStage stripped, LeftStage left)
{
    public async Task<AnswerPlan> BuildAsync(Reader reader, CancellationToken ct)
    {
        var older = await OlderAsync(reader, ct);
        var plan = await BeginAsync(reader, older, ct);
        await rooms.RunAsync(plan, reader, older, ct);
        await stripped.RunAsync(plan, reader, ct);
        await left.RunAsync(plan, reader, ct);
        using (state.Read())
            foreach (var part in plan.LeftPlans) AnswerPlanner.AddRoomAccountData(reader, part, reader.Request.IsInitial, older);
        await fill.RunAsync(plan, reader, ct);
        plan.Joined.RemoveAll(part => !part.HasNews);
        if (reader.Request.LazyMembers) RememberTold(plan, reader);
        return plan;
    }

    /// <summary>Contents of changed account data are read first: push rules and ignored users decide about the rest.</summary>
    private Task<AnswerPlan> BeginAsync(Reader reader, OlderChanges older, CancellationToken ct) =>
        WithAccountDataAsync(reader, () => planner.Begin(reader, older), ct);

    /// <summary>Runs that under the read lock, with the contents of the reader's account data at hand.</summary>
    public async Task<T> WithAccountDataAsync<T>(Reader reader, Func<T> plan, CancellationToken ct)
    {
        const int Attempts = 5;
        for (var attempt = 1; ; attempt++)
        {
            List<(string RoomId, string Type, long Position)> stale;
            using (state.Read())
            {
                if (reader.User.AccountData.Stale == 0 || attempt == Attempts) return plan();
                stale = reader.User.AccountData.StaleEntries();
            }
            var contents = (await store.AccountDataAsync(reader.User.Id, [.. stale.Select(s => (s.RoomId, s.Type))], ct))
                .ToDictionary(d => (d.RoomId, d.Type), d => d.Content);
            using (state.Write())
                foreach (var (roomId, type, position) in stale)
                    reader.User.AccountData.Refresh(roomId, type, contents.GetValueOrDefault((roomId, type), AccountDataCache.Deleted), position);
        }
    }

    public async Task<OlderChanges> OlderAsync(Reader reader, CancellationToken ct)
    {
        var older = new OlderChanges();
        if (reader.Request.Since is not { } since) return older;
        var user = reader.User;
        List<UserRoom>? turned = null;
        bool accountData;
        long? devicesUpTo;
        using (state.Read())
        {
            if (user.Log.Floor > since.Events && user.LastEvent > since.Events)
                turned = [.. user.Rooms.Values.Where(own => own.Position > since.Events)];
            accountData = user.AccountData.Floor > since.AccountData;
            devicesUpTo = user.DeviceListFloor > since.DeviceLists ? user.DeviceListFloor : null;
        }
        if (turned is not null) older.Memberships = await TurnsAsync(user, turned, since.Events, ct);
        if (accountData)
        {
            var changes = await store.AccountDataChangesAsync(user.Id, since.AccountData, long.MaxValue, ct);
            older.AllAccountData = changes is null;
            if (changes is not null) older.AccountData = [.. changes];
        }
        if (devicesUpTo is { } upTo) older.DeviceLists = await store.DeviceListChangesAsync(user.Id, since.DeviceLists, upTo, ct);
        return older;
    }

    private async Task<List<MembershipTurn>> TurnsAsync(User user, List<UserRoom> rooms, long since, CancellationToken ct)
    {
        var ids = rooms.ToDictionary(own => own.RoomNid, own => own.RoomId);
        var turns = new List<MembershipTurn>();
        foreach (var room in (await store.MembershipHistoryAsync(user.Id, ids.Keys, since, ct)).GroupBy(s => s.RoomNid))
        {
            var before = Membership.None;
            foreach (var step in room.OrderBy(s => s.Position))
            {
                var after = MembershipNames.Parse(step.Membership);
                if (step.Position > since) turns.Add(new MembershipTurn(step.Position, ids[room.Key], before, after));
                before = after;
            }
        }
        return turns;
    }

    /// <summary>What the device has of members, should this answer arrive.</summary>
    public static void RememberTold(AnswerPlan plan, Reader reader)
    {
        if (reader.Request.IsInitial) reader.Members.Clear();
        foreach (var part in plan.Joined)
        {
            foreach (var e in part.StateEvents) if (e.IsMember) reader.Members.Told(part.RoomId, e.StateKey!, e.Nid, plan.Now.Events);
            foreach (var e in part.Timeline) if (e.IsMember) reader.Members.Told(part.RoomId, e.StateKey!, e.Nid, plan.Now.Events);
        }
    }
}
