using System.Text;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.EventPersister.Policy;
using Matrix.Events;
using Matrix.FederationClient.Policy;
using Matrix.Rooms.Ingest;
using Matrix.ServiceTests.EventPersister.Ingest;
using Matrix.Storage.Events;
using Matrix.Storage.Federation;
using Matrix.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.EventPersister;

/// <summary>Rooms whose events a policy server recommends. Spec: server-server-api/#policy-servers</summary>
public sealed class PolicyServerTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>, IDisposable
{
    private const string Server = "third.example";
    private static readonly TestUser Alice = TestUser.Of("@alice:remote.example"), Carol = TestUser.Of("@carol:third.example");

    // The fake is shared by the tests of this class, which run one after the other.
    public void Dispose() => fixture.Policies.IsAway = false;

    private string PolicyOf(string server) => JsonSerializer.Serialize(fixture.Policies.Content(server));

    /// <summary>A room with a policy, which bob joins.</summary>
    private async Task<RemoteRoom> EnterAsync(User bob, string? policy = null)
    {
        var room = Room.Version("11").Public().With(Alice, Carol);
        room.Set(Alice, "m.room.policy", policy ?? PolicyOf(Server));
        fixture.Remote.Know(room);
        var entered = new RemoteRoom(fixture, room);
        await entered.EnterAsync(TestUser.Of(bob.Id));
        return entered;
    }

    private async Task<bool> IsSignedAsync(string eventId)
    {
        var json = (await fixture.Events.ByIdsAsync([eventId], default)).Single().Pdu.Json;
        return EventSigning.VerifyEvent(json.Span, RoomVersions.Find("11")!, Server, IPolicyServers.KeyId, fixture.Policies.Key.PublicKey, Ed25519.Default);
    }

    private Pdu Signed(Pdu pdu) => Pdu.ReadTrusted(EventSigning.SignEvent(pdu.Json.Span, pdu.Version, Server, fixture.Policies.Key, Ed25519.Default), pdu.Version, pdu.EventId);

