using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Streams;
using Matrix.Sync.Rooms;
using Matrix.Sync.Unread;

namespace Matrix.Sync.Answers;

/// <summary>Writes a plan as the answer of /sync v3. Spec: openapi/client-server/sync.yaml</summary>
internal static class AnswerWriter
{
    public static void Write(PooledBuffer output, AnswerPlan plan, Reader reader)
    {
        output.Raw("{\"next_batch\":"u8).Text(plan.Now.ToToken().ToString());
        WriteAccountData(output, plan);
        WritePresence(output, plan);
        WriteRooms(output, plan, reader);
        WriteToDevice(output, plan);
        WriteDeviceLists(output, plan);
        output.Raw(","u8).Raw(reader.Device.Keys.Json.Span).Raw("}"u8);
    }

    private static void WriteAccountData(PooledBuffer output, AnswerPlan plan)
    {
        if (plan.AccountData.Count == 0) return;
        output.Raw(",\"account_data\":{\"events\":["u8);
        output.AccountData(plan.AccountData);
        output.Raw("]}"u8);
    }

    private static void WritePresence(PooledBuffer output, AnswerPlan plan)
    {
        if (plan.Presence.Count == 0) return;
        output.Raw(",\"presence\":{\"events\":["u8);
        var first = true;
        foreach (var (userId, row) in plan.Presence)
        {
            output.Comma(ref first).Raw("{\"type\":\"m.presence\",\"sender\":"u8).Text(userId).Raw(",\"content\":{"u8);
            output.PresenceMembers(row, plan.NowMs).Raw("}}"u8);
        }
        output.Raw("]}"u8);
    }

    private static void WriteRooms(PooledBuffer output, AnswerPlan plan, Reader reader)
    {
        if (plan.Joined.Count + plan.InvitePlans.Count + plan.KnockPlans.Count + plan.LeftPlans.Count == 0) return;
        output.Raw(",\"rooms\":{"u8);
        var first = true;
        if (plan.Joined.Count > 0)
        {
            output.Comma(ref first).Raw("\"join\":{"u8);
            var firstRoom = true;
            foreach (var part in plan.Joined) WriteRoom(output.Comma(ref firstRoom), part, plan, reader, isJoined: true);
            output.Raw("}"u8);
        }
        WriteStripped(output, plan.InvitePlans, "\"invite\":{"u8, ":{\"invite_state\":{\"events\":["u8, ref first);
        WriteStripped(output, plan.KnockPlans, "\"knock\":{"u8, ":{\"knock_state\":{\"events\":["u8, ref first);
        if (plan.LeftPlans.Count > 0)
        {
            output.Comma(ref first).Raw("\"leave\":{"u8);
            var firstRoom = true;
            foreach (var part in plan.LeftPlans) WriteRoom(output.Comma(ref firstRoom), part, plan, reader, isJoined: false);
            output.Raw("}"u8);
        }
        output.Raw("}"u8);
    }

    private static void WriteStripped(PooledBuffer output, List<StrippedPlan> rooms, ReadOnlySpan<byte> section, ReadOnlySpan<byte> state, ref bool first)
    {
        if (rooms.Count == 0) return;
        output.Comma(ref first).Raw(section);
        var firstRoom = true;
        foreach (var room in rooms)
        {
            output.Comma(ref firstRoom).Text(room.RoomId).Raw(state);
            var firstEvent = true;
            foreach (var e in room.State) ClientEvent.WriteStripped(output.Comma(ref firstEvent), e.View);
            output.Raw("]}}"u8);
        }
        output.Raw("}"u8);
    }

    private static void WriteRoom(PooledBuffer output, RoomPlan part, AnswerPlan plan, Reader reader, bool isJoined)
    {
        var events = new EventOut(reader, plan);
        output.Text(part.RoomId).Raw(":{\"timeline\":{\"events\":["u8);
        var first = true;
        for (var i = 0; i < part.Timeline.Count; i++)
            events.Write(output.Comma(ref first), part.Timeline[i], part.ReaderAt is { } at ? at[i] : Membership.Join);
        output.Raw("],\"limited\":"u8).Raw(part.Limited ? "true"u8 : "false"u8)
            .Raw(",\"prev_batch\":"u8).Text(StreamToken.After(part.StartsAfter).ToString()).Raw("}"u8);

        output.Raw(reader.Request switch
        {
            { UseStateAfter: false } => ",\"state\":{\"events\":["u8,
            { StateAfterByOldName: true } => ",\"org.matrix.msc4222.state_after\":{\"events\":["u8,
            _ => ",\"state_after\":{\"events\":["u8,
        });
        first = true;
        foreach (var e in part.StateEvents) events.Write(output.Comma(ref first), e, Membership.None);
        output.Raw("]},\"account_data\":{\"events\":["u8);
        output.AccountData(part.AccountData);
        output.Raw("]}"u8);
        if (isJoined)
        {
            WriteEphemeral(output, part);
            WriteSummary(output, part.Summary);
            WriteUnread(output, part.Unread);
        }
        output.Raw("}"u8);
    }

