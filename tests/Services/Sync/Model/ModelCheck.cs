using System.Text.Json;

namespace Matrix.ServiceTests.Sync.Model;

/// <summary>Compares what a client was told with the truth: nothing missing, nothing twice, nothing that he may not see.</summary>
internal sealed class ModelCheck(ModelClient client, ModelWorld world, ModelTruth truth)
{
    private readonly HashSet<string> doubtful = [.. world.SometimesIgnored.Where(i => i.User == client.User.Id).Select(i => i.Ignored)];

    private string Me => client.User.Id;
    /// <summary>The first user ignores the last one always, and others never.</summary>
    private string? Ignored => Me == world.Users[0].Id ? world.Users[^1].Id : null;

    public void Run()
    {
        Memberships();
        foreach (var roomId in truth.JoinedRooms(client.User)) Room(roomId, client.Rooms[roomId], truth.Rooms[roomId]);
        NothingHidden();
        var sent = world.ToDevice.GetValueOrDefault((Me, client.User.Device), []);
        Assert.True(sent.SequenceEqual(client.ToDevice), $"{client}: messages to the device are {string.Join(' ', client.ToDevice)}, not {string.Join(' ', sent)}");
        AccountData();
        DeviceLists();
        var keys = truth.Keys.GetValueOrDefault((Me, client.User.Device));
        Assert.True(client.Keys == keys, $"{client}: keys left are {client.Keys}, not {keys}");
        if (client is ClassicModel) Presence();
    }

    private void Same(IEnumerable<string> expected, IEnumerable<string> told, string what)
    {
        var (missing, wrong) = (expected.Except(told).ToList(), told.Except(expected).ToList());
        Assert.True(missing.Count + wrong.Count == 0, $"{client}: {what}: missing {string.Join(' ', missing)}; wrong {string.Join(' ', wrong)}");
    }

    private void Memberships()
    {
        IEnumerable<string> Told(string membership) => client.Rooms.Where(r => r.Value.Membership == membership).Select(r => r.Key);
        Same(truth.JoinedRooms(client.User), Told("join"), "rooms that he is in");
        // Whether an invitation came while its sender was ignored is not known here.
        var invites = truth.Rooms.Where(r => r.Value.Members.GetValueOrDefault(Me)?.Membership == "invite")
            .ToDictionary(r => r.Key, r => r.Value.Timeline.FindLast(e => e.Pdu.EventId == r.Value.State[$"m.room.member|{Me}"])!.Pdu.Sender);
        bool IsCertain(string room) => !invites.TryGetValue(room, out var sender) || !doubtful.Contains(sender);
        Same(invites.Where(i => i.Value != Ignored && IsCertain(i.Key)).Select(i => i.Key), Told("invite").Where(IsCertain), "invitations");
        Same(truth.Rooms.Where(r => r.Value.Members.GetValueOrDefault(Me)?.Membership == "knock").Select(r => r.Key),
            Told("knock").Where(room => !invites.TryGetValue(room, out var sender) || (sender != Ignored && IsCertain(room))), "knocks");
    }

    private void Room(string roomId, ModelClient.Known told, ModelTruth.RoomTruth room)
    {
        // Whoever loads members lazily has those of the timeline; others may have changed in a gap.
        bool IsKept(string key) => !client.IsLazy || !key.StartsWith("m.room.member|", StringComparison.Ordinal) || told.Senders.Contains(key["m.room.member|".Length..]);
        Same(room.State.Where(s => IsKept(s.Key)).Select(s => $"{s.Key}={s.Value}"), told.State.Where(s => IsKept(s.Key)).Select(s => $"{s.Key}={s.Value}"), $"state of {roomId}");
        Timeline(roomId, told, room);
        Assert.True(told.JoinedCount is null || told.JoinedCount == room.Joined.Count(), $"{client}: {roomId} has {room.Joined.Count()} members, not {told.JoinedCount}");
        Typing(roomId, told);
        Receipts(roomId, told, room);
        if (doubtful.Count > 0) return;
        var unread = truth.Unread(roomId, client.User, Ignored, world.Threads);
        Assert.True(told.Unread == unread, $"{client}: unread in {roomId} is {told.Unread}, not {unread}");
    }

    /// <summary>Who types, in all rooms: before the last changes, which tell it all again.</summary>
    public void Typing()
    {
        foreach (var (roomId, room) in client.Rooms) if (room.Membership == "join") Typing(roomId, room);
    }

