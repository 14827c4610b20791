using System.Text;
using System.Text.RegularExpressions;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.FederationClient.Keys;
using Matrix.FederationClient.Signing;
using Matrix.FederationInbound;
using Matrix.Primitives;
using Matrix.Rooms.Ingest;
using Matrix.ServiceTests.EventPersister;
using Matrix.ServiceTests.EventPersister.Ingest;
using Matrix.ServiceTests.Hosting;
using Matrix.ServiceTests.Specification;
using Matrix.Testing;
using Matrix.Testing.Federation;
using Matrix.Testing.Specification;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.ServiceTests.Federation;

/// <summary>Requests and events of a server in the room that means us no good, all of them signed.</summary>
public sealed partial class HostileFederationTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>, IAsyncLifetime
{
    private static readonly TestUser Alice = TestUser.Of("@alice:remote.example");
    private static readonly string[] Values = ["null", "true", "-1", "\"\\u0000\"", "[null]", "[[]]", "{\"\\u0000\":{}}"];
    private static readonly string[] Texts = ["%FF", "%2F", "..", "!", "$", "x:y:z", "-1", "99999999999999999999"];
    private ServiceHost host = null!;

    public async ValueTask InitializeAsync() => host = await ServiceHost.StartAsync(
        fixture.ConnectionString, b => b.AddFederationInbound(), e => e.MapFederationInbound(), replace: services =>
        {
            services.Replace(ServiceDescriptor.Singleton<IKeyRing>(new TestKeyRing()));
            services.Replace(ServiceDescriptor.Singleton(fixture.One.Services.GetRequiredService<IPduIngest>()));
        });

    public async ValueTask DisposeAsync() => await host.DisposeAsync();

    private async Task<string> AskAsync(string method, string target, string? content)
    {
        var header = XMatrix.Sign(new ServerIdentity(Alice.Server.Name, Alice.Server.Key, Ed25519.Default), ServiceHost.ServerName, method, target,
            content is null ? default(ReadOnlyMemory<byte>?) : Encoding.UTF8.GetBytes(content));
        using var request = new HttpRequestMessage(new HttpMethod(method), target);
        request.Headers.TryAddWithoutValidation("Authorization", header.ToString());
        if (content is not null) request.Content = new StringContent(content, Encoding.UTF8, "application/json");
        try
        {
            using var response = await host.Http.SendAsync(request);
            return $"{(int)response.StatusCode} {await response.Content.ReadAsStringAsync()}";
        }
        catch (SpecificationBrokenException e)
        {
            return "599 " + e.Message;
        }
    }

    [Fact]
    public async Task No_request_of_another_server_brings_ours_to_its_knees()
    {
        var entered = await RemoteRoom.EnterAsync(fixture, "11", await fixture.NewUserAsync());
        var (wrong, seen) = (new List<string>(), 0);
        foreach (var operation in MatrixSpecification.Operations.Where(o => o.Path.StartsWith("/_matrix/federation/", StringComparison.Ordinal) || o.Path.StartsWith("/_matrix/key/", StringComparison.Ordinal)))
        {
            if (!ServedRoute.All.Any(r => r.Method == operation.Method && r.Matches(Parameter().Replace(operation.Path, "x")))) continue;
            var body = operation.BodySchema is null ? null : new SampleBody(operation, (name, _) => name.EndsWith("id", StringComparison.Ordinal) ? entered.Id : entered.Room.Last.EventId);
            foreach (Match parameter in Parameter().Matches(operation.Path))
                foreach (var text in Texts) await TryAsync(operation.Path.Replace(parameter.Value, text, StringComparison.Ordinal), body?.Plain());
            foreach (var query in operation.Query)
                foreach (var text in Texts.Append("").Append("%00")) await TryAsync($"{operation.Path}?{query.Name}={text}", body?.Plain());
            if (body is null) continue;
            foreach (var place in body.Places())
                foreach (var value in Values) await TryAsync(operation.Path, body.With(place, value));

            async Task TryAsync(string target, string? json)
            {
                seen++;
                target = target.Replace("{roomId}", Uri.EscapeDataString(entered.Id), StringComparison.Ordinal).Replace("{eventId}", Uri.EscapeDataString(entered.Room.Last.EventId), StringComparison.Ordinal);
                var answer = await AskAsync(operation.Method, Parameter().Replace(target, "x"), json);
                if (answer.StartsWith('5')) wrong.Add($"{operation.Method} {target} {json}: {answer}");
            }
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.True(seen > 200, $"only {seen} requests were made");
        entered.Room.Say(Alice, "all is well");
        await entered.AcceptedAsync(entered.Room.Last);
    }

    /// <summary>What is text for the database among the parts of an event, with the one character that it cannot hold.</summary>
    [Theory]
    [InlineData("m.room.name", "", """{"name":"\u0000"}""")]
    [InlineData("m.room.topic", "", """{"topic":"\u0000"}""")]
    [InlineData("m.room.avatar", "", """{"url":"\u0000"}""")]
    [InlineData("m.room.canonical_alias", "", """{"alias":"#\u0000:x","alt_aliases":["\u0000"]}""")]
    [InlineData("m.room.history_visibility", "", """{"history_visibility":"\u0000"}""")]
    [InlineData("m.room.guest_access", "", """{"guest_access":"\u0000"}""")]
    [InlineData("m.room.encryption", "", """{"algorithm":"\u0000"}""")]
    [InlineData("m.room.server_acl", "", """{"allow":["*","\u0000"],"deny":["\u0000"]}""")]
    [InlineData("m.room.tombstone", "", """{"body":"\u0000","replacement_room":"!\u0000:x"}""")]
    [InlineData("m.room.member", "@alice:remote.example", """{"membership":"join","displayname":"\u0000","avatar_url":"\u0000","reason":"\u0000"}""")]
    [InlineData("m.room.third_party_invite", "t", """{"display_name":"\u0000","public_key":"\u0000","key_validity_url":"\u0000"}""")]
    [InlineData("m.room.retention", "", """{"max_lifetime":"\u0000"}""")]
    [InlineData("m.space.child", "!x:y", """{"via":["\u0000"],"order":"\u0000"}""")]
    [InlineData("m.room.pinned_events", "", """{"pinned":["\u0000"]}""")]
    [InlineData("m.room.message", null, """{"msgtype":"m.text","body":"\u0000","m.relates_to":{"rel_type":"m.thread","event_id":"$\u0000"}}""")]
    [InlineData("m.reaction", null, """{"m.relates_to":{"rel_type":"m.annotation","event_id":"$x","key":"\u0000"}}""")]
    [InlineData("m.room.message", null, """{"msgtype":"m.text","body":"x","m.mentions":{"user_ids":["@\u0000:test.example"]},"org.matrix.labels":["\u0000"]}""")]
    public async Task An_event_of_another_server_with_any_text_in_it_is_kept(string type, string? key, string content)
    {
        var entered = await RemoteRoom.EnterAsync(fixture, "11", await fixture.NewUserAsync());
        if (key is null) entered.Room.Send(Alice, type, content);
        else entered.Room.Set(Alice, type, content, key);
        await entered.AcceptedAsync(entered.Room.Last);
        entered.Room.Say(Alice, "and on it goes");
        await entered.AcceptedAsync(entered.Room.Last);
    }

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex Parameter();
}
