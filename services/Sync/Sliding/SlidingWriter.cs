using Matrix.Events;
using Matrix.Primitives;
using Matrix.Rooms;
using Matrix.Sync.Answers;
using Matrix.Sync.Rooms;

namespace Matrix.Sync.Sliding;

/// <summary>Writes an answer of sliding sync, by the names of the proposal as it is or as it was first implemented. Spec: MSC4186</summary>
internal readonly struct SlidingWriter(PooledBuffer output, SlidingAnswer answer, Reader reader, SlidingRequest request)
{
    private readonly EventOut events = new(reader, answer.Plan);

    public void Write(string pos)
    {
        output.Raw("{\"pos\":"u8).Text(pos).Raw(",\"lists\":{"u8);
        var first = true;
        foreach (var list in answer.Selection.Lists) WriteList(list, ref first);
        output.Raw("},\"rooms\":{"u8);
        first = true;
        foreach (var told in answer.Rooms) WriteRoom(told, ref first);
        output.Raw("},\"extensions\":{"u8);
        first = true;
        foreach (var extension in answer.Extensions)
        {
            if (!extension.IsWritten) continue;
            output.Comma(ref first).Text(extension.Name).Raw(":"u8);
            extension.Write(output, answer.Context);
        }
        output.Raw("}}"u8);
    }

    private void WriteList(SelectedList list, ref bool first)
    {
        output.Comma(ref first).Text(list.Name).Raw(":{\"count\":"u8).Number(list.Count);
        if (!request.IsStable)
        {
            // Synapse: clients of the first form read the rooms of a list from here.
            output.Raw(",\"ops\":["u8);
            var firstOp = true;
            foreach (var (from, to, roomIds) in list.Windows)
            {
                output.Comma(ref firstOp).Raw("{\"op\":\"SYNC\",\"range\":["u8).Number(from).Raw(","u8).Number(to).Raw("],\"room_ids\":["u8);
                var firstRoom = true;
                foreach (var roomId in roomIds) output.Comma(ref firstRoom).Text(roomId);
                output.Raw("]}"u8);
            }
            output.Raw("]"u8);
        }
        output.Raw("}"u8);
    }

    private void WriteRoom(ToldRoom told, ref bool first)
    {
        output.Comma(ref first).Text(told.Room.Own.RoomId).Raw(":{\"membership\":\""u8).Raw(told.Membership.Name()).Raw("\""u8);
        if (told.IsInitial) output.Raw(",\"initial\":true"u8);
        if (told.Bump is { } bump) output.Raw(",\"bump_stamp\":"u8).Number(bump);
        if (told.Room.Lists.Count > 0)
        {
            output.Raw(",\"lists\":["u8);
            var firstList = true;
            foreach (var list in told.Room.Lists) output.Comma(ref firstList).Text(list);
            output.Raw("]"u8);
        }
        if (told.IsInitial ? told.Room.IsDm : told.Before?.IsDm != told.Room.IsDm)
            output.Raw(told.Room.IsDm ? ",\"is_dm\":true"u8 : ",\"is_dm\":false"u8);
        if (told.Stripped is { } stripped) WriteStripped(stripped.State);
        else if (request.IsStable && told.Part is { IsTurnOnly: true } turn) WriteStripped(turn.Timeline);
        else if (told.Part is { } part) WritePart(told, part);
        output.Raw("}"u8);
    }

    private void WriteStripped(List<CachedEvent> state)
    {
        output.Raw(request.IsStable ? ",\"stripped_state\":["u8 : ",\"invite_state\":["u8);
        var first = true;
        foreach (var e in state) ClientEvent.WriteStripped(output.Comma(ref first), e.View);
        output.Raw("]"u8);
    }

    private void WritePart(ToldRoom told, RoomPlan part)
    {
        if (part.Profile is { } profile) WriteProfile(told, part, profile);
        output.Raw(",\"required_state\":["u8);
        var first = true;
        foreach (var e in part.StateEvents) events.Write(output.Comma(ref first), e, Membership.None);
        // Clients of the first form know no stubs.
        if (request.IsStable && !told.IsInitial)
            foreach (var (type, key) in part.Deleted)
                output.Comma(ref first).Raw("{\"type\":"u8).Text(type).Raw(",\"state_key\":"u8).Text(key).Raw("}"u8);
        output.Raw("],\"timeline\":["u8);
        first = true;
        var live = 0;
        for (var i = 0; i < part.Timeline.Count; i++)
        {
            var e = part.Timeline[i];
            events.Write(output.Comma(ref first), e, part.ReaderAt is { } at ? at[i] : Membership.Join);
            if (answer.Since is { } since && e.Position > since.Events) live++;
        }
        output.Raw("],\"prev_batch\":"u8).Text(StreamToken.After(part.StartsAfter).ToString()).Raw(",\"num_live\":"u8).Number(live);
        if (part.Limited) output.Raw(",\"limited\":true"u8);
        else if (!request.IsStable) output.Raw(",\"limited\":false"u8);
        if (told.IsExpanded) output.Raw(request.IsStable ? ",\"expanded_timeline\":true"u8 : ",\"unstable_expanded_timeline\":true"u8);
        if (part.Unread is { } unread)
            output.Raw(",\"notification_count\":"u8).Number(unread.Main.Notifications).Raw(",\"highlight_count\":"u8).Number(unread.Main.Highlights);
    }

    private void WriteProfile(ToldRoom told, RoomPlan part, RoomProfile profile)
    {
        WriteText(told, profile.Name, "name"u8, ",\"name\":"u8);
        WriteText(told, profile.Avatar, "url"u8, ",\"avatar\":"u8);
        if (part.Summary is { } summary)
            output.Raw(",\"joined_count\":"u8).Number(summary.Joined).Raw(",\"invited_count\":"u8).Number(summary.Invited);
        if (part.Summary is null ? profile.HeroEvents.Count == 0 : part.Summary.Heroes is null) return;
        output.Raw(",\"heroes\":["u8);
        var first = true;
        foreach (var hero in profile.HeroEvents)
        {
            output.Comma(ref first).Raw("{\"user_id\":"u8).Text(hero.StateKey!);
            if (StateContent.String(hero.Content, "displayname"u8) is { } name) output.Raw(",\"displayname\":"u8).Text(name);
            if (StateContent.String(hero.Content, "avatar_url"u8) is { } avatar) output.Raw(",\"avatar_url\":"u8).Text(avatar);
            output.Raw("}"u8);
        }
        output.Raw("]"u8);
    }

    /// <summary>Told when the client has none, or another one; null when it is gone.</summary>
    private void WriteText(ToldRoom told, CachedEvent? e, ReadOnlySpan<byte> member, ReadOnlySpan<byte> name)
    {
        if (e is null || (!told.IsInitial && e.Position <= told.Known)) return;
        if (StateContent.String(e.Content, member) is { Length: > 0 } text) output.Raw(name).Text(text);
        else if (!told.IsInitial) output.Raw(name).Raw("null"u8);
    }
}
