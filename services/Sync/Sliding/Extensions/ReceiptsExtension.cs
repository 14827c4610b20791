using Matrix.Primitives;
using Matrix.Storage.Streams;
using Matrix.Sync.Answers;
using Matrix.Sync.Engine;
using Matrix.Sync.Rooms;
using Matrix.Sync.Store;

namespace Matrix.Sync.Sliding.Extensions;

/// <summary>
/// Receipts: all changes of rooms that the client follows; of others the user's own, and those on the events that it is given. Spec: MSC3960
/// </summary>
internal sealed class ReceiptsExtension(ExtensionRequest request) : SlidingExtension(request)
{
    private readonly Dictionary<string, List<ReceiptRow>> rooms = new(StringComparer.Ordinal);
    private readonly List<string> since = [], whole = [];

    public override void Plan(ExtensionContext context)
    {
        var isNew = context.IsNew(Request);
        var userId = context.Reader.User.Id;
        foreach (var selected in context.RoomsOf(Request))
        {
            if (selected.Own.Room is not { } room) continue;
            if (isNew || context.HasMissed(selected))
            {
                whole.Add(room.Id);
                if (selected.Own.Receipts.Count > 0) rooms[room.Id] = [.. selected.Own.Receipts.Values];
            }
            else if (context.Since is { } token && room.LastReceipt > token.Receipts)
            {
                if (room.Receipts.Floor > token.Receipts) since.Add(room.Id);
                else Add(room.Id, room.Receipts.Between(token.Receipts, context.Plan.Now.Receipts).Where(r => r.IsFor(userId)));
            }
        }
    }

    private void Add(string roomId, IEnumerable<ReceiptRow> receipts)
    {
        foreach (var receipt in receipts)
        {
            if (!rooms.TryGetValue(roomId, out var list)) rooms[roomId] = list = [];
            list.Add(receipt);
        }
    }

    public override async Task FillAsync(ExtensionContext context, ISyncStore store, CancellationToken ct)
    {
        var upTo = context.Plan.Now.Receipts;
        var userId = context.Reader.User.Id;
        if (since.Count > 0)
            foreach (var r in Enumerable.Reverse(await store.ReceiptsAsync(since, context.Since!.Value.Receipts, upTo, ct)))
                if (r.Receipt.IsFor(userId)) Add(r.RoomId, [r.Receipt]);
        var timelines = context.Told.Where(t => t.Part is not null && whole.Contains(t.Room.Own.RoomId)).ToList();
        var events = timelines.SelectMany(t => t.Part!.Timeline).Select(e => e.EventId).ToList();
        if (events.Count == 0) return;
        foreach (var r in Enumerable.Reverse(await store.ReceiptsOnAsync([.. timelines.Select(t => t.Room.Own.RoomId)], events, upTo, ct)))
            if (r.Receipt.UserId != userId && r.Receipt.IsFor(userId)) Add(r.RoomId, [r.Receipt]);
    }

    public override bool HasNews => rooms.Count > 0;

    public override void Write(PooledBuffer output, ExtensionContext context)
    {
        output.Raw("{\"rooms\":{"u8);
        var first = true;
        foreach (var (roomId, receipts) in rooms)
            output.Comma(ref first).Text(roomId).Raw(":{\"type\":\"m.receipt\",\"content\":"u8).ReceiptContent(receipts).Raw("}"u8);
        output.Raw("}}"u8);
    }
}
