using Matrix.Primitives;
using Matrix.Storage.Ephemeral;
using Matrix.Storage.Streams;
using Matrix.Sync.Answers;
using Matrix.Sync.Rooms;
using Matrix.Sync.Users;

namespace Matrix.Sync.Legacy;

/// <summary>The answer of /initialSync. Spec: openapi/client-server/old_sync.yaml</summary>
/// <param name="published">Rooms of the user that stand in the room directory.</param>
internal sealed class InitialSyncForm(IReadOnlySet<string> published) : IAnswerForm
{
    private static readonly PresenceRow Offline = new("offline", null, 0, false);

    public bool HasNews(AnswerPlan plan) => true;

    public void Write(PooledBuffer output, AnswerPlan plan, Reader reader)
    {
        output.Raw("{\"end\":"u8).Text(plan.Now.ToToken().ToString());
        WriteRooms(output, plan, reader);
        WritePresence(output, plan, reader);
        output.Raw(",\"receipts\":["u8);
        var first = true;
        foreach (var part in plan.Joined)
        {
            if (part.Receipts.Count == 0) continue;
            output.Comma(ref first).Raw("{\"type\":\"m.receipt\",\"room_id\":"u8).Text(part.RoomId).Raw(",\"content\":"u8)
                .ReceiptContent(part.Receipts).Raw("}"u8);
        }
        output.Raw("],\"account_data\":["u8);
        // Synapse: push rules are no account data here.
        output.AccountData(plan.AccountData.FindAll(d => d.Type != AccountDataCache.PushRulesType));
        output.Raw("]}"u8);
    }

    private void WriteRooms(PooledBuffer output, AnswerPlan plan, Reader reader)
    {
        output.Raw(",\"rooms\":["u8);
        var first = true;
        foreach (var part in plan.Joined) WriteRoom(output.Comma(ref first), part, Membership.Join, plan, reader);
        foreach (var part in plan.LeftPlans)
            WriteRoom(output.Comma(ref first), part, reader.User.Find(part.RoomId)?.Membership ?? Membership.Leave, plan, reader);
        foreach (var part in plan.InvitePlans) WriteStripped(output.Comma(ref first), part, "invite"u8, plan.NowMs);
        foreach (var part in plan.KnockPlans) WriteStripped(output.Comma(ref first), part, "knock"u8, plan.NowMs);
        output.Raw("]"u8);
    }

    private void Open(PooledBuffer output, string roomId, ReadOnlySpan<byte> membership) =>
        output.Raw("{\"room_id\":"u8).Text(roomId).Raw(",\"membership\":\""u8).Raw(membership)
            .Raw(published.Contains(roomId) ? "\",\"visibility\":\"public\""u8 : "\",\"visibility\":\"private\""u8);

    private void WriteRoom(PooledBuffer output, RoomPlan part, Membership membership, AnswerPlan plan, Reader reader)
    {
        Open(output, part.RoomId, membership.Name());
        output.Raw(",\"messages\":{\"chunk\":["u8);
        var first = true;
        for (var i = 0; i < part.Timeline.Count; i++)
        {
            var e = part.Timeline[i];
            var device = e.Sender == reader.User.Id ? reader.Request.DeviceId : null;
            LegacyEvent.Write(output.Comma(ref first), part.RoomId, e, plan.NowMs, device, part.ReaderAt is { } at ? at[i] : Membership.Join);
        }
        output.Raw("],\"start\":"u8).Text(StreamToken.After(part.StartsAfter).ToString())
            .Raw(",\"end\":"u8).Text(plan.Now.ToToken().ToString()).Raw("},\"state\":["u8);
        first = true;
        foreach (var e in part.StateEvents) LegacyEvent.Write(output.Comma(ref first), part.RoomId, e, plan.NowMs, null, Membership.None);
        output.Raw("],\"account_data\":["u8);
        output.AccountData(part.AccountData);
        output.Raw("]}"u8);
    }

    private void WriteStripped(PooledBuffer output, StrippedPlan part, ReadOnlySpan<byte> membership, long nowMs)
    {
        Open(output, part.RoomId, membership);
        var turn = part.State[^1];
        output.Raw(",\"inviter\":"u8).Text(turn.Sender).Raw(",\"invite\":"u8);
        LegacyEvent.Write(output, part.RoomId, turn, nowMs, null, Membership.None);
        output.Raw("}"u8);
    }

    /// <summary>Synapse: the user himself is among them, whatever he is.</summary>
    private static void WritePresence(PooledBuffer output, AnswerPlan plan, Reader reader)
    {
        output.Raw(",\"presence\":["u8);
        var first = true;
        foreach (var (userId, row) in plan.Presence) LegacyEvent.WritePresence(output.Comma(ref first), userId, row, plan.NowMs);
        if (!plan.Presence.Exists(p => p.UserId == reader.User.Id))
            LegacyEvent.WritePresence(output.Comma(ref first), reader.User.Id, Offline with { LastActiveTsMs = plan.NowMs }, plan.NowMs);
        output.Raw("]"u8);
    }
}
