using System.Text;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.FederationClient.Keys;
using Matrix.FederationClient.Signing;
using Matrix.FederationInbound;
using Matrix.Replication;
using Matrix.Rooms.Ingest;
using Matrix.ServiceTests.EventPersister;
using Matrix.ServiceTests.EventPersister.Ingest;
using Matrix.ServiceTests.Hosting;
using Matrix.Storage.Accounts;
using Matrix.Storage.Federation;
using Matrix.Storage.Streams;
using Matrix.Testing;
using Matrix.Testing.Federation;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.ServiceTests.Federation;

/// <summary>Rooms as other servers read them, and the transactions that they send.</summary>
public sealed class FederationRoomTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>, IAsyncLifetime
{
    private static readonly TestUser Alice = TestUser.Of("@alice:remote.example"), Carol = TestUser.Of("@carol:third.example");
    private ServiceHost host = null!;

    public async ValueTask InitializeAsync() => host = await StartAsync();

    private Task<ServiceHost> StartAsync() => ServiceHost.StartAsync(
        fixture.ConnectionString, b => b.AddFederationInbound(), e => e.MapFederationInbound(), replace: services =>
        {
            services.Replace(ServiceDescriptor.Singleton<IKeyRing>(new TestKeyRing()));
            services.Replace(ServiceDescriptor.Singleton(fixture.One.Services.GetRequiredService<IPduIngest>()));
        });

    public async ValueTask DisposeAsync() => await host.DisposeAsync();