    [Fact]
    public async Task What_is_sent_here_is_signed_there_first()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await EnterAsync(bob);
        var said = (await bob.SendAsync(entered.Id, "hello")).Ok().EventId;
        Assert.True(await IsSignedAsync(said));
        // With our own signature as before.
        var stored = (await fixture.Events.ByIdsAsync([said], default)).Single().Pdu;
        Assert.Contains(EventSigning.Signatures(stored.Json.Span), s => s.Server == PersisterFixture.ServerName);
        Assert.Single(fixture.Policies.Asked(entered.Id));
    }

    [Fact]
    public async Task What_the_policy_server_refuses_is_not_sent_and_the_client_hears_why()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await EnterAsync(bob);
        var refused = (await bob.SendAsync(entered.Id, fixture.Policies.Spam)).Is(400, "M_FORBIDDEN");
        Assert.Equal("spam", refused.Text("error"));
        var said = (await bob.SendAsync(entered.Id, "something else")).Ok().EventId;
        Assert.Equal([entered.Room.Last.EventId], (await entered.StoredAsync(said)).Pdu.PrevEvents);
    }

    [Fact]
    public async Task A_policy_server_that_is_away_lets_nothing_through_but_its_own_end()
    {
        var bob = await fixture.NewUserAsync();
        var room = Room.Version("11").Public().With(Alice, Carol);
        room.Join(TestUser.Of(bob.Id)).Levels(Alice, (Alice, 100), (TestUser.Of(bob.Id), 100)).Set(Alice, "m.room.policy", PolicyOf(Server)).Leave(TestUser.Of(bob.Id));
        fixture.Remote.Know(room);
        var entered = new RemoteRoom(fixture, room);
        await entered.EnterAsync(TestUser.Of(bob.Id));
        fixture.Policies.IsAway = true;
        (await bob.SendAsync(entered.Id, "hello")).Is(503, "M_UNKNOWN");
        // It is left alone for a while.
        (await bob.SendAsync(entered.Id, "hello?")).Is(503, "M_UNKNOWN");
        Assert.Single(fixture.Policies.Asked(entered.Id));
        (await bob.SetStateAsync(entered.Id, "m.room.policy", "other", new { })).Is(503, "M_UNKNOWN");
        (await bob.SetStateAsync(entered.Id, "m.room.policy", "", new { })).Ok();
        (await bob.SendAsync(entered.Id, "hello!")).Ok();
    }

    [Fact]
    public async Task A_signature_with_another_key_is_none()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await EnterAsync(bob);
        var key = fixture.Policies.Key;
        fixture.Policies.Key = Matrix.Testing.Federation.FakeRemoteServer.NewKey(IPolicyServers.KeyId);
        try
        {
            (await bob.SendAsync(entered.Id, "hello")).Is(403, "M_FORBIDDEN");
        }
        finally
        {
            fixture.Policies.Key = key;
        }
    }

    public static TheoryData<string, string> NoPolicies => new()
    {
        { "not in the room", """{"via":"gone.example","public_keys":{"ed25519":"KEY"}}""" },
        { "ourselves", """{"via":"test.example","public_keys":{"ed25519":"KEY"}}""" },
        { "no key", """{"via":"third.example","public_keys":{"rsa":"KEY"}}""" },
        { "key too short", """{"via":"third.example","public_keys":{"ed25519":"AAAA"}}""" },
        { "keys no object", """{"via":"third.example","public_keys":"KEY"}""" },
        { "no server", """{"via":"not a name","public_keys":{"ed25519":"KEY"}}""" },
        { "nothing", "{}" },
    };

    [Theory, MemberData(nameof(NoPolicies))]
    public async Task A_policy_that_is_none_asks_nobody(string why, string policy)
    {
        Assert.NotEmpty(why);
        var bob = await fixture.NewUserAsync();
        var entered = await EnterAsync(bob, policy.Replace("KEY", Primitives.UnpaddedBase64.Encode(fixture.Policies.Key.PublicKey), StringComparison.Ordinal));
        (await bob.SendAsync(entered.Id, "hello")).Ok();
        entered.Room.Say(Alice, fixture.Policies.Spam);
        await entered.AcceptedAsync(entered.Room.Last);
        Assert.Empty(fixture.Policies.Asked(entered.Id));
    }

    [Fact]
    public async Task Events_of_others_need_the_signature_and_those_without_are_shown_to_the_policy_server()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await EnterAsync(bob);
        var room = entered.Room;
        room.Say(Alice, "signed already");
        await entered.AcceptedAsync(Signed(room.Last));
        Assert.Empty(fixture.Policies.Asked(entered.Id));
        room.Say(Alice, "signed when asked");
        await entered.AcceptedAsync(room.Last);
        Assert.True(await IsSignedAsync(room.Last.EventId));
        room.Say(Alice, fixture.Policies.Spam);
        var spam = room.Last;
        Assert.Equal(IngestVerdict.SoftFailed, (await entered.VerdictAsync(spam)).Verdict);
        Assert.Equal(EventFlags.SoftFailed, (await entered.StoredAsync(spam.EventId)).Flags & EventFlags.SoftFailed);
        Assert.DoesNotContain(spam.EventId, await entered.ExtremitiesAsync());
        Assert.DoesNotContain(spam.EventId, await entered.TimelineAsync());
        // What the room says of its policy needs nobody's leave.
        room.Set(Alice, "m.room.policy", """{"note":"no policy any more"}""");
        await entered.AcceptedAsync(room.Last);
        room.Say(Alice, fixture.Policies.Spam + " twice");
        await entered.AcceptedAsync(room.Last);
        Assert.Equal(2, fixture.Policies.Asked(entered.Id).Count);
    }

    private static long Later => DateTimeOffset.UtcNow.AddDays(1).ToUnixTimeMilliseconds();
    /// <summary>On the other persister, which knows nothing of the server's being away.</summary>
    private Task<int> RetryAsync() => fixture.Two.Services.GetRequiredService<PolicyRetries>().RunAsync(Later, default);
    private Task<long> WaitingAsync(RemoteRoom room) => fixture.CountAsync("select count(*) from policy_waits where room_id = $1", room.Id);

    [Fact]
    public async Task What_came_while_the_policy_server_was_away_is_shown_to_it_later()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await EnterAsync(bob);
        var room = entered.Room;
        fixture.Policies.IsAway = true;
        room.Say(Alice, "said meanwhile").Set(Alice, "m.room.topic", """{"topic":"set meanwhile"}""").Say(Alice, fixture.Policies.Spam);
        var (said, topic, spam) = (room.Events[^3], room.Events[^2], room.Last);
        foreach (var e in new[] { said, topic, spam }) Assert.Equal((IngestVerdict.SoftFailed, true), ((await entered.VerdictAsync(e)).Verdict, (await entered.VerdictAsync(e)).IsUnasked));
        Assert.Equal(3, await WaitingAsync(entered));
        // Not yet there again.
        Assert.InRange(await RetryAsync(), 3, 1_000);
        Assert.Equal(3, await WaitingAsync(entered));
        Assert.DoesNotContain(said.EventId, await entered.TimelineAsync());
        // What others said after it, signed, is part of the room without it.
        room.Say(Alice, "after");
        var after = room.Last;
        await entered.AcceptedAsync(Signed(after));

        fixture.Policies.IsAway = false;
        await using var fresh = await PersisterHost.StartAsync("fresh", fixture.ConnectionString, fixture.Bus, fixture.Remote, fixture.Policies);
        await fresh.Services.GetRequiredService<PolicyRetries>().RunAsync(Later + 86_400_000, default);
        Assert.Equal(0, await WaitingAsync(entered));
        var timeline = await entered.TimelineAsync();
        Assert.Equal([after.EventId, said.EventId, topic.EventId], timeline.TakeLast(3));
        Assert.True(await IsSignedAsync(said.EventId));
        Assert.Equal(topic.EventId, (await fixture.StateAsync(entered.Id))[new("m.room.topic", "")].Pdu.EventId);
        Assert.Equal(EventFlags.SoftFailed, (await entered.StoredAsync(spam.EventId)).Flags & EventFlags.SoftFailed);
        (await bob.At(fresh).SendAsync(entered.Id, "and on")).Ok();
    }

    [Fact]
    public async Task A_policy_server_that_stays_away_is_not_asked_for_ever()
    {
        var bob = await fixture.NewUserAsync();
        var entered = await EnterAsync(bob);
        fixture.Policies.IsAway = true;
        entered.Room.Say(Alice, "never shown");
        Assert.True((await entered.VerdictAsync(entered.Room.Last)).IsUnasked);
        for (var i = 0; i < PolicyWaits.MaxTries - 1; i++) await fixture.Two.Services.GetRequiredService<PolicyRetries>().RunAsync(Later + (i + 2L) * 86_400_000, default);
        Assert.Equal(1, await WaitingAsync(entered));
        await fixture.Two.Services.GetRequiredService<PolicyRetries>().RunAsync(Later + 30L * 86_400_000, default);
        Assert.Equal(0, await WaitingAsync(entered));
    }

    [Theory]
    [InlineData(200, """{"p.example":{"ed25519:policy_server":"SIG"}}""", null, null)]
    [InlineData(200, """{"p.example":{"ed25519:other":"SIG"}}""", 403, "M_FORBIDDEN")]
    [InlineData(200, """{"other.example":{"ed25519:policy_server":"SIG"}}""", 403, "M_FORBIDDEN")]
    [InlineData(200, """{"p.example":{"ed25519:policy_server":"AAAA"}}""", 403, "M_FORBIDDEN")]
    [InlineData(200, "{}", 403, "M_FORBIDDEN")]
    [InlineData(400, """{"errcode":"M_FORBIDDEN","error":"spam"}""", 400, "M_FORBIDDEN")]
    [InlineData(429, """{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":2000}""", 429, "M_LIMIT_EXCEEDED")]
    [InlineData(404, """{"errcode":"M_UNRECOGNIZED","error":"?"}""", 0, null)]
    [InlineData(401, """{"errcode":"M_UNKNOWN_TOKEN","error":"?"}""", 0, null)]
    [InlineData(400, """{"errcode":"<b>","error":"?"}""", 0, null)]
    [InlineData(200, "[]", 0, null)]
    [InlineData(200, "{", 0, null)]
    public void Answers_are_read_with_care(int status, string body, int? shown, string? code)
    {
        var signature = Primitives.UnpaddedBase64.Encode(new byte[64]);
        var answer = PolicyServers.Read(Encoding.UTF8.GetBytes(body.Replace("SIG", signature, StringComparison.Ordinal)), status, "p.example");
        if (shown == 0) Assert.Null(answer);
        else Assert.Equal((shown is null, shown, code), (answer!.Signature is not null, answer.Refusal?.Status, answer.Refusal?.Code));
    }
}
