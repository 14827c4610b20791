using Matrix.Events;
using Matrix.Replication;
using Matrix.Rooms.Ingest;
using Matrix.Storage.Events;
using Matrix.Storage.Streams;
using Matrix.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.EventPersister.Ingest;

/// <summary>A room that began on another server and that a user of ours has joined.</summary>
internal sealed class RemoteRoom(PersisterFixture fixture, Room room)
{
    public const string Origin = "remote.example";
    private const int NoLimit = 10_000;

    private Dictionary<StateKey, string> atJoin = [];
    private long joined;

    public Room Room => room;
    public string Id => room.RoomId;

    /// <summary>A public room of alice, and whoever else is given, which <paramref name="local"/> joins.</summary>
    public static async Task<RemoteRoom> EnterAsync(PersisterFixture fixture, string version, User local, params TestUser[] others)
    {
        var room = Room.Version(version).Public().With([TestUser.Of("@alice:remote.example"), .. others]);
        var entered = new RemoteRoom(fixture, room);
        fixture.Remote.Know(room);
        await entered.EnterAsync(TestUser.Of(local.Id));
        return entered;
    }

    /// <summary>The join of our user, with everything that it rests on.</summary>
    public async Task EnterAsync(TestUser local)
    {
        var before = room.State;
        room.Join(local);
        var rest = room.Events.Where(e => e.IsState && e.EventId != room.Last.EventId).ToList();
        await IngestAsync(fixture.One, IngestMode.Outliers, rest);
        var result = await Ingestor(fixture.One).IngestAsync(
            new PduIngest(room.RoomId, Origin, IngestMode.Join, [room.Last.Json], RoomVersion: room.RoomVersion.Id, StateBefore: [.. before.Values]), default);
        Assert.Equal(IngestVerdict.Accepted, Assert.Single(result.Pdus).Verdict);
        (atJoin, joined) = (room.State.ToDictionary(), result.Position);
    }

    /// <summary>The state as somebody has it who read the room when it was joined and has followed stream events since.</summary>
    private async Task<Dictionary<StateKey, string>> FollowedAsync()
    {
        var state = new Dictionary<StateKey, string>(atJoin);
        var source = new StreamStore(fixture.Database);
        for (var from = joined; ;)
        {
            var page = await source.ReadAsync(Streams.Events, from, long.MaxValue, 1_000, default);
            foreach (var row in page.Rows.Where(r => r.Key == Id).Select(r => EventRow.Decode(r)))
            {
                if (row.IsCurrentState) state[new StateKey(row.Type, row.StateKey!)] = row.EventId;
                foreach (var move in row.Moves)
                {
                    if (move.EventId is null) state.Remove(new StateKey(move.Type, move.StateKey));
                    else state[new StateKey(move.Type, move.StateKey)] = move.EventId;
                }
            }
            if (page.Rows.Count == 0) return state;
            from = page.To;
        }
    }

    public static IPduIngest Ingestor(PersisterHost host) => host.Services.GetRequiredService<IPduIngest>();

    public Task<IngestResult> IngestAsync(PersisterHost host, IngestMode mode, IEnumerable<Pdu> pdus) =>
        Ingestor(host).IngestAsync(new PduIngest(room.RoomId, Origin, mode, [.. pdus.Select(p => p.Json)], RoomVersion: room.RoomVersion.Id), default);

    public Task<IngestResult> LiveAsync(params Pdu[] pdus) => IngestAsync(fixture.One, IngestMode.Live, pdus);

    public async Task AcceptedAsync(params Pdu[] pdus)
    {
        var result = await LiveAsync(pdus);
        Assert.All(result.Pdus, p => Assert.True(p.Verdict == IngestVerdict.Accepted, $"{p.EventId}: {p.Verdict} {p.Reason}"));
    }

    public async Task<IngestedPdu> VerdictAsync(Pdu pdu) => Assert.Single((await LiveAsync(pdu)).Pdus);

    /// <summary>Current state as the database has it: key to event id.</summary>
    public async Task<Dictionary<StateKey, string>> StateAsync()
    {
        var nid = (await fixture.Rooms.FindAsync(Id, default))!.RoomNid;
        return (await fixture.Rooms.CurrentStateAsync(nid, default)).ToDictionary(e => e.Pdu.StatePair, e => e.Pdu.EventId);
    }

    public async Task<List<string>> ExtremitiesAsync()
    {
        var ids = new List<string>();
        await using var command = fixture.Source.CreateCommand(
            "select e.event_id from rooms r join forward_extremities f using (room_nid) join events e using (event_nid) where r.room_id = $1 order by 1");
        command.Parameters.AddWithValue(Id);
        await using var r = await command.ExecuteReaderAsync();
        while (await r.ReadAsync()) ids.Add(r.GetString(0));
        return ids;
    }

    public async Task<StoredEvent> StoredAsync(string eventId) => Assert.Single(await fixture.Events.ByIdsAsync([eventId], default));

    /// <summary>Everything that must agree with the state of that branch: current state, the current snapshot, memberships, and what followers have.</summary>
    public async Task IsAtAsync(Room branch)
    {
        var expected = branch.State.ToDictionary();
        Assert.Equal(Lines(expected), Lines(await StateAsync()));
        Assert.Equal(Lines(expected), Lines(await FollowedAsync()));
        var record = (await fixture.Rooms.FindAsync(Id, default))!;
        var snapshot = (await fixture.States.EventsAsync(record.CurrentSnapshot!.Value, default)).ToDictionary(e => e.Pdu.StatePair, e => e.Pdu.EventId);
        Assert.Equal(Lines(expected), Lines(snapshot));
        var members = (await fixture.Rooms.MembersAsync(record.RoomNid, [], default)).ToDictionary(m => m.UserId, m => m.Membership);
        var due = expected.Where(p => p.Key.Type == EventTypes.Member).ToDictionary(p => p.Key.Key, p => room.Dag.Find(p.Value)!.Membership!);
        Assert.Equal(due.OrderBy(m => m.Key), members.OrderBy(m => m.Key));
    }

    /// <summary>The state after each stored full event is what the DAG says.</summary>
    public async Task StatesAreRightAsync()
    {
        foreach (var e in await fixture.Events.ByIdsAsync([.. room.Events.Select(e => e.EventId)], default))
        {
            if ((e.Flags & EventFlags.Outlier) != 0 || e.SnapshotNid is not { } nid) continue;
            var state = (await fixture.States.EventsAsync(nid, default)).ToDictionary(s => s.Pdu.StatePair, s => s.Pdu.EventId);
            Assert.Equal(Lines(room.Dag.StateAfter(e.Pdu.EventId)), Lines(state));
        }
    }

    public async Task<List<string>> TimelineAsync()
    {
        var nid = (await fixture.Rooms.FindAsync(Id, default))!.RoomNid;
        return [.. (await fixture.Events.TimelineAsync(nid, long.MinValue, long.MaxValue, false, NoLimit, default)).Select(e => e.Pdu.EventId)];
    }

    private static List<string> Lines(IEnumerable<KeyValuePair<StateKey, string>> state) => [.. state.Select(p => $"{p.Key} {p.Value}").Order()];
}
