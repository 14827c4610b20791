using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Replication.Rpc;
using Matrix.Rooms.Writing;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.EventPersister;

/// <summary>Rooms written by other services.</summary>
public sealed class RoomWriterTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    /// <summary>Straight to the first persister, whoever is asked for.</summary>
    private sealed class Direct(PersisterHost host) : IInternalRpc
    {
        public string? Positions { get; private set; }

        public async Task<byte[]> PostAsync(string service, string key, string path, ReadOnlyMemory<byte> json, CancellationToken ct)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ReadOnlyMemoryContent(json) };
            request.Headers.Add(InternalHeaders.Secret, "secret");
            using var response = await host.Http.SendAsync(request, ct);
            var body = await response.Content.ReadAsByteArrayAsync(ct);
            if (!response.IsSuccessStatusCode)
                throw MatrixError.Custom((int)response.StatusCode, JsonDocument.Parse(body).RootElement.GetProperty("errcode").GetString()!, "").AsException();
            Positions = response.Headers.TryGetValues(InternalHeaders.Positions, out var values) ? values.Single() : null;
            return body;
        }
    }

    [Fact]
    public async Task Events_of_one_write_stand_together_or_not_at_all()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        var rpc = new Direct(fixture.One);
        foreach (IRoomWriter writer in (IRoomWriter[])[new RemoteRoomWriter(rpc), fixture.One.Services.GetRequiredService<IRoomWriter>()])
        {
            var result = await writer.SendAsync(
                new RoomWrite(room, alice.Id, [new("m.room.message", null, "{\"body\":\"a\"}"u8.ToArray()), new("x.state", "k", "{}"u8.ToArray())]), CancellationToken.None);
            Assert.Equal(2, result.EventIds.Count);
            await writer.SendAsync(new RoomWrite(room, alice.Id, [new("x.state", "k", "{\"a\":1}"u8.ToArray())]), CancellationToken.None);
            var before = (await fixture.TimelineAsync(room)).Count;
            var refused = await Assert.ThrowsAsync<MatrixException>(() => writer.SendAsync(
                new RoomWrite(room, alice.Id, [new("m.room.message", null, "{}"u8.ToArray()), new("m.room.name", "@other:x", "{}"u8.ToArray())]), CancellationToken.None));
            Assert.Equal((403, "M_FORBIDDEN"), (refused.Error.Status, refused.Error.Code));
            var timeline = await fixture.TimelineAsync(room);
            Assert.Equal(before, timeline.Count);
            Assert.Equal(timeline.Single(e => e.Pdu.EventId == result.EventIds[1]).Position, result.Position);
        }
        Assert.StartsWith("events=", rpc.Positions);
    }

    [Fact]
    public async Task What_a_user_sends_by_hand_through_another_service_reads_and_what_is_sent_for_him_does_not()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        foreach (IRoomWriter writer in (IRoomWriter[])[new RemoteRoomWriter(new Direct(fixture.One)), fixture.One.Services.GetRequiredService<IRoomWriter>()])
            foreach (var byHand in (bool[])[true, false])
            {
                var sent = await writer.SendAsync(new RoomWrite(room, alice.Id, [new("m.room.message", null, "{}"u8.ToArray())]) { IsByHand = byHand }, CancellationToken.None);
                Assert.Equal(byHand ? 1 : 0, await fixture.CountAsync("select count(*) from implied_receipts where user_id = $1 and event_pos = $2", alice.Id, sent.Position));
            }
    }

    [Fact]
    public async Task Memberships_are_changed()
    {
        var alice = await fixture.NewUserAsync();
        var bob = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync(new { preset = "public_chat" });
        IRoomWriter writer = new RemoteRoomWriter(new Direct(fixture.One));
        await writer.ChangeMembershipAsync(new MembershipWrite(room, bob.Id, bob.Id, "join"), CancellationToken.None);
        await writer.ChangeMembershipAsync(new MembershipWrite(room, bob.Id, bob.Id, "leave", "gone"), CancellationToken.None);
        Assert.Equal("gone", (await fixture.StateAsync(room))[new("m.room.member", bob.Id)].Pdu.ContentString("reason"u8));
        var refused = await Assert.ThrowsAsync<MatrixException>(() => writer.ChangeMembershipAsync(new MembershipWrite(room, bob.Id, alice.Id, "kick"), CancellationToken.None));
        Assert.Equal(403, refused.Error.Status);
    }

    [Fact]
    public async Task Nobody_gets_in_without_the_secret()
    {
        using var response = await fixture.One.Http.PostAsync(RemoteRoomWriter.SendPath, new StringContent("{}", Encoding.UTF8, "application/json"));
        Assert.Equal(403, (int)response.StatusCode);
        using var wrong = new HttpRequestMessage(HttpMethod.Post, RemoteRoomWriter.SendPath) { Content = JsonContent.Create(new { }) };
        wrong.Headers.Add(InternalHeaders.Secret, "guess");
        using var refused = await fixture.One.Http.SendAsync(wrong);
        Assert.Equal(403, (int)refused.StatusCode);
    }
}
