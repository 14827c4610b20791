using System.Buffers;
using Matrix.ClientApi.Rooms;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Storage.Events;
using Matrix.Storage.Relations;
using Matrix.Storage.Rooms;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Relations;

/// <summary>Threads of all rooms of the user in which something was said, latest first: what sliding sync had no room for. Spec: MSC4360</summary>
internal static class ThreadUpdateEndpoints
{
    private const int DefaultLimit = 100;

    public static void MapThreadUpdates(this ClientRoutes routes) =>
        routes.Map("GET", "/_matrix/client/unstable/io.element.msc4360/thread_updates", Get).Named("get_thread_updates");

    private static async Task<IResult> Get(
        string? dir, string? from, string? to, int? limit, Requester requester, RoomReader rooms, RelationReader relations, EventReader events,
        EventVisibility visibility, EventAnswers answers, CancellationToken ct)
    {
        if (dir is not "b") throw MatrixError.InvalidParam("'dir' must be 'b'").AsException();
        var wanted = limit is null ? DefaultLimit : ChildrenQuery.LimitOf(limit);
        var (start, end) = (ChildrenQuery.PositionOf(from, "from") ?? long.MaxValue, ChildrenQuery.PositionOf(to, "to") ?? long.MinValue);
        var joined = (await rooms.MembershipsOfUserAsync(requester.UserId.Value, ct)).FindAll(m => m.Membership == Events.Memberships.Join).ToDictionary(m => m.RoomNid);
        var ignored = await answers.IgnoredAsync(requester, ct);
        var threads = await relations.ThreadNewsAsync(joined.Keys, end, long.MaxValue, start, ignored, wanted + 1, ct);
        var next = threads.Count > wanted ? StreamToken.After(threads[wanted].Latest) : (StreamToken?)null;
        if (next is not null) threads.RemoveAt(wanted);
        var stored = (await events.ByNidsAsync(threads.ConvertAll(t => t.RootNid), ct)).DistinctBy(e => e.EventNid).ToList();
        var roots = (await visibility.FilterAsync(requester.UserId, stored, ct)).FindAll(e => !ignored.Contains(e.Pdu.Sender));
        var renderer = await answers.BundlingRendererAsync(requester, e => new(long.MaxValue, joined[e.RoomNid]), roots, [], ignored, ct);
        var shown = roots.ToDictionary(e => e.EventNid);
        return MatrixResults.Raw(Write(threads.FindAll(t => shown.ContainsKey(t.RootNid)), joined, shown, renderer, next));
    }

    private static ReadOnlyMemory<byte> Write(
        List<ThreadNews> threads, Dictionary<long, MembershipRecord> rooms, Dictionary<long, StoredEvent> roots, EventRenderer renderer, StreamToken? next)
    {
        var output = new ArrayBufferWriter<byte>(4096);
        output.Write("{\"chunk\":{"u8);
        var isFirstRoom = true;
        foreach (var room in threads.GroupBy(t => t.RoomNid))
        {
            if (!isFirstRoom) output.Write(","u8);
            isFirstRoom = false;
            CanonicalJson.WriteString(output, rooms[room.Key].RoomId);
            var isFirst = true;
            foreach (var thread in room)
            {
                output.Write(isFirst ? ":{"u8 : ","u8);
                isFirst = false;
                CanonicalJson.WriteString(output, thread.RootId);
                output.Write(":{\"thread_root\":"u8);
                renderer.Write(output, roots[thread.RootNid]);
                if (thread.Count > 1) Token(output, ",\"prev_batch\":"u8, StreamToken.After(thread.Latest - 1));
                output.Write("}"u8);
            }
            output.Write("}"u8);
        }
        output.Write("}"u8);
        if (next is { } token) Token(output, ",\"next_batch\":"u8, token);
        output.Write("}"u8);
        return output.WrittenMemory;
    }

    private static void Token(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> name, StreamToken token)
    {
        output.Write(name);
        CanonicalJson.WriteString(output, token.ToString());
    }
}
