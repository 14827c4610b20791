using System.Text;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.Rooms.Ingest;
using Matrix.Testing;

namespace Matrix.ServiceTests.EventPersister.Ingest;

/// <summary>What somebody makes who means harm: it gets a verdict, its room goes on, other rooms are not touched.</summary>
public sealed class HostileTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    private static readonly TestUser Alice = TestUser.Of("@alice:remote.example"), Carol = TestUser.Of("@carol:third.example");

    /// <summary>A message of alice with other members, hashed and signed as they are.</summary>
    private static byte[] Signed(Room room, string? content = null, string[]? prev = null, string[]? auth = null, long? depth = null, TestUser? sender = null, string? type = null)
    {
        sender ??= Alice;
        type ??= EventTypes.Message;
        var authIds = auth ?? [.. AuthRules.SelectKeys(type, null, sender.Id, default, room.RoomVersion).Select(k => room.State.GetValueOrDefault(k)).OfType<string>()];
        string Refs(string[] ids) => string.Join(',', ids.Select(id => room.RoomVersion.ReferencesHaveHashes ? $"[\"{id}\",{{}}]" : $"\"{id}\""));
        var body = $$"""
            {"auth_events":[{{Refs(authIds)}}],"content":{{content ?? """{"body":"x"}"""}},"depth":{{depth ?? room.Last.Depth + 1}},"origin_server_ts":1,
            "prev_events":[{{Refs(prev ?? [room.Last.EventId])}}],"room_id":"{{room.RoomId}}","sender":"{{sender.Id}}","type":"{{type}}"}
            """;
        var bytes = Encoding.UTF8.GetBytes(body);
        string hash;
        try { hash = Matrix.Primitives.UnpaddedBase64.Encode(EventHashes.ContentHash(bytes)); }
        catch (ArgumentException) { return bytes; }
        var hashed = Encoding.UTF8.GetBytes(body[..body.LastIndexOf('}')] + $",\"hashes\":{{\"sha256\":\"{hash}\"}}}}");
        return EventSigning.SignEvent(hashed, room.RoomVersion, sender.Server.Name, sender.Server.Key, Ed25519.Default);
    }

    public static TheoryData<string, IngestVerdict> Bad => new()
    {
        { "deep", IngestVerdict.Dropped }, { "huge number", IngestVerdict.Dropped }, { "oversize", IngestVerdict.Dropped }, { "21 parents", IngestVerdict.Dropped },
        { "11 auth events", IngestVerdict.Dropped }, { "negative depth", IngestVerdict.Dropped }, { "unknown auth event", IngestVerdict.Dropped },
        { "unknown parent", IngestVerdict.Dropped }, { "no parents", IngestVerdict.Rejected }, { "no auth events", IngestVerdict.Rejected },
        { "twice the same auth event", IngestVerdict.Rejected }, { "auth event that does not count", IngestVerdict.Rejected },
        { "another server's signature", IngestVerdict.Dropped }, { "stranger", IngestVerdict.Rejected }, { "long type", IngestVerdict.Dropped },
        { "greatest depth", IngestVerdict.Accepted },
    };

    [Theory, MemberData(nameof(Bad))]
    public async Task What_is_wrong_with_an_event_is_its_verdict_and_the_room_goes_on(string what, IngestVerdict expected)
    {
        var bob = await fixture.NewUserAsync();
        var entered = await RemoteRoom.EnterAsync(fixture, "11", bob, Carol);
        var room = entered.Room;
        string Id(int n) => $"${n}{new string('a', 42)}"[..44];
        string[] auth = [.. AuthRules.SelectKeys(EventTypes.Message, null, Alice.Id, default, room.RoomVersion).Select(k => room.State[k])];
        var json = what switch
        {
            "deep" => Signed(room, $$"""{"a":{{new string('[', 5_000)}}{{new string(']', 5_000)}}}"""),
            "huge number" => Signed(room, """{"a":123456789012345678901234567890}"""),
            "oversize" => Signed(room, $$"""{"a":"{{new string('x', 66_000)}}"}"""),
            "21 parents" => Signed(room, prev: [.. Enumerable.Range(10, 21).Select(Id)]),
            "11 auth events" => Signed(room, auth: [.. Enumerable.Range(10, 11).Select(Id)]),
            "negative depth" => Signed(room, depth: -5),
            "greatest depth" => Signed(room, depth: 9_007_199_254_740_991),
            "unknown auth event" => Signed(room, auth: [.. auth, Id(1)]),
            "unknown parent" => Signed(room, prev: [Id(2)]),
            "no parents" => Signed(room, prev: []),
            "no auth events" => Signed(room, auth: []),
            "twice the same auth event" => Signed(room, auth: [.. auth, auth[0]]),
            "auth event that does not count" => Signed(room, auth: [.. auth, room.State[new StateKey(EventTypes.Member, Carol.Id)]]),
            "another server's signature" => Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(Signed(room)).Replace("remote.example\":{", "third.example\":{", StringComparison.Ordinal)),
            "stranger" => Signed(room, sender: TestUser.Of("@eve:evil.example")),
            _ => Signed(room, type: new string('t', 256)),
        };
        var result = await RemoteRoom.Ingestor(fixture.One).IngestAsync(new PduIngest(room.RoomId, RemoteRoom.Origin, IngestMode.Live, [json]), default);
        var pdu = Assert.Single(result.Pdus);
        Assert.True(pdu.Verdict == expected, $"{pdu.Verdict}: {pdu.Reason}");
        Assert.Equal(expected != IngestVerdict.Accepted, pdu.Reason is not null);
        (await bob.SendAsync(entered.Id, "goes on")).Ok();
        await entered.IsAtAsync(room);
    }

    [Theory]
    [InlineData("1")]
    [InlineData("11")]
    [InlineData("12")]
    public async Task An_event_of_one_room_counts_for_nothing_in_another(string version)
    {
        var bob = await fixture.NewUserAsync();
        var mine = await RemoteRoom.EnterAsync(fixture, version, bob, Carol);
        var other = await RemoteRoom.EnterAsync(fixture, version, bob, Carol);
        var (room, there) = (mine.Room, other.Room);
        var timeline = await other.TimelineAsync();
        string[] foreign = [.. AuthRules.SelectKeys(EventTypes.Message, null, Alice.Id, default, room.RoomVersion).Select(k => there.State[k])];
        foreach (var json in new[] { Signed(room, auth: foreign), Signed(room, prev: [there.Last.EventId]), Signed(room, prev: [room.Last.EventId, there.Last.EventId]), Signed(there) })
        {
            var result = await RemoteRoom.Ingestor(fixture.One).IngestAsync(new PduIngest(room.RoomId, RemoteRoom.Origin, IngestMode.Live, [json]), default);
            Assert.Contains(Assert.Single(result.Pdus).Verdict, new[] { IngestVerdict.Dropped, IngestVerdict.Rejected });
        }
        Assert.Equal(timeline, await other.TimelineAsync());
        await mine.IsAtAsync(room);
        await other.IsAtAsync(there);
        Assert.Equal([room.Last.EventId], await mine.ExtremitiesAsync());
        Assert.Equal(0, await fixture.CountAsync(
            "select count(*) from events a, unnest(a.prev_nids || a.auth_nids) as n(nid) join events b on b.event_nid = n.nid where a.room_nid <> b.room_nid"));
    }

    [Fact]
    public async Task An_id_that_a_server_gave_twice_stays_with_its_first_event()
    {
        var bob = await fixture.NewUserAsync();
        var mine = await RemoteRoom.EnterAsync(fixture, "1", bob, Carol);
        var other = await RemoteRoom.EnterAsync(fixture, "1", bob, Carol);
        mine.Room.Say(Alice, "first");
        await mine.AcceptedAsync(mine.Room.Last);
        // The same id in another room, and with other content in the same one; and one that is its own parent.
        foreach (var target in new[] { other, mine })
        {
            var forged = Encoding.UTF8.GetString(target == mine ? Signed(mine.Room, prev: mine.Room.Last.PrevEvents) : Signed(other.Room));
            var bytes = Encoding.UTF8.GetBytes(forged.Replace("\"origin_server_ts\"", $"\"event_id\":\"{mine.Room.Last.EventId}\",\"origin_server_ts\"", StringComparison.Ordinal));
            var result = await RemoteRoom.Ingestor(fixture.One).IngestAsync(
                new PduIngest(target.Id, RemoteRoom.Origin, IngestMode.Live, [bytes], SignaturesChecked: true), default);
            Assert.Equal(target == mine ? IngestVerdict.Known : IngestVerdict.Dropped, Assert.Single(result.Pdus).Verdict);
        }
        var own = Encoding.UTF8.GetString(Signed(mine.Room, prev: ["$own:remote.example"])).Replace("\"origin_server_ts\"", "\"event_id\":\"$own:remote.example\",\"origin_server_ts\"", StringComparison.Ordinal);
        var cycle = await RemoteRoom.Ingestor(fixture.One).IngestAsync(
            new PduIngest(mine.Id, RemoteRoom.Origin, IngestMode.Live, [Encoding.UTF8.GetBytes(own)], SignaturesChecked: true), default);
        Assert.Equal(IngestVerdict.Dropped, Assert.Single(cycle.Pdus).Verdict);
        Assert.Equal("first", (await mine.StoredAsync(mine.Room.Last.EventId)).Pdu.ContentString("body"u8));
        (await bob.SendAsync(mine.Id, "goes on")).Ok();
        (await bob.SendAsync(other.Id, "goes on")).Ok();
    }
}
