using Matrix.Primitives;
using Matrix.Sync.Answers;

namespace Matrix.Sync.Sliding.Extensions;

/// <summary>Who is typing. Spec: MSC3961</summary>
internal sealed class TypingExtension(ExtensionRequest request) : SlidingExtension(request)
{
    private readonly List<(string RoomId, List<string> Users)> rooms = [];

    public override void Plan(ExtensionContext context)
    {
        var isNew = context.IsNew(Request);
        var nowMs = context.Plan.NowMs;
        var ignored = context.Reader.User.AccountData.Ignored;
        foreach (var selected in context.RoomsOf(Request))
        {
            if (selected.Own.Room is not { } room) continue;
            var hasMissed = context.HasMissed(selected);
            var isTold = isNew || hasMissed || context.Since is not { } since
                ? room.TypingNow(nowMs).Any() : AnswerPlanner.TypingChanged(room, since.WithResets(context.Plan.Now), nowMs);
            // The client may remember somebody typing who does so no longer.
            isTold |= hasMissed && context.Before.Rooms.ContainsKey(selected.Own.RoomNid);
            if (isTold) rooms.Add((room.Id, [.. room.TypingNow(nowMs).Where(user => !ignored.Contains(user))]));
        }
    }

    public override bool HasNews => rooms.Count > 0;

    public override void Write(PooledBuffer output, ExtensionContext context)
    {
        output.Raw("{\"rooms\":{"u8);
        var first = true;
        foreach (var (roomId, users) in rooms)
            output.Comma(ref first).Text(roomId).Raw(":{\"type\":\"m.typing\",\"content\":"u8).TypingContent(users).Raw("}"u8);
        output.Raw("}}"u8);
    }
}
