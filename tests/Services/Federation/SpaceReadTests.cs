using System.Text.Json;
using Matrix.Crypto;
using Matrix.FederationClient.Keys;
using Matrix.FederationClient.Signing;
using Matrix.FederationInbound;
using Matrix.ServiceTests.EventPersister;
using Matrix.ServiceTests.Hosting;
using Matrix.Testing;
using Matrix.Testing.Federation;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.ServiceTests.Federation;

/// <summary>Spaces and times as other servers ask for them. Spec: server-server-api/#spaces, openapi/server-server/events.yaml</summary>
public sealed class SpaceReadTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>, IAsyncLifetime
{
    private ServiceHost host = null!;

    public async ValueTask InitializeAsync() => host = await ServiceHost.StartAsync(
        fixture.ConnectionString, b => b.AddFederationInbound(), e => e.MapFederationInbound(), replace: s => s.Replace(ServiceDescriptor.Singleton<IKeyRing>(new TestKeyRing())));

    public async ValueTask DisposeAsync() => await host.DisposeAsync();

    private static string E(string part) => Uri.EscapeDataString(part);

    private async Task<(int Status, JsonElement Body)> GetAsync(string server, string path)
    {
        var target = "/_matrix/federation/v1" + path;
        var header = XMatrix.Sign(new ServerIdentity(server, TestServer.Named(server).Key, Ed25519.Default), ServiceHost.ServerName, "GET", target, default(ReadOnlyMemory<byte>?));
        using var request = new HttpRequestMessage(HttpMethod.Get, target);
        request.Headers.TryAddWithoutValidation("Authorization", header.ToString());
        using var response = await host.Http.SendAsync(request);
        return ((int)response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync()).RootElement.Clone());
    }

    private static string[] Ids(JsonElement rooms) => [.. rooms.EnumerateArray().Select(r => r.GetProperty("room_id").GetString()!)];

    private static Task<string> SpaceAsync(User user, string preset = "public_chat") => user.CreateRoomAsync(new { preset, creation_content = new { type = "m.space" } });

    [Fact]
    public async Task A_space_is_told_with_the_children_that_the_asking_server_may_enter()
    {
        var alice = await fixture.NewUserAsync();
        var (space, sub, leaf, suggested, closed, far) = (await SpaceAsync(alice), await SpaceAsync(alice), await alice.CreateRoomAsync(new { preset = "public_chat" }),
            await alice.CreateRoomAsync(new { preset = "public_chat" }), await alice.CreateRoomAsync(), "!far:one.example");
        foreach (var (room, order) in new[] { (sub, "a"), (suggested, "b"), (closed, "c"), (far, "d") })
            (await alice.SetStateAsync(space, "m.space.child", room, new { via = new[] { "test.example" }, order, suggested = room == suggested })).Ok();
        (await alice.SetStateAsync(sub, "m.space.child", leaf, new { via = new[] { "test.example" } })).Ok();
        var (status, body) = await GetAsync("one.example", $"/hierarchy/{E(space)}");
        Assert.Equal(200, status);
        Assert.Equal(space, body.GetProperty("room").GetProperty("room_id").GetString());
        Assert.Equal([sub, suggested, closed, far], body.GetProperty("room").GetProperty("children_state").EnumerateArray().Select(c => c.GetProperty("state_key").GetString()));
        Assert.Equal([sub, suggested], Ids(body.GetProperty("children")));
        Assert.Equal(leaf, body.GetProperty("children")[0].GetProperty("children_state")[0].GetProperty("state_key").GetString());
        // What this server does not know is left out altogether.
        Assert.Equal([closed], body.GetProperty("inaccessible_children").EnumerateArray().Select(c => c.GetString()));
        Assert.Equal([suggested], Ids((await GetAsync("one.example", $"/hierarchy/{E(space)}?suggested_only=true")).Body.GetProperty("children")));
        Assert.Equal(404, (await GetAsync("one.example", $"/hierarchy/{E(closed)}")).Status);
        Assert.Equal(404, (await GetAsync("one.example", "/hierarchy/%21nothing%3Atest.example")).Status);
    }

    [Fact]
    public async Task Members_of_the_room_that_lets_them_in_and_their_server_see_it()
    {
        var bob = await fixture.NewUserAsync();
        var club = (await Matrix.ServiceTests.EventPersister.Ingest.RemoteRoom.EnterAsync(fixture, "11", bob)).Id;
        var room = await bob.CreateRoomAsync(new
        {
            initial_state = new[] { new { type = "m.room.join_rules", content = new { join_rule = "restricted", allow = new[] { new { type = "m.room_membership", room_id = club } } } } },
        });
        Assert.Equal(200, (await GetAsync("remote.example", $"/hierarchy/{E(room)}")).Status);
        Assert.Equal(404, (await GetAsync("one.example", $"/hierarchy/{E(room)}")).Status);
        Assert.Equal(200, (await GetAsync("remote.example", $"/hierarchy/{E(club)}")).Status);
    }

    [Fact]
    public async Task A_server_that_the_room_has_banned_is_told_nothing()
    {
        var alice = await fixture.NewUserAsync();
        var space = await SpaceAsync(alice);
        (await alice.SetStateAsync(space, "m.room.server_acl", "", new { allow = new[] { "*" }, deny = new[] { "bad.example" } })).Ok();
        Assert.Equal(403, (await GetAsync("bad.example", $"/hierarchy/{E(space)}")).Status);
        Assert.Equal(200, (await GetAsync("good.example", $"/hierarchy/{E(space)}")).Status);
    }

    [Fact]
    public async Task The_event_closest_to_a_time_is_told_to_servers_in_the_room()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await Matrix.ServiceTests.EventPersister.Ingest.RemoteRoom.EnterAsync(fixture, "11", bob);
        var said = (await bob.SendAsync(entered.Id, "hello")).Ok().EventId;
        var sent = (await entered.StoredAsync(said)).Pdu.OriginServerTs;
        string Path(long ts, string dir) => $"/timestamp_to_event/{E(entered.Id)}?ts={ts}&dir={dir}";
        var (status, body) = await GetAsync("remote.example", Path(sent, "f"));
        Assert.Equal((200, said, sent), (status, body.GetProperty("event_id").GetString(), body.GetProperty("origin_server_ts").GetInt64()));
        Assert.Equal(said, (await GetAsync("remote.example", Path(sent + 1_000_000, "b"))).Body.GetProperty("event_id").GetString());
        Assert.Equal(404, (await GetAsync("remote.example", Path(sent + 1, "f"))).Status);
        Assert.Equal(403, (await GetAsync("one.example", Path(sent, "f"))).Status);
        Assert.Equal(400, (await GetAsync("remote.example", Path(sent, "x"))).Status);
        Assert.Equal(400, (await GetAsync("remote.example", $"/timestamp_to_event/{E(entered.Id)}?dir=f")).Status);
    }
}
