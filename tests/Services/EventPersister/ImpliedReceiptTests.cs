using Matrix.Events;

namespace Matrix.ServiceTests.EventPersister;

/// <summary>What is stored of what senders have read.</summary>
public sealed class ImpliedReceiptTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    private async Task<List<(string User, string Thread, long Position)>> StoredAsync(string room)
    {
        await using var command = fixture.Source.CreateCommand(
            "select i.user_id, i.thread_id, i.event_pos from implied_receipts i join rooms r using (room_nid) where r.room_id = $1 order by i.event_pos");
        command.Parameters.AddWithValue(room);
        var stored = new List<(string, string, long)>();
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync()) stored.Add((reader.GetString(0), reader.GetString(1), reader.GetInt64(2)));
        return stored;
    }

    private static Task<PersisterHost.Answer> InThreadAsync(User user, string room, string root, int n) =>
        user.PutAsync($"/rooms/{Uri.EscapeDataString(room)}/send/m.room.message/{user.Token[^8..]}{n}", new Dictionary<string, object>
        {
            ["msgtype"] = "m.text", ["body"] = "x", ["m.relates_to"] = new { rel_type = "m.thread", event_id = root },
        });

    [Fact]
    public async Task It_is_the_last_that_each_sent_in_each_thread_however_many_are_written_together()
    {
        var (alice, bob) = (await fixture.NewUserAsync(), await fixture.NewUserAsync());
        var rooms = new List<(string Id, string Root)>();
        for (var i = 0; i < 3; i++)
        {
            var room = await alice.CreateRoomAsync(new { preset = "public_chat" });
            (await bob.JoinAsync(room)).Ok();
            rooms.Add((room, (await alice.SendAsync(room, "root")).Ok().EventId));
        }
        var n = 0;
        await Task.WhenAll(
            from room in rooms from user in (User[])[alice, bob, bob.At(fixture.Two)] from _ in Enumerable.Range(0, 12)
            let m = Interlocked.Increment(ref n)
            select m % 3 == 0 ? InThreadAsync(user, room.Id, room.Root, m) : user.SendAsync(room.Id, "x"));
        foreach (var (id, root) in rooms)
        {
            var last = (await fixture.TimelineAsync(id)).Where(e => e.Pdu.Type == "m.room.message")
                .GroupBy(e => (User: e.Pdu.Sender, Thread: EventRelation.Read(e.Pdu) is null ? "main" : root))
                .Select(g => (g.Key.User, g.Key.Thread, g.Max(e => e.Position!.Value)));
            Assert.Equal(last.Order(), (await StoredAsync(id)).Order());
        }
    }

    [Fact]
    public async Task What_nobody_sends_himself_reads_nothing()
    {
        var (alice, bob) = (await fixture.NewUserAsync(), await fixture.NewUserAsync());
        var room = await alice.CreateRoomAsync(new { preset = "public_chat", name = "a", topic = "b" });
        (await bob.JoinAsync(room)).Ok();
        (await bob.SetStateAsync(room, "m.room.member", bob.Id, new { membership = "join", displayname = "Robert" })).Ok();
        (await bob.PutAsync($"/profile/{bob.Id}/displayname", new { displayname = "Bob" })).Ok();
        (await alice.InviteAsync(room, await fixture.NewUserAsync())).Ok();
        Assert.Empty(await StoredAsync(room));
        (await alice.SendAsync(room, "x")).Ok();
        Assert.Equal([(alice.Id, "main")], (await StoredAsync(room)).Select(r => (r.User, r.Thread)));
    }
}