    private void Typing(string roomId, ModelClient.Known told) =>
        Same(world.Typing[roomId].Where(u => u != Ignored && !doubtful.Contains(u)), told.Typing.Where(u => !doubtful.Contains(u)), $"typing in {roomId}");

    /// <summary>
    /// Standing state is told of hidden times too, and of who is ignored now and then any message may be missing: what counts is that the end of what he
    /// may see is there, in order.
    /// </summary>
    private void Timeline(string roomId, ModelClient.Known told, ModelTruth.RoomTruth room)
    {
        var visible = truth.Visible(roomId, client.User);
        var order = room.Timeline.Select(e => e.Pdu.EventId).ToList();
        Assert.True(told.Timeline.SequenceEqual(order.Where(told.Timeline.ToHashSet().Contains)), $"{client}: not in order: {string.Join(' ', told.Timeline)}");
        var certain = room.Timeline.Where(e => visible.Contains(e.Pdu.EventId) && (e.Pdu.IsState || (e.Pdu.Sender != Ignored && !doubtful.Contains(e.Pdu.Sender))))
            .Select(e => e.Pdu.EventId).ToList();
        var end = told.Timeline.Where(certain.ToHashSet().Contains).ToList();
        Assert.True(certain.TakeLast(end.Count).SequenceEqual(end), $"{client}: the timeline of {roomId} is {string.Join(' ', end)}, not {string.Join(' ', certain.TakeLast(end.Count))}");
    }

    private void NothingHidden()
    {
        foreach (var told in client.EverTold.GroupBy(t => t.RoomId))
        {
            var ofIgnored = truth.Rooms[told.Key].Timeline.Where(e => e.Pdu.Sender == Ignored).Select(e => e.Pdu.EventId);
            var hidden = told.Select(t => t.EventId).Except(truth.Visible(told.Key, client.User).Except(ofIgnored)).ToList();
            Assert.True(hidden.Count == 0, $"{client}: was told what he may not see: {string.Join(' ', hidden)}");
        }
    }

    private void Receipts(string roomId, ModelClient.Known told, ModelTruth.RoomTruth room)
    {
        foreach (var r in room.Receipts)
        {
            if (r.User != Me && (r.Type == "m.read.private" || (r.Position <= told.ReceiptsSince && !(r.Position <= told.ShownUpTo && told.Shown.Contains(r.EventId))))) continue;
            // Sliding sync has one place for a user's receipts on one event.
            var isTold = told.Receipts.GetValueOrDefault((r.User, r.Type, r.Thread)) == r.EventId
                || (client is SlidingModel && told.ReceiptsOn.Contains((r.User, r.Type, r.EventId)));
            Assert.True(isTold, $"{client}: was not told {r} in {roomId}");
        }
    }

    private void AccountData()
    {
        foreach (var ((user, room, type), content) in truth.Data)
        {
            if (user != Me || (room.Length > 0 && !truth.JoinedRooms(client.User).Contains(room))) continue;
            var told = client.Data.TryGetValue((room, type), out var found) ? found : JsonDocument.Parse("{}").RootElement;
            Assert.True(JsonElement.DeepEquals(told, content), $"{client}: account data {type} of '{room}' is {told}, not {content}");
        }
        foreach (var (room, type) in client.Data.Keys) Assert.True(type == "m.push_rules" || truth.Data.ContainsKey((Me, room, type)), $"{client}: account data {type} from nowhere");
    }

    /// <summary>As a client that encrypts: it has the devices of whomever it shares a room with, as they are now.</summary>
    private void DeviceLists()
    {
        var tracked = new Dictionary<string, int> { [Me] = world.DeviceLists[Me] };
        foreach (var news in client.DeviceLists)
        {
            if (news.Kind == "begin")
                foreach (var user in truth.Rooms.Values.Select(r => r.JoinedAt(news.Events)).Where(joined => joined.Contains(Me)).SelectMany(joined => joined)) tracked[user] = news.Found[user];
            else if (news.Kind == "changed") tracked[news.User!] = news.Found[news.User!];
            else tracked.Remove(news.User!);
        }
        Same(truth.Contacts(client.User).Select(u => $"{u}:{world.DeviceLists[u]}"), tracked.Select(t => $"{t.Key}:{t.Value}"), "device lists");
    }

    private void Presence()
    {
        foreach (var user in truth.Contacts(client.User))
            Assert.True(client.Status.GetValueOrDefault(user) == world.Status[user], $"{client}: status of {user} is '{client.Status.GetValueOrDefault(user)}', not '{world.Status[user]}'");
        Assert.False(client.Status.ContainsKey(world.Hermit.Id), $"{client}: told of a stranger's presence");
    }
}
