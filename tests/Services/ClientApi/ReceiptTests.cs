using Matrix.Storage.Streams;

namespace Matrix.ServiceTests.ClientApi;

public sealed class ReceiptTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private static string Room(string room, string rest) => $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/{rest}";

    private async Task<List<ReceiptRow>> RowsAsync(string room)
    {
        await using var command = api.Database.Source.CreateCommand("select payload from stream_rows where stream = 'receipts' and key = $1 order by pos");
        command.Parameters.AddWithValue(room);
        var rows = new List<ReceiptRow>();
        await using var r = await command.ExecuteReaderAsync();
        while (await r.ReadAsync()) rows.Add(ReceiptRow.Decode(r.GetFieldValue<byte[]>(0)));
        return rows;
    }

    private async Task<(TestUser Alice, string Room, string[] Events)> TalkAsync(int messages)
    {
        var alice = await api.RegisterUserAsync();
        var room = await api.CreateRoomAsync(alice);
        var ids = new string[messages];
        for (var i = 0; i < messages; i++) ids[i] = await api.SayAsync(alice, room, $"m{i}");
        return (alice, room, ids);
    }

    [Fact]
    public async Task A_receipt_moves_forward_and_never_back()
    {
        var (alice, room, ids) = await TalkAsync(3);
        foreach (var i in new[] { 1, 0, 1, 2 }) (await api.PostAsync(alice, Room(room, $"receipt/m.read/{ids[i]}"), i == 0 ? null : "{}")).RequireOk();
        var rows = await RowsAsync(room);
        Assert.Equal([ids[1], ids[2]], rows.Select(r => r.EventId));
        Assert.All(rows, r => Assert.True(r is { ReceiptType: "m.read", ThreadId: "", EventPosition: > 0, TsMs: > 0 } && r.UserId == alice.Id));
        await using var command = api.Database.Source.CreateCommand("select event_id, event_pos, pos from receipts where room_id = $1");
        command.Parameters.AddWithValue(room);
        await using var r = await command.ExecuteReaderAsync();
        Assert.True(await r.ReadAsync());
        Assert.Equal((ids[2], rows[1].EventPosition!.Value), (r.GetString(0), r.GetInt64(1)));
        Assert.False(await r.ReadAsync());
    }

    [Fact]
    public async Task A_receipt_names_the_thread_that_its_event_is_in()
    {
        var (alice, room, ids) = await TalkAsync(2);
        async Task<string> RelateAsync(string relType, string parent) => (await api.PutAsync(
            alice, Room(room, $"send/m.x/{Guid.NewGuid():N}"), new Dictionary<string, object> { ["m.relates_to"] = new { rel_type = relType, event_id = parent } })).RequireOk().Text("event_id");
        var (root, other) = (ids[0], ids[1]);
        var child = await RelateAsync("m.thread", root);
        var reference = await RelateAsync("m.reference", child);
        var aboutRoot = await RelateAsync("m.reference", root);
        async Task<int> ReceiptAsync(string id, string thread) => (await api.PostAsync(alice, Room(room, $"receipt/m.read.private/{id}"), new { thread_id = thread })).Status;
        foreach (var (id, thread, status) in new[]
        {
            (root, "main", 200), (root, root, 200), (aboutRoot, "main", 200), (aboutRoot, root, 200), (child, root, 200), (reference, root, 200), (other, "main", 200),
            (child, "main", 400), (reference, "main", 400), (child, other, 400), (other, root, 400), (root, other, 400), (root, "nonsense", 400), ("$unknown", root, 200),
        })
            Assert.True(await ReceiptAsync(id, thread) == status, $"{id} in {thread}: not {status}");
        Assert.Equal("M_INVALID_PARAM", (await api.PostAsync(alice, Room(room, $"receipt/m.read/{child}"), """{"thread_id":"main"}""")).Code);
        (await api.PutAsync(alice, Room(room, $"redact/{child}/x"), "{}")).RequireOk();
        Assert.Equal(200, await ReceiptAsync(child, root));
    }

    [Fact]
    public async Task Threads_and_types_have_receipts_of_their_own()
    {
        var (alice, room, ids) = await TalkAsync(2);
        (await api.PostAsync(alice, Room(room, $"receipt/m.read/{ids[1]}"), "{}")).RequireOk();
        (await api.PostAsync(alice, Room(room, $"receipt/m.read/{ids[0]}"), """{"thread_id":"main"}""")).RequireOk();
        (await api.PostAsync(alice, Room(room, $"receipt/m.read.private/{ids[0]}"), "{}")).RequireOk();
        Assert.Equal([("m.read", ""), ("m.read", "main"), ("m.read.private", "")], (await RowsAsync(room)).Select(r => (r.ReceiptType, r.ThreadId)));
    }

    [Fact]
    public async Task The_fully_read_marker_is_account_data_and_never_goes_back()
    {
        var (alice, room, ids) = await TalkAsync(3);
        string Marker() => $"/_matrix/client/v3/user/{alice.Id}/rooms/{Uri.EscapeDataString(room)}/account_data/m.fully_read";
        (await api.PostAsync(alice, Room(room, "read_markers"), $$"""{"m.fully_read":"{{ids[1]}}","m.read":"{{ids[2]}}"}""")).RequireOk();
        Assert.Equal(ids[1], (await api.GetAsync(alice, Marker())).RequireOk().Text("event_id"));
        Assert.Equal([ids[2]], (await RowsAsync(room)).Select(r => r.EventId));
        (await api.PostAsync(alice, Room(room, "read_markers"), $$"""{"m.fully_read":"{{ids[0]}}"}""")).RequireOk();
        Assert.Equal(ids[1], (await api.GetAsync(alice, Marker())).Text("event_id"));
        (await api.PostAsync(alice, Room(room, $"receipt/m.fully_read/{ids[2]}"), "{}")).RequireOk();
        Assert.Equal(ids[2], (await api.GetAsync(alice, Marker())).Text("event_id"));
        (await api.PostAsync(alice, Room(room, "read_markers"), """{"m.fully_read":"$nothing"}""")).Require(404, "M_NOT_FOUND");
    }

    [Fact]
    public async Task Only_members_may_and_wrong_requests_are_refused()
    {
        var (alice, room, ids) = await TalkAsync(1);
        var eve = await api.RegisterUserAsync();
        (await api.PostAsync(eve, Room(room, $"receipt/m.read/{ids[0]}"), "{}")).Require(403, "M_FORBIDDEN");
        (await api.PostAsync(eve, Room(room, "read_markers"), $$"""{"m.fully_read":"{{ids[0]}}"}""")).Require(403, "M_FORBIDDEN");
        (await api.PutAsync(eve, Room(room, $"typing/{eve.Id}"), """{"typing":true}""")).Require(403, "M_FORBIDDEN");
        (await api.PostAsync(null, Room(room, $"receipt/m.read/{ids[0]}"), "{}")).Require(401, "M_MISSING_TOKEN");
        (await api.PostAsync(alice, Room(room, $"receipt/m.seen/{ids[0]}"), "{}")).Require(400, "M_INVALID_PARAM");
        (await api.PostAsync(alice, Room(room, $"receipt/m.read/{ids[0]}"), """{"thread_id":""}""")).Require(400, "M_INVALID_PARAM");
        (await api.PostAsync(alice, Room(room, $"receipt/m.read/{ids[0]}"), """{"thread_id":1}""")).Require(400, "M_INVALID_PARAM");
        (await api.PostAsync(alice, Room(room, $"receipt/m.fully_read/{ids[0]}"), """{"thread_id":"main"}""")).Require(400, "M_INVALID_PARAM");
        (await api.PostAsync(alice, Room(room, "receipt/m.read/no-event-id"), "{}")).Require(400, "M_INVALID_PARAM");
        (await api.PostAsync(alice, Room(room, "read_markers"), """{"m.read":1}""")).Require(400, "M_BAD_JSON");
        (await api.PostAsync(alice, Room(room, "read_markers"), "[]")).Require(400, "M_BAD_JSON");
        Assert.Empty(await RowsAsync(room));
    }

    [Fact]
    public async Task Receipts_sent_at_once_end_at_the_newest_and_leave_no_gap()
    {
        var (alice, room, ids) = await TalkAsync(12);
        var bob = await api.RegisterUserAsync();
        await api.JoinAsync(bob, room);
        await Task.WhenAll(ids.SelectMany(id => new[] { alice, bob }.Select(async u => (await api.PostAsync(u, Room(room, $"receipt/m.read/{id}"), "{}")).RequireOk())));
        await using var command = api.Database.Source.CreateCommand("select count(*) from receipts where room_id = $1 and event_id = $2");
        command.Parameters.AddWithValue(room);
        command.Parameters.AddWithValue(ids[^1]);
        Assert.Equal(2L, (long)(await command.ExecuteScalarAsync())!);
        await using var gaps = api.Database.Source.CreateCommand(
            "select c.pos - count(distinct r.pos) from stream_counters c join stream_rows r using (stream) where stream = 'receipts' group by c.pos");
        Assert.Equal(0L, (long)(await gaps.ExecuteScalarAsync())!);
    }

    [Fact]
    public async Task Typing_is_taken_from_members_for_themselves()
    {
        var (alice, room, _) = await TalkAsync(0);
        var bob = await api.RegisterUserAsync();
        await api.JoinAsync(bob, room);
        (await api.PutAsync(alice, Room(room, $"typing/{alice.Id}"), """{"typing":true,"timeout":5000}""")).RequireOk();
        (await api.PutAsync(alice, Room(room, $"typing/{alice.Id}"), """{"typing":false}""")).RequireOk();
        (await api.PutAsync(alice, Room(room, $"typing/{bob.Id}"), """{"typing":true}""")).Require(403, "M_FORBIDDEN");
        (await api.PutAsync(alice, Room(room, $"typing/{alice.Id}"), """{"typing":"yes"}""")).Require(400, "M_BAD_JSON");
        (await api.PutAsync(alice, Room(room, $"typing/{alice.Id}"), "{}")).Require(400, "M_MISSING_PARAM");
        (await api.PutAsync(alice, Room(room, $"typing/{alice.Id}"), """{"typing":true,"timeout":"long"}""")).Require(400, "M_BAD_JSON");
    }
}
