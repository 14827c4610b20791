using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Rooms.Aggregations;
using Matrix.Storage.Events;
using Matrix.Storage.Relations;
using Matrix.Sync.Answers;
using Matrix.Sync.Rooms;
using Matrix.Sync.Store;

namespace Matrix.Sync.Sliding.Extensions;

/// <summary>
/// Threads in which something was said since the position, in all rooms that the user is in: those that the timelines of the answer do not show whole,
/// or, with their roots, all of them. Spec: MSC4360
/// </summary>
internal sealed class ThreadsExtension(ExtensionRequest request) : SlidingExtension(request)
{
    private readonly Dictionary<long, string> rooms = [];
    /// <summary>Ids of the events, of rooms of which memory knows all.</summary>
    private readonly Dictionary<long, List<string>> known = [];
    private List<ThreadNews> threads = [];
    private Dictionary<long, StoredEvent> roots = [];
    /// <summary>Roots whose senders were erased, for this reader.</summary>
    private HashSet<long> pruned = [];
    private IReadOnlyDictionary<string, ReadOnlyMemory<byte>> bundles = new Dictionary<string, ReadOnlyMemory<byte>>();
    private long? prevBatch;

    public override void Plan(ExtensionContext context)
    {
        var after = After(context);
        foreach (var own in context.Reader.User.Rooms.Values)
        {
            if (own.Room is not { } room || room.LastEvent <= after) continue;
            if (room.Cache is { } cache && cache.Floor <= after)
            {
                var said = Said(cache, after, context.Plan.Now.Events, context.Reader.User.AccountData.Ignored);
                if (said.Count == 0) continue;
                known[own.RoomNid] = said;
            }
            rooms[own.RoomNid] = own.RoomId;
        }
    }

    private static long After(ExtensionContext context) => context.Since?.Events ?? 0;

    private static List<string> Said(RoomCache cache, long after, long upTo, IReadOnlySet<string> ignored)
    {
        var said = new List<string>();
        for (var i = cache.LastAt(upTo); i >= 0 && cache.Window[i].Event is var e && e.Position > after; i--)
            if (!ignored.Contains(e.Sender) && RootOf(e) is not null) said.Add(e.EventId);
        return said;
    }

    private static string? RootOf(CachedEvent e) => EventRelation.Read(e.View) is { RelType: RelationTypes.Thread } relation ? relation.ParentId : null;

    public override async Task FillAsync(ExtensionContext context, ISyncStore store, CancellationToken ct)
    {
        if (!Request.Options.IncludeRoots) DropShown(context);
        if (rooms.Count == 0) return;
        var (reader, after, upTo) = (context.Reader, After(context), context.Plan.Now.Events);
        var ignored = reader.User.AccountData.Ignored;
        var shown = Request.Options.IncludeRoots ? [] : Shown(context, after, ignored);
        // Those that are left out are among the latest.
        var most = Request.Options.Limit + shown.Count;
        threads = await store.ThreadNewsAsync(rooms.Keys, after, upTo, ignored, most + 1, ct);
        if (threads.Count > most) prevBatch = threads[most].Latest;
        threads = threads.FindAll(t => t.Count > shown.GetValueOrDefault(t.RootId));
        if (threads.Count > Request.Options.Limit)
        {
            prevBatch = threads[Request.Options.Limit].Latest;
            threads.RemoveRange(Request.Options.Limit, threads.Count - Request.Options.Limit);
        }
        var visible = await store.VisibleAsync(reader.User.Id, [.. threads.Select(t => t.RootNid)], ct);
        threads.RemoveAll(t => !visible.ContainsKey(t.RootNid));
        pruned = [.. visible.Where(v => v.Value == Sight.Pruned).Select(v => v.Key)];
        if (Request.Options.IncludeRoots) await FillRootsAsync(reader, ignored, upTo, store, ct);
    }

    /// <summary>The usual case, in which nothing has to be asked for: the timelines show all that was said.</summary>
    private void DropShown(ExtensionContext context)
    {
        foreach (var told in context.Told)
            if (known.TryGetValue(told.Room.Own.RoomNid, out var said) && told.Part is { } part && said.TrueForAll(id => part.Timeline.Exists(e => e.EventId == id)))
                rooms.Remove(told.Room.Own.RoomNid);
    }

    /// <summary>How many new events of each thread the timelines show.</summary>
    private static Dictionary<string, int> Shown(ExtensionContext context, long after, IReadOnlySet<string> ignored)
    {
        var shown = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var told in context.Told)
            foreach (var e in told.Part?.Timeline ?? [])
                if (e.Position > after && !ignored.Contains(e.Sender) && RootOf(e) is { } root) shown[root] = shown.GetValueOrDefault(root) + 1;
        return shown;
    }

    private async Task FillRootsAsync(Reader reader, IReadOnlySet<string> ignored, long upTo, ISyncStore store, CancellationToken ct)
    {
        roots = (await store.EventsByNidsAsync([.. threads.Select(t => t.RootNid)], ct)).DistinctBy(e => e.EventNid).ToDictionary(e => e.EventNid);
        threads.RemoveAll(t => !roots.TryGetValue(t.RootNid, out var root) || ignored.Contains(root.Pdu.Sender));
        var targets = new List<AggregationTarget>();
        foreach (var root in roots.Values)
            if (AggregationTarget.Of(root.Pdu, root.RoomNid, root.RedactedBy is not null, upTo) is { } target) targets.Add(target);
        bundles = await store.BundleAsync(new AggregationReader(new UserId(reader.User.Id), reader.Request.DeviceId, ignored, OmitRoomId: true), targets, ct);
    }

    public override bool HasNews => threads.Count > 0;

    public override void Write(PooledBuffer output, ExtensionContext context)
    {
        output.Raw("{\"updates\":{"u8);
        var firstRoom = true;
        foreach (var room in threads.GroupBy(t => t.RoomNid))
        {
            output.Comma(ref firstRoom).Text(rooms[room.Key]).Raw(":{"u8);
            var first = true;
            foreach (var thread in room) WriteThread(output.Comma(ref first), thread, context);
            output.Raw("}"u8);
        }
        output.Raw("}"u8);
        if (prevBatch is { } from) output.Raw(",\"prev_batch\":"u8).Text(StreamToken.After(from).ToString());
        output.Raw("}"u8);
    }

    private void WriteThread(PooledBuffer output, ThreadNews thread, ExtensionContext context)
    {
        output.Text(thread.RootId).Raw(":{"u8);
        var first = true;
        if (roots.TryGetValue(thread.RootNid, out var root))
        {
            var e = pruned.Contains(root.EventNid) ? CachedEvent.Of(root).Pruned() : CachedEvent.Of(root);
            var device = e.Sender == context.Reader.User.Id ? context.Reader.Request.DeviceId : null;
            output.Comma(ref first).Raw("\"thread_root\":"u8);
            e.Write(output, context.Plan.NowMs, device, Membership.None, bundles.GetValueOrDefault(thread.RootId).Span);
        }
        if (thread.Count > 1) output.Comma(ref first).Raw("\"prev_batch\":"u8).Text(StreamToken.After(thread.Latest - 1).ToString());
        output.Raw("}"u8);
    }
}
