using Matrix.Events;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Rooms;
using Matrix.Storage.Ephemeral;
using Matrix.Storage.Streams;
using Matrix.Sync.Answers;
using Matrix.Sync.Engine;
using Matrix.Sync.Rooms;
using Matrix.Sync.Store;

namespace Matrix.Sync.Legacy;

/// <summary>
/// /events of a room that the reader is not in: what everybody may read. Spec: openapi/client-server/peeking_events.yaml
/// </summary>
internal sealed class PeekHandler(
    SyncState state, ISyncStore store, RoomCacheLoader loader, CatchUp catchUp, Shutdown shutdown, TimeProvider clock)
{
    private sealed class News(Positions now, long nowMs)
    {
        public Positions Now { get; set; } = now;
        public long NowMs { get; } = nowMs;
        public List<CachedEvent> Events { get; set; } = [];
        public List<ReceiptRow> Receipts { get; } = [];
        public List<string>? Typing { get; set; }
        public List<(string UserId, PresenceRow Row)> Presence { get; } = [];
        /// <summary>Memory does not go back that far: events are to be read from there on.</summary>
        public bool IsBehind { get; init; }
        /// <summary>There may be more after what was found.</summary>
        public bool IsPage { get; set; }
        public bool IsEmpty => Events.Count + Receipts.Count + Presence.Count == 0 && Typing is null;
    }

    public async Task<PooledBuffer> HandleAsync(string userId, string roomId, Positions since, int limit, TimeSpan timeout, CancellationToken ct)
    {
        var started = clock.GetTimestamp();
        await catchUp.TryReachAsync(since.Persistent, ct);
        if (await store.FindRoomAsync(roomId, ct) is not { } nid) throw Forbidden();
        Room room;
        using (state.Write())
        {
            room = state.RoomOf(roomId, nid);
            room.Peekers++;
        }
        try
        {
            var from = since;
            while (true)
            {
                var version = room.PeekSignal.Version;
                var news = await LookAsync(room, userId, from, limit, ct);
                var left = timeout - clock.GetElapsedTime(started);
                if (!news.IsEmpty || left <= TimeSpan.Zero || shutdown.IsStopping) return Write(news, roomId, since);
                from = news.Now;
                if (news.IsPage) continue;
                await room.PeekSignal.WaitAsync(version, left, clock, ct);
            }
        }
        finally
        {
            using (state.Write())
            {
                room.Peekers--;
                state.DropIfUnused(room);
            }
        }
    }

    private static MatrixException Forbidden() => MatrixError.Forbidden("The room is not one that everybody may read.").AsException();

    private async Task<News> LookAsync(Room room, string userId, Positions since, int limit, CancellationToken ct)
    {
        const int Attempts = 5;
        News? news = null;
        for (var attempt = 1; news is null; attempt++)
        {
            if (attempt > Attempts) throw MatrixError.Unavailable("The room could not be read.").AsException();
            await loader.LoadAsync([(room.Id, room.Nid)], 0, ct);
            var isOpen = true;
            using (state.Read())
                if (room.Cache is { } cache && (isOpen = IsOpen(cache))) news = Look(room, cache, since);
            if (isOpen) continue;
            // Never denied by what memory says alone.
            if (attempt > 1) throw Forbidden();
            var positions = await store.PositionsAsync(ct);
            await catchUp.ReachAsync([(Streams.Events, positions.GetValueOrDefault(Streams.Events))], ct);
        }
        if (news.IsBehind && limit > 0)
        {
            var page = await store.NextEventsAsync(room.Nid, since.Events, news.Now.Events, limit, ct);
            news.Events = page.ConvertAll(e => CachedEvent.Of(e));
            news.IsPage = page.Count == limit;
            if (news.IsPage) news.Now = news.Now with { Events = page[^1].Position!.Value };
        }
        if (news.Events.Count == 0) return news;
        var visible = await store.VisibleAsync(userId, [.. news.Events.Select(e => e.Nid)], ct);
        news.Events = [.. news.Events.Where(e => visible.ContainsKey(e.Nid)).Select(e => visible[e.Nid] == Sight.Pruned ? e.Pruned() : e)];
        if (news.Events.Count <= limit) return news;
        news.Events.RemoveRange(limit, news.Events.Count - limit);
        news.Now = news.Now with { Events = limit == 0 ? since.Events : news.Events[^1].Position };
        return news;
    }

    private static bool IsOpen(RoomCache cache) =>
        cache.Current(EventTypes.HistoryVisibility) is { } e && HistoryVisibilities.Read(e.Content) == HistoryVisibility.WorldReadable;

    /// <summary>Under the read lock.</summary>
    private News Look(Room room, RoomCache cache, Positions token)
    {
        var now = state.Now.NotBefore(token);
        var since = token.WithResets(now);
        var news = new News(now, state.NowMs) { IsBehind = cache.Floor > since.Events };
        for (var i = cache.LastAt(since.Events) + 1; i < cache.Window.Count && cache.Window[i].Event.Position <= now.Events; i++)
            news.Events.Add(cache.Window[i].Event);
        news.Receipts.AddRange(room.Receipts.Between(since.Receipts, now.Receipts).Where(r => r.ReceiptType != ReceiptTypes.Private));
        if (AnswerPlanner.TypingChanged(room, since, news.NowMs)) news.Typing = [.. room.TypingNow(news.NowMs)];
        foreach (var (userId, (position, row)) in state.Presence.All)
            if (position > since.Presence && cache.Members.TryGetValue(userId, out var member) && member.Membership == Membership.Join)
                news.Presence.Add((userId, row));
        news.Now = now with { TypingTsMs = room.Typing.IsEmpty ? null : news.NowMs };
        return news;
    }

    private static PooledBuffer Write(News news, string roomId, Positions since)
    {
        var output = new PooledBuffer();
        var list = new LegacyEventList(output, since, news.NowMs);
        foreach (var e in news.Events) list.Event(roomId, e, null, Membership.None);
        list.Receipts(roomId, news.Receipts);
        if (news.Typing is { } typing) list.Typing(roomId, typing);
        foreach (var (userId, row) in news.Presence) list.Presence(userId, row);
        list.End(news.Now);
        return output;
    }
}