    private static void WriteEphemeral(PooledBuffer output, RoomPlan part)
    {
        output.Raw(",\"ephemeral\":{\"events\":["u8);
        var first = true;
        if (part.Typing is { } typing) output.Comma(ref first).Raw("{\"type\":\"m.typing\",\"content\":"u8).TypingContent(typing).Raw("}"u8);
        // One event for each thread: a user may have read up to the same event in several.
        foreach (var thread in part.Receipts.GroupBy(r => r.ThreadId, StringComparer.Ordinal))
            output.Comma(ref first).Raw("{\"type\":\"m.receipt\",\"content\":"u8).ReceiptContent(thread).Raw("}"u8);
        output.Raw("]}"u8);
    }

    private static void WriteSummary(PooledBuffer output, RoomSummary? summary)
    {
        output.Raw(",\"summary\":{"u8);
        if (summary is not null)
        {
            if (summary.Heroes is { } heroes)
            {
                output.Raw("\"m.heroes\":["u8);
                var first = true;
                foreach (var hero in heroes) output.Comma(ref first).Text(hero);
                output.Raw("],"u8);
            }
            output.Raw("\"m.joined_member_count\":"u8).Number(summary.Joined).Raw(",\"m.invited_member_count\":"u8).Number(summary.Invited);
        }
        output.Raw("}"u8);
    }

    private static void WriteUnread(PooledBuffer output, UnreadCounts? unread)
    {
        if (unread is null) return;
        output.Raw(",\"unread_notifications\":"u8);
        WriteCount(output, unread.Main);
        if (unread.Threads is not { Count: > 0 } threads) return;
        output.Raw(",\"unread_thread_notifications\":{"u8);
        var first = true;
        foreach (var (root, count) in threads)
        {
            output.Comma(ref first).Text(root).Raw(":"u8);
            WriteCount(output, count);
        }
        output.Raw("}"u8);
    }

    private static void WriteCount(PooledBuffer output, UnreadCount count) =>
        output.Raw("{\"notification_count\":"u8).Number(count.Notifications).Raw(",\"highlight_count\":"u8).Number(count.Highlights).Raw("}"u8);

    private static void WriteToDevice(PooledBuffer output, AnswerPlan plan)
    {
        if (plan.ToDevice.Count == 0) return;
        output.Raw(",\"to_device\":{\"events\":["u8).ToDeviceMessages(plan.ToDevice).Raw("]}"u8);
    }

    private static void WriteDeviceLists(PooledBuffer output, AnswerPlan plan)
    {
        if (!plan.Devices.HasNews) return;
        output.Raw(",\"device_lists\":{\"changed\":["u8);
        var first = true;
        foreach (var user in plan.Devices.Changed) output.Comma(ref first).Text(user);
        output.Raw("],\"left\":["u8);
        first = true;
        foreach (var user in plan.Devices.Left) output.Comma(ref first).Text(user);
        output.Raw("]}"u8);
    }
}

/// <summary>Events in the form that the filter asks for.</summary>
internal readonly struct EventOut(Reader reader, AnswerPlan plan)
{
    public void Write(PooledBuffer output, CachedEvent e, Membership readerAt)
    {
        if (plan.Pdus is not null && plan.Pdus.TryGetValue(e.Nid, out var pdu))
        {
            output.Raw(pdu.Span);
            return;
        }
        var device = e.Sender == reader.User.Id ? reader.Request.DeviceId : null;
        var relations = plan.Relations.TryGetValue(e.EventId, out var bundle) ? bundle.Span : default;
        if (reader.Request.Filter.EventFields is not { } fields)
        {
            e.Write(output, plan.NowMs, device, readerAt, relations);
            return;
        }
        using var whole = new PooledBuffer(e.Body.Length + 128);
        e.Write(whole, plan.NowMs, device, readerAt, relations);
        fields.Write(output, whole.Written);
    }
}