    private async Task<(int Status, JsonElement Body)> CallAsync(string server, HttpMethod method, string target, string? content = null)
    {
        var identity = TestServer.Named(server);
        ReadOnlyMemory<byte>? body = content is null ? default(ReadOnlyMemory<byte>?) : Encoding.UTF8.GetBytes(content);
        var header = XMatrix.Sign(new ServerIdentity(server, identity.Key, Ed25519.Default), ServiceHost.ServerName, method.Method, target, body);
        using var request = new HttpRequestMessage(method, target);
        request.Headers.TryAddWithoutValidation("Authorization", header.ToString());
        if (content is not null) request.Content = new StringContent(content, Encoding.UTF8, "application/json");
        using var response = await host.Http.SendAsync(request);
        return ((int)response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync()).RootElement.Clone());
    }

    private Task<(int Status, JsonElement Body)> GetAsync(string server, string target) => CallAsync(server, HttpMethod.Get, "/_matrix/federation/v1" + target);

    private static string E(string part) => Uri.EscapeDataString(part);

    private static List<string> Ids(Room room, JsonElement pdus) =>
        [.. pdus.EnumerateArray().Select(p => EventHashes.EventId(Encoding.UTF8.GetBytes(p.GetRawText()), room.RoomVersion))];

    private async Task<RemoteRoom> EnterAsync(int messages = 0, string version = "11")
    {
        var entered = await RemoteRoom.EnterAsync(fixture, version, await fixture.NewUserAsync(), Carol);
        for (var i = 0; i < messages; i++)
        {
            entered.Room.Say(Alice, $"{i}");
            await entered.AcceptedAsync(entered.Room.Last);
        }
        return entered;
    }

    [Theory]
    [InlineData("1")]
    [InlineData("11")]
    [InlineData("12")]
    public async Task State_and_what_it_rests_on_are_those_of_the_graph(string version)
    {
        var entered = await EnterAsync(version: version);
        var room = entered.Room;
        room.Set(Alice, EventTypes.Topic, """{"topic":"x"}""").Leave(Carol);
        await entered.AcceptedAsync([.. room.Events.TakeLast(2)]);
        var before = room.Dag.StateAfter(room.Last.PrevEvents).Values.Order().ToList();
        var ids = await GetAsync("remote.example", $"/state_ids/{E(room.RoomId)}?event_id={E(room.Last.EventId)}");
        Assert.Equal(200, ids.Status);
        Assert.Equal(before, ids.Body.GetProperty("pdu_ids").EnumerateArray().Select(i => i.GetString()!).Order());
        Assert.Equal(Chain(room, before).Order(), ids.Body.GetProperty("auth_chain_ids").EnumerateArray().Select(i => i.GetString()!).Order());
        var state = await GetAsync("remote.example", $"/state/{E(room.RoomId)}?event_id={E(room.Events[^2].EventId)}");
        Assert.Equal(room.Dag.StateAfter(room.Events[^2].PrevEvents).Values.Order(), Ids(room, state.Body.GetProperty("pdus")).Order());
        var authOf = await GetAsync("remote.example", $"/event_auth/{E(room.RoomId)}/{E(room.Last.EventId)}");
        Assert.Equal(Chain(room, [room.Last.EventId]).Order(), Ids(room, authOf.Body.GetProperty("auth_chain")).Order());
        var one = await GetAsync("remote.example", $"/event/{E(room.Last.EventId)}");
        Assert.Equal("test.example", one.Body.GetProperty("origin").GetString());
        Assert.Equal(room.Last.EventId, Assert.Single(Ids(room, one.Body.GetProperty("pdus"))));
    }

    private static HashSet<string> Chain(Room room, IEnumerable<string> of)
    {
        var chain = new HashSet<string>();
        var todo = new Stack<string>(of);
        while (todo.TryPop(out var id)) foreach (var auth in room.Dag.Find(id)!.AuthEvents) if (chain.Add(auth)) todo.Push(auth);
        return chain;
    }

    [Fact]
    public async Task History_is_walked_from_the_newest_back()
    {
        var entered = await EnterAsync(messages: 15);
        var room = entered.Room;
        var ids = room.Events.Select(e => e.EventId).ToList();
        var page = await GetAsync("remote.example", $"/backfill/{E(room.RoomId)}?v={E(ids[^3])}&limit=5");
        Assert.Equal(ids[^7..^2].AsEnumerable().Reverse(), Ids(room, page.Body.GetProperty("pdus")));
        var between = await CallAsync("remote.example", HttpMethod.Post, $"/_matrix/federation/v1/get_missing_events/{E(room.RoomId)}",
            $$"""{"earliest_events":["{{ids[^8]}}"],"latest_events":["{{ids[^2]}}"],"limit":20}""");
        Assert.Equal(ids[^7..^2], Ids(room, between.Body.GetProperty("events")));
        var few = await CallAsync("remote.example", HttpMethod.Post, $"/_matrix/federation/v1/get_missing_events/{E(room.RoomId)}",
            $$"""{"earliest_events":[],"latest_events":["{{ids[^2]}}"],"limit":3}""");
        Assert.Equal(ids[^5..^2], Ids(room, few.Body.GetProperty("events")));
    }

    [Fact]
    public async Task Who_takes_no_part_in_a_room_reads_nothing_of_it()
    {
        var entered = await EnterAsync(messages: 1);
        var room = E(entered.Id);
        var e = E(entered.Room.Last.EventId);
        string[] targets = [$"/state/{room}?event_id={e}", $"/state_ids/{room}?event_id={e}", $"/event_auth/{room}/{e}", $"/backfill/{room}?v={e}&limit=1", $"/event/{e}"];
        foreach (var target in targets) Assert.Equal(403, (await GetAsync("stranger.example", target)).Status);
        Assert.Equal(400, (await GetAsync("remote.example", $"/state_ids/{room}")).Status);
        Assert.Equal(404, (await GetAsync("remote.example", $"/state_ids/{room}?event_id=%24nothing")).Status);
        Assert.Equal(404, (await GetAsync("remote.example", "/event/%24nothing")).Status);
        // Neither does who is kept out by the room's access list.
        entered.Room.Set(Alice, EventTypes.ServerAcl, """{"allow":["*"],"deny":["third.example"]}""");
        await entered.AcceptedAsync(entered.Room.Last);
        foreach (var target in targets)
        {
            Assert.Equal(403, (await GetAsync("third.example", target)).Status);
            Assert.Equal(200, (await GetAsync("remote.example", target)).Status);
        }
        // An event of another room is not found through this one.
        var other = await EnterAsync(messages: 1);
        Assert.Equal(404, (await GetAsync("remote.example", $"/state_ids/{room}?event_id={E(other.Room.Last.EventId)}")).Status);
        Assert.Equal(404, (await GetAsync("remote.example", $"/event_auth/{room}/{E(other.Room.Last.EventId)}")).Status);
        Assert.Empty((await GetAsync("remote.example", $"/backfill/{room}?v={E(other.Room.Last.EventId)}&limit=9")).Body.GetProperty("pdus").EnumerateArray());
    }

    [Fact]
    public async Task What_a_server_may_not_see_it_gets_without_content()
    {
        var entered = await EnterAsync();
        var room = entered.Room;
        room.Set(Alice, EventTypes.HistoryVisibility, """{"history_visibility":"joined"}""").Say(Alice, "before dave");
        var hidden = room.Last;
        var dave = TestUser.Of("@dave:late.example");
        room.Join(dave).Say(Alice, "with dave");
        await entered.AcceptedAsync([.. room.Events.TakeLast(4)]);
        async Task<string> ContentAsync(string server, Pdu e) =>
            (await GetAsync(server, $"/event/{E(e.EventId)}")).Body.GetProperty("pdus")[0].GetProperty("content").GetRawText();
        Assert.Equal("{}", await ContentAsync("late.example", hidden));
        Assert.Contains("with dave", await ContentAsync("late.example", room.Last), StringComparison.Ordinal);
        Assert.Contains("before dave", await ContentAsync("remote.example", hidden), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_an_erased_user_said_goes_without_content_to_servers_that_came_later()
    {
        var bob = await fixture.NewUserAsync(displayName: "Okapi");
        var entered = await RemoteRoom.EnterAsync(fixture, "11", bob, Carol);
        var room = entered.Room;
        (await bob.SetStateAsync(entered.Id, "m.room.member", bob.Id, new { membership = "join", displayname = "Okapi Junior" })).Ok();
        var said = (await bob.SendAsync(entered.Id, "okapi")).Ok().EventId;
        room.Join(TestUser.Of("@dave:later.example")).Say(Alice, "with dave");
        await entered.AcceptedAsync([.. room.Events.TakeLast(2)]);
        var last = (await bob.SendAsync(entered.Id, "next")).Ok().EventId;
        Task<(int Status, JsonElement Body)>[] Questions(string server) =>
        [
            GetAsync(server, $"/event/{E(said)}"), GetAsync(server, $"/backfill/{E(room.RoomId)}?v={E(said)}&limit=2"), GetAsync(server, $"/state/{E(room.RoomId)}?event_id={E(said)}"),
            GetAsync(server, $"/event_auth/{E(room.RoomId)}/{E(said)}"),
            CallAsync(server, HttpMethod.Post, $"/_matrix/federation/v1/get_missing_events/{E(room.RoomId)}", $$"""{"earliest_events":[],"latest_events":["{{last}}"],"limit":20}"""),
        ];
        async Task<string> TellAsync(string server) =>
            string.Concat((await Task.WhenAll(Questions(server))).Select(a => a.Body.GetRawText().Contains("okapi", StringComparison.OrdinalIgnoreCase) ? '+' : '-'));
        Assert.Equal("+++++", await TellAsync("later.example"));
        var batches = await new AccountStore(fixture.Database).DeactivateAsync(bob.Id, erase: true, 0, default);
        await host.Services.GetRequiredService<IStreamPublisher>().PublishAllAsync(batches);
        Assert.Equal("-----", await TellAsync("later.example"));
        Assert.Equal("+++++", await TellAsync("remote.example"));
    }

    private static string Transaction(params Pdu[] pdus) => $$"""{"origin":"x","origin_server_ts":1,"pdus":[{{string.Join(',', pdus.Select(p => Encoding.UTF8.GetString(p.Json.Span)))}}]}""";

    private Task<(int Status, JsonElement Body)> SendAsync(string server, string transaction) =>
        CallAsync(server, HttpMethod.Put, $"/_matrix/federation/v1/send/{User.NewTxn()}", transaction);

    /// <summary>Until nothing is kept for that room any more; each look is a query.</summary>
    private async Task JudgedAsync(string roomId)
    {
        for (var i = 0; i < 100_000; i++)
            if (await fixture.CountAsync("select count(*) from inbound_pdus where room_id = $1", roomId) == 0) return;
        Assert.Fail("The events were not handed over.");
    }

    [Fact]
    public async Task Events_of_a_transaction_enter_their_rooms()
    {
        var (one, two) = (await EnterAsync(), await EnterAsync());
        one.Room.Say(Alice, "1").Say(Alice, "2");
        two.Room.Say(Carol, "3");
        var nowhere = Room.Version("11").Public().With(Alice).Say(Alice, "nobody here");
        var (status, answer) = await SendAsync("remote.example", Transaction([.. one.Room.Events.TakeLast(2), two.Room.Last, nowhere.Last]));
        Assert.Equal(200, status);
        var pdus = answer.GetProperty("pdus");
        Assert.Equal(3, pdus.EnumerateObject().Count());
        Assert.All(pdus.EnumerateObject(), p => Assert.Empty(p.Value.EnumerateObject()));
        await JudgedAsync(one.Id);
        await JudgedAsync(two.Id);
        Assert.Equal(one.Room.Events.TakeLast(2).Select(e => e.EventId), (await one.TimelineAsync()).TakeLast(2));
        Assert.Contains(two.Room.Last.EventId, await two.TimelineAsync());
        Assert.Equal(200, (await SendAsync("remote.example", Transaction(two.Room.Last))).Status);
        Assert.Single(await two.TimelineAsync(), two.Room.Last.EventId);
    }

    [Fact]
    public async Task What_was_acknowledged_is_judged_though_the_process_died()
    {
        var entered = await EnterAsync();
        entered.Room.Say(Alice, "kept");
        var e = entered.Room.Last;
        // As a process leaves it that dies after its answer.
        await new InboundStore(fixture.Database).StageAsync([new InboundPdu(entered.Id, e.EventId, "remote.example", e.Json.ToArray())], 0, default);
        await using (await StartAsync()) await JudgedAsync(entered.Id);
        Assert.Contains(e.EventId, await entered.TimelineAsync());
    }

    [Fact]
    public async Task A_transaction_has_limits_and_says_what_it_did_not_take()
    {
        var entered = await EnterAsync();
        var room = entered.Room;
        room.Say(Alice, "x");
        Assert.Equal(400, (await SendAsync("remote.example", Transaction([.. Enumerable.Repeat(room.Last, 51)]))).Status);
        var edus = string.Join(',', Enumerable.Repeat("""{"edu_type":"m.typing","content":{}}""", 101));
        Assert.Equal(400, (await SendAsync("remote.example", $$"""{"origin":"x","pdus":[],"edus":[{{edus}}]}""")).Status);
        Assert.Equal(400, (await SendAsync("remote.example", """{"origin":"x"}""")).Status);
        Assert.Equal(200, (await SendAsync("remote.example", """{"pdus":[5,"x",{},{"room_id":7}]}""")).Status);
        var forged = EventSigning.SignEvent(Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(room.Last.Json.Span).Replace(Alice.Id, Carol.Id, StringComparison.Ordinal)),
            room.RoomVersion, "remote.example", TestServer.Named("remote.example").Key, Ed25519.Default);
        var answer = await SendAsync("remote.example", $$"""{"pdus":[{"room_id":"!a\u0000b:x.example"},{{Encoding.UTF8.GetString(forged)}}]}""");
        Assert.Contains("signature", Assert.Single(answer.Body.GetProperty("pdus").EnumerateObject()).Value.GetProperty("error").GetString(), StringComparison.Ordinal);
        room.Set(Alice, EventTypes.ServerAcl, """{"allow":["*"],"deny":["third.example"]}""");
        await entered.AcceptedAsync([.. room.Events.TakeLast(2)]);
        room.Say(Carol, "kept out");
        var denied = await SendAsync("third.example", Transaction(room.Last));
        Assert.NotNull(Assert.Single(denied.Body.GetProperty("pdus").EnumerateObject()).Value.GetProperty("error").GetString());
        Assert.Empty(await fixture.Events.ByIdsAsync([room.Last.EventId], default));
    }
}
