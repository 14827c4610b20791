using Matrix.Replication;
using Matrix.Storage.Streams;
using Matrix.Storage.Sync;
using Matrix.Testing;
using Matrix.Testing.Servers;

namespace Matrix.StorageTests.Sync;

public class SyncReaderTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>
{
    private static readonly CancellationToken Ct = CancellationToken.None;
    private static int users;

    private SyncReader Reader => new(postgres.Database);
    private static TestUser NewUser() => TestServer.Named("sync.example").User($"u{Interlocked.Increment(ref users):D4}");

    private async Task ExecuteAsync(string sql, params object[] values)
    {
        await using var command = postgres.Source.CreateCommand(sql);
        foreach (var value in values) command.Parameters.AddWithValue(value);
        await command.ExecuteNonQueryAsync();
    }

    private async Task<long> NidAsync(Room room)
    {
        await using var command = postgres.Source.CreateCommand("select room_nid from rooms where room_id = $1");
        command.Parameters.AddWithValue(room.RoomId);
        return (long)(await command.ExecuteScalarAsync())!;
    }

    [Fact]
    public async Task A_user_is_read_with_the_positions_that_he_is_exact_for()
    {
        var (alice, bob) = (NewUser(), NewUser());
        var room = Room.Version("11").With(alice).Invite(bob);
        var position = await room.SaveAsync(postgres.Database);
        await ExecuteAsync("insert into account_data values ($1, '', 'x', '{}'), ($1, $2, 'y', '{\"n\":1}')", alice.Id, room.RoomId);
        await ExecuteAsync("insert into devices (user_id, device_id, created_ts_ms) values ($1, 'D', 0)", alice.Id);
        await ExecuteAsync("insert into to_device_messages values ($1, 'D', 5, 0, '@s:x', 't', '{}'), ($1, 'D', 7, 0, '@s:x', 't', '{}')", alice.Id);
        await ExecuteAsync("insert into receipts values ($2, $1, 'm.read', '', '$e', 3, 9, 11), ($2, '@other:x', 'm.read', '', '$e', 3, 9, 12)", alice.Id, room.RoomId);
        await ExecuteAsync(
            "insert into implied_receipts select r.room_nid, x.* from rooms r, (values ($1, 'main', 4), ($1, '$root', 3), ('@other:x', 'main', 5)) x where r.room_id = $2",
            alice.Id, room.RoomId);
        var load = await Reader.LoadUserAsync(alice, Ct);
        Assert.True(load.Positions[Matrix.Replication.Streams.Events] >= position);
        var member = Assert.Single(load.Memberships);
        Assert.Equal((room.RoomId, "join", false), (member.RoomId, member.Membership, member.Forgotten));
        Assert.Equal([("", "x"), (room.RoomId, "y")], load.AccountData.Select(d => (d.RoomId, d.Type)).Order());
        Assert.Equal(new ToDeviceRange("D", 5, 7), Assert.Single(load.ToDevice));
        Assert.Equal(new StoredReceipt(room.RoomId, 11, new ReceiptRow(alice, "m.read", "", "$e", 3, 9)), Assert.Single(load.OwnReceipts));
        Assert.Equal([new(room.RoomId, "$root", 3), new(room.RoomId, "main", 4)], load.Implied.OrderBy(i => i.Position));
        Assert.Equal("invite", Assert.Single((await Reader.LoadUserAsync(bob, Ct)).Memberships).Membership);
        Assert.Empty((await Reader.LoadUserAsync("@nobody:x", Ct)).Memberships);
    }

    [Fact]
    public async Task Rooms_are_read_with_state_and_members_apart_and_know_whether_they_are_whole()
    {
        var (alice, bob) = (NewUser(), NewUser());
        var small = Room.Version("11").With(alice);
        var large = Room.Version("12").Public().With(alice, bob).Leave(bob);
        for (var i = 0; i < 10; i++) large.Say(alice, $"{i}");
        await small.SaveAsync(postgres.Database);
        await large.SaveAsync(postgres.Database);
        var (one, two) = (await NidAsync(small), await NidAsync(large));
        var load = await Reader.LoadRoomsAsync([one, two, 999_999], 8, Ct);
        Assert.Equal([one, two], load.Rooms.Keys.Order());
        Assert.True(load.Rooms[one].IsWhole);
        Assert.Equal("11", load.Rooms[one].Version);
        Assert.Equal(small.Events.Select(e => e.EventId), load.Rooms[one].Timeline.Select(e => e.Pdu.EventId));
        Assert.False(load.Rooms[two].IsWhole);
        Assert.Equal(large.Events.TakeLast(8).Select(e => e.EventId), load.Rooms[two].Timeline.Select(e => e.Pdu.EventId));
        Assert.All(load.Rooms[two].Timeline, e => Assert.InRange(e.Position!.Value, 1, load.EventsPosition));
        Assert.DoesNotContain(load.Rooms[two].State, e => e.Pdu.Type == "m.room.member");
        Assert.Equal(4, load.Rooms[two].State.Count);
        Assert.Equal([(alice.Id, "join"), (bob.Id, "leave")], load.Rooms[two].Members.Select(m => (m.UserId, m.Membership)).Order());
    }

