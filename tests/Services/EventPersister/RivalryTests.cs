using Matrix.Replication;

namespace Matrix.ServiceTests.EventPersister;

/// <summary>Two persisters with one room between them, and clients that say things twice.</summary>
public sealed class RivalryTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    [Fact]
    public async Task Two_persisters_fighting_for_a_room_lose_nothing_and_fork_nothing()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        var sent = await Task.WhenAll(Enumerable.Range(0, 200).Select(async i =>
        {
            var host = i % 2 == 0 ? fixture.One : fixture.Two;
            PersisterHost.Answer answer;
            // The room may be busy beyond patience: that is said, and nothing is written.
            do answer = await alice.At(host).SendAsync(room, $"m{i}", $"rival{i}"); while (answer.Status == 503);
            return answer.Ok().EventId;
        }));
        var timeline = await fixture.TimelineAsync(room);
        var messages = timeline.Where(e => e.Pdu.Type == "m.room.message").Select(e => e.Pdu.EventId).ToList();
        Assert.Equal(sent.Order(), messages.Order());
        for (var i = 1; i < timeline.Count; i++)
        {
            Assert.Equal([timeline[i - 1].Pdu.EventId], timeline[i].Pdu.PrevEvents);
            Assert.True(timeline[i].Position > timeline[i - 1].Position);
        }
    }

    [Fact]
    public async Task State_of_both_persisters_is_one_state()
    {
        var alice = await fixture.NewUserAsync();
        var bob = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync(new { preset = "public_chat" });
        (await alice.SendAsync(room, "held by one")).Ok();
        (await bob.At(fixture.Two).JoinAsync(room)).Ok();
        // The first has not seen the join happen here: it is not denied from memory.
        (await bob.At(fixture.One).SendAsync(room, "hello")).Ok();
        (await alice.At(fixture.Two).ActAsync(room, "ban", bob)).Ok();
        (await bob.At(fixture.One).SendAsync(room, "no more")).Is(403, "M_FORBIDDEN");
        (await alice.At(fixture.One).ActAsync(room, "unban", bob)).Ok();
        (await bob.At(fixture.Two).JoinAsync(room)).Ok();
    }

    /// <summary>Hears nothing and says nothing.</summary>
    private sealed class Deaf : IReplicationBus
    {
        public bool IsConnected => true;
        public long Interruptions => 0;
        public ValueTask PublishAsync(StreamFrame frame, CancellationToken ct) => ValueTask.CompletedTask;
        public IAsyncDisposable Subscribe(IReadOnlyCollection<StreamDefinition> streams, Func<StreamFrame, ValueTask> onFrame) => new Nothing();
        public ValueTask<long> PublishEphemeralAsync(StreamDefinition stream, string key, ReadOnlyMemory<byte> payload, CancellationToken ct) => ValueTask.FromResult(0L);
        public ValueTask<long> GetEphemeralPositionAsync(StreamDefinition stream, CancellationToken ct) => ValueTask.FromResult(0L);
        public ValueTask<EphemeralPage?> TryReadEphemeralAsync(StreamDefinition stream, long from, int limit, CancellationToken ct) => ValueTask.FromResult<EphemeralPage?>(null);

        private sealed class Nothing : IAsyncDisposable
        {
            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }

    [Fact]
    public async Task A_persister_that_hears_nothing_denies_nothing_from_memory()
    {
        await using var deaf = await PersisterHost.StartAsync("deaf", fixture.ConnectionString, new Deaf());
        for (var round = 0; round < 5; round++)
        {
            var alice = await fixture.NewUserAsync();
            var bob = await fixture.NewUserAsync();
            var room = await alice.CreateRoomAsync(new { preset = "public_chat", name = "old" });
            (await alice.At(deaf).SendAsync(room, "into its memory")).Ok();
            (await bob.At(deaf).SendAsync(room, "not yet")).Is(403, "M_FORBIDDEN");
            (await bob.JoinAsync(room)).Ok();
            (await bob.At(deaf).SendAsync(room, "now")).Ok();
            // Nor does it answer with an event that is not the state any more.
            var renamed = (await alice.SetStateAsync(room, "m.room.name", "", new { name = "new" })).Ok().EventId;
            var back = (await alice.At(deaf).SetStateAsync(room, "m.room.name", "", new { name = "old" })).Ok().EventId;
            Assert.Equal(back, (await fixture.StateAsync(room))[new("m.room.name", "")].Pdu.EventId);
            Assert.NotEqual(renamed, back);
        }
    }

    [Fact]
    public async Task A_repeated_transaction_is_one_event_even_at_once_and_on_two_persisters()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        for (var round = 0; round < 10; round++)
        {
            var txn = User.NewTxn();
            var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(async i =>
                (await alice.At(i % 2 == 0 ? fixture.One : fixture.Two).SendAsync(room, "once", txn)).Ok().EventId));
            Assert.Single(answers.Distinct());
        }
        Assert.Equal(10, (await fixture.TimelineAsync(room)).Count(e => e.Pdu.Type == "m.room.message"));
    }

    [Fact]
    public async Task A_transaction_is_remembered_after_a_restart()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        var id = (await alice.SendAsync(room, "once", "the-txn")).Ok().EventId;
        await using var third = await PersisterHost.StartAsync("three", fixture.ConnectionString, fixture.Bus);
        Assert.Equal(id, (await alice.At(third).SendAsync(room, "once", "the-txn")).Ok().EventId);
        Assert.NotEqual(id, (await alice.At(third).SendAsync(room, "once", "another")).Ok().EventId);
        // The same transaction in another room is another send.
        var elsewhere = await alice.CreateRoomAsync();
        Assert.NotEqual(id, (await alice.SendAsync(elsewhere, "once", "the-txn")).Ok().EventId);
    }

    [Fact]
    public async Task A_membership_with_a_transaction_is_changed_once()
    {
        var alice = await fixture.NewUserAsync();
        var bob = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync(new { preset = "public_chat" });
        var path = $"/rooms/{Uri.EscapeDataString(room)}";
        (await bob.PutAsync($"/join/{Uri.EscapeDataString(room)}/same", "{}")).Ok();
        (await alice.PutAsync($"{path}/kick/same", new { user_id = bob.Id })).Ok();
        (await alice.PutAsync($"{path}/kick/same", new { user_id = bob.Id })).Ok();
        // Refused now, but it was not when it was said first; that holds on a persister that knows nothing of it.
        (await alice.At(fixture.Two).PutAsync($"{path}/kick/same", new { user_id = bob.Id })).Ok();
        (await alice.At(fixture.Two).PutAsync($"{path}/kick/other", new { user_id = bob.Id })).Is(403, "M_FORBIDDEN");
        (await bob.PutAsync($"{path}/join/again", "{}")).Ok();
        // The kick is a repetition, not another kick.
        (await alice.PutAsync($"{path}/kick/same", new { user_id = bob.Id })).Ok();
        Assert.Equal("join", (await fixture.StateAsync(room))[new("m.room.member", bob.Id)].Pdu.Membership);
        (await alice.SendAsync(room, "x", "same")).Ok();
    }

    [Fact]
    public async Task A_known_transaction_does_not_disturb_others_of_its_group()
    {
        var alice = await fixture.NewUserAsync();
        var rooms = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => alice.CreateRoomAsync()));
        var first = await Task.WhenAll(rooms.Select(async r => (await alice.SendAsync(r, "a", "known")).Ok().EventId));
        await using var third = await PersisterHost.StartAsync("four", fixture.ConnectionString, fixture.Bus);
        var again = await Task.WhenAll(rooms.SelectMany(r => new[] { alice.At(third).SendAsync(r, "a", "known"), alice.At(third).SendAsync(r, "b", "fresh") }));
        Assert.Equal(first.Order(), again.Where((_, i) => i % 2 == 0).Select(a => a.Ok().EventId).Order());
        Assert.Equal(8, again.Where((_, i) => i % 2 == 1).Select(a => a.Ok().EventId).Distinct().Count());
    }
}
