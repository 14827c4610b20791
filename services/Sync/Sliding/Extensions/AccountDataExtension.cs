using Matrix.Primitives;
using Matrix.Sync.Answers;

namespace Matrix.Sync.Sliding.Extensions;

/// <summary>Account data, global and of rooms. Spec: MSC3959</summary>
internal sealed class AccountDataExtension(ExtensionRequest request) : SlidingExtension(request)
{
    private readonly List<(string RoomId, List<(string Type, ReadOnlyMemory<byte> Content)> Data)> rooms = [];
    private List<(string Type, ReadOnlyMemory<byte> Content)> global = [];

    public override void Plan(ExtensionContext context)
    {
        var isNew = context.IsNew(Request);
        var since = context.Since?.AccountData ?? 0;
        if (isNew) AnswerPlanner.AddAllAccountData(context.Plan, context.Reader);
        else AnswerPlanner.ChangedAccountData(context.Plan, context.Reader, since, context.Older);
        global = context.Plan.AccountData;
        foreach (var room in context.RoomsOf(Request))
        {
            var isWhole = isNew || context.HasMissed(room);
            var data = new List<(string, ReadOnlyMemory<byte>)>();
            foreach (var (type, entry) in context.Reader.User.AccountData.OfRoom(room.Own.RoomId))
                if (isWhole ? !entry.IsDeleted : AnswerPlanner.IsChanged(room.Own.RoomId, type, entry, since, context.Older)) data.Add((type, entry.Content));
            if (data.Count > 0) rooms.Add((room.Own.RoomId, data));
        }
    }

    public override bool HasNews => global.Count + rooms.Count > 0;

    public override void Write(PooledBuffer output, ExtensionContext context)
    {
        output.Raw("{\"global\":["u8).AccountData(global).Raw("],\"rooms\":{"u8);
        var first = true;
        foreach (var (roomId, data) in rooms) output.Comma(ref first).Text(roomId).Raw(":["u8).AccountData(data).Raw("]"u8);
        output.Raw("}}"u8);
    }
}