    [Fact]
    public async Task A_history_of_memberships_reaches_back_to_the_one_before_the_position()
    {
        var (alice, bob) = (NewUser(), NewUser());
        var room = Room.Version("11").Public().With(alice, bob);
        var joined = await room.SaveAsync(postgres.Database);
        var left = await room.Leave(bob).SaveAsync(postgres.Database);
        var back = await room.Join(bob).SaveAsync(postgres.Database);
        var nid = await NidAsync(room);
        Assert.Equal([(joined, "join"), (left, "leave"), (back, "join")], await StepsAsync(joined));
        Assert.Equal([(left, "leave"), (back, "join")], await StepsAsync(left));
        Assert.Equal([(back, "join")], await StepsAsync(back));
        Assert.Equal([(joined, "join"), (left, "leave"), (back, "join")], await StepsAsync(0));

        async Task<IEnumerable<(long, string)>> StepsAsync(long after) =>
            (await Reader.MembershipHistoryAsync(bob, [nid], after, Ct)).Select(s => (s.Position, s.Membership));
    }

    [Fact]
    public async Task Device_lists_are_of_those_who_share_a_room()
    {
        var (alice, bob, stranger) = (NewUser(), NewUser(), NewUser());
        await Room.Version("11").Public().With(alice, bob).SaveAsync(postgres.Database);
        await Room.Version("11").With(stranger).SaveAsync(postgres.Database);
        await ExecuteAsync(
            "insert into stream_rows (stream, pos, ord, key, payload) values ('device_lists', 1001, 0, $1, '{}'), ('device_lists', 1002, 0, $2, '{}'), ('device_lists', 1003, 0, $3, '{}')",
            alice.Id, bob.Id, stranger.Id);
        Assert.Equal([alice.Id, bob.Id], (await Reader.DeviceListChangesAsync(alice, 1000, 2000, Ct)).Order());
        Assert.Equal([bob.Id], await Reader.DeviceListChangesAsync(alice, 1001, 2000, Ct));
        Assert.Empty(await Reader.DeviceListChangesAsync(alice, 1002, 2000, Ct));
        Assert.Equal([bob.Id], await Reader.SharingAsync(alice, [bob.Id, stranger.Id], Ct));
    }

    [Fact]
    public async Task What_rows_no_longer_tell_is_said_to_be_unknown()
    {
        var alice = NewUser();
        await ExecuteAsync("insert into stream_rows (stream, pos, ord, key, payload) values ('account_data', 501, 0, $1, $2)", alice.Id, new AccountDataRow("", "x").Encode());
        await ExecuteAsync("insert into stream_retained values ('account_data', 500)");
        Assert.Equal([("", "x")], await Reader.AccountDataChangesAsync(alice, 500, 1000, Ct));
        Assert.Empty((await Reader.AccountDataChangesAsync(alice, 501, 1000, Ct))!);
        Assert.Null(await Reader.AccountDataChangesAsync(alice, 499, 1000, Ct));
    }

    [Fact]
    public async Task Activity_is_the_newest_position_of_events_and_receipts()
    {
        var alice = NewUser();
        var room = Room.Version("11").With(alice);
        var last = await room.SaveAsync(postgres.Database);
        await ExecuteAsync("insert into receipts values ($1, $2, 'm.read', '', '$e', 3, 9, 77)", room.RoomId, alice.Id);
        var nid = await NidAsync(room);
        Assert.Equal(new RoomActivity(nid, last, 77), Assert.Single(await Reader.ActivityAsync([(nid, room.RoomId)], Ct)));
    }

    [Fact]
    public async Task Messages_to_a_device_are_read_in_order_and_deleted_up_to_a_position()
    {
        var alice = NewUser();
        await ExecuteAsync("insert into devices (user_id, device_id, created_ts_ms) values ($1, 'D', 0)", alice.Id);
        await ExecuteAsync("insert into to_device_messages select $1, 'D', n, 0, '@s:x', 't' || n, '{}' from generate_series(1, 5) n", alice.Id);
        Assert.Equal(["t2", "t3"], (await Reader.ToDeviceAsync(alice, "D", 1, 4, 2, Ct)).Select(m => m.Type));
        await Reader.DeleteToDeviceAsync(alice, "D", 3, Ct);
        Assert.Equal(["t4", "t5"], (await Reader.ToDeviceAsync(alice, "D", 0, 100, 100, Ct)).Select(m => m.Type));
    }
}
