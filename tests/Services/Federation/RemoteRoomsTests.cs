using System.Text;
using Matrix.Crypto;
using Matrix.FederationClient;
using Matrix.FederationClient.Outbound;
using Matrix.FederationClient.Rooms;
using Matrix.Testing;
using Matrix.Testing.Federation;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace Matrix.ServiceTests.Federation;

/// <summary>Questions about rooms over HTTP: what is asked, and what becomes of answers that are none.</summary>
public sealed class RemoteRoomsTests : IAsyncLifetime
{
    private FakeRemoteServer server = null!;
    private FederationHttp http = null!;
    private (int Status, string Body) answer = (200, "{}");
    private string? sent;

    private RemoteRooms Rooms => new(http, NullLogger<RemoteRooms>.Instance);

    public async ValueTask InitializeAsync()
    {
        server = await FakeRemoteServer.StartAsync(routes => routes.Map("/_matrix/federation/{**rest}", async (HttpContext context) =>
        {
            using var reader = new StreamReader(context.Request.Body);
            sent = await reader.ReadToEndAsync();
            context.Response.StatusCode = answer.Status;
            await context.Response.WriteAsync(answer.Body);
        }));
        var us = TestServer.Named("test.example");
        http = new FederationHttp(new FederationClientOptions { VerifyCertificates = false }, new ServerIdentity(us.Name, us.Key, Ed25519.Default), TimeProvider.System);
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await server.DisposeAsync();
    }

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);

    [Fact]
    public async Task Each_question_is_asked_as_the_specification_says()
    {
        answer = (200, """{"events":[{"a":1},5,{"b":2},{"c":3}],"pdus":[{"d":4}],"auth_chain":[{"e":5}],"pdu_ids":["$x",7],"auth_chain_ids":["$y"]}""");
        var missing = await Rooms.GetMissingEventsAsync(server.Name, "!r/oom:x", ["$early"], ["$late"], 2, 7, default);
        Assert.Equal(["""{"a":1}""", """{"b":2}"""], missing!.Select(Text));
        Assert.Equal("""{"earliest_events":["$early"],"latest_events":["$late"],"limit":2,"min_depth":7}""", sent);
        var ids = await Rooms.GetStateIdsAsync(server.Name, "!r/oom:x", "$e", default);
        Assert.Equal("$x", Assert.Single(ids!.StateIds));
        Assert.Equal("$y", Assert.Single(ids.AuthChainIds));
        var state = await Rooms.GetStateAsync(server.Name, "!r/oom:x", "$e", default);
        Assert.Equal(("""{"d":4}""", """{"e":5}"""), (Text(Assert.Single(state!.State)), Text(Assert.Single(state.AuthChain))));
        Assert.Equal("""{"d":4}""", Text((await Rooms.GetEventAsync(server.Name, "$e", default))!.Value));
        Assert.Equal("""{"e":5}""", Text(Assert.Single((await Rooms.GetEventAuthAsync(server.Name, "!r/oom:x", "$e", default))!)));
        Assert.Equal("""{"d":4}""", Text(Assert.Single((await Rooms.BackfillAsync(server.Name, "!r/oom:x", ["$e", "$f"], 5, default))!)));
        Assert.Equal(
        [
            "POST /_matrix/federation/v1/get_missing_events/%21r%2Foom%3Ax", "GET /_matrix/federation/v1/state_ids/%21r%2Foom%3Ax?event_id=%24e",
            "GET /_matrix/federation/v1/state/%21r%2Foom%3Ax?event_id=%24e", "GET /_matrix/federation/v1/event/%24e",
            "GET /_matrix/federation/v1/event_auth/%21r%2Foom%3Ax/%24e", "GET /_matrix/federation/v1/backfill/%21r%2Foom%3Ax?limit=5&v=%24e&v=%24f",
        ], server.Requests);
    }

    [Fact]
    public async Task Where_an_alias_leads_is_told_by_its_server()
    {
        answer = (200, """{"room_id":"!r:x","servers":["a.example",5,"no server","a.example","b.example"]}""");
        var found = await Rooms.FindAliasAsync(server.Name, "#a b:x", default);
        Assert.Equal("!r:x", found!.RoomId);
        Assert.Equal(["a.example", "b.example"], found.Servers);
        Assert.Equal(["GET /_matrix/federation/v1/query/directory?room_alias=%23a%20b%3Ax"], server.Requests);
        foreach (var bad in new[] { "{}", """{"room_id":"r","servers":[]}""", """{"room_id":"!r:x"}""", """{"room_id":7,"servers":[]}""" })
        {
            answer = (200, bad);
            Assert.Null(await Rooms.FindAliasAsync(server.Name, "#a:x", default));
        }
        answer = (404, """{"errcode":"M_NOT_FOUND"}""");
        Assert.Null(await Rooms.FindAliasAsync(server.Name, "#a:x", default));
    }

    [Theory]
    [InlineData(404, "{}")]
    [InlineData(200, "")]
    [InlineData(200, "[]")]
    [InlineData(200, "{")]
    [InlineData(200, """{"events":{},"pdus":5,"auth_chain":null,"pdu_ids":"x","auth_chain_ids":[]}""")]
    [InlineData(200, """{"pdu_ids":["\ud800"],"auth_chain_ids":["\ud800"]}""")]
    public async Task An_answer_that_is_none_is_none(int status, string body)
    {
        answer = (status, body);
        Assert.Null(await Rooms.GetMissingEventsAsync(server.Name, "!r:x", [], ["$late"], 2, 0, default));
        Assert.Null(await Rooms.GetStateIdsAsync(server.Name, "!r:x", "$e", default));
        Assert.Null(await Rooms.GetStateAsync(server.Name, "!r:x", "$e", default));
        Assert.Null(await Rooms.GetEventAsync(server.Name, "$e", default));
        Assert.Null(await Rooms.GetEventAuthAsync(server.Name, "!r:x", "$e", default));
        Assert.Null(await Rooms.BackfillAsync(server.Name, "!r:x", ["$e"], 5, default));
    }

    [Fact]
    public async Task An_answer_that_is_too_long_and_a_server_that_is_not_there_are_none()
    {
        answer = (200, $$"""{"pdus":[{"x":"{{new string('x', 300_000)}}"}]}""");
        Assert.Null(await Rooms.GetEventAsync(server.Name, "$e", default));
        Assert.Null(await Rooms.GetEventAsync("localhost:1", "$e", default));
    }
}
