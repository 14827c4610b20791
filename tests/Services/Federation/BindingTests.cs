using System.Text.Json;
using Matrix.FederationInbound;
using Matrix.Primitives;
using Matrix.Rooms.Writing;
using Matrix.ServiceTests.Hosting;
using Matrix.Testing.Servers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.ServiceTests.Federation;

/// <summary>What identity servers tell when somebody has proved an address. Spec: server-server-api/#third-party-invites</summary>
public sealed class BindingTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>, IAsyncLifetime
{
    private const string Path = "/_matrix/federation/v1/3pid/onbind";
    private readonly Recorder rooms = new();
    private ServiceHost host = null!;

    public async ValueTask InitializeAsync() => host = await ServiceHost.StartAsync(
        postgres.ConnectionString, b => b.AddFederationInbound(), e => e.MapFederationInbound(), replace: s => s.Replace(ServiceDescriptor.Singleton<IRoomWriter>(rooms)));

    public async ValueTask DisposeAsync() => await host.DisposeAsync();

    private static string Invite(string room, string mxid = "@bob:test.example") =>
        $$$"""{"medium":"email","address":"b@e.example","mxid":"{{{mxid}}}","room_id":"{{{room}}}","sender":"@alice:test.example","signed":{"mxid":"{{{mxid}}}","token":"t","signatures":{} } }""";

    private Task<(int Status, JsonElement Body)> TellAsync(HttpMethod method, params string[] invites) =>
        host.JsonAsync(method, Path, null, $$"""{"medium":"email","address":"b@e.example","mxid":"@bob:test.example","invites":[{{string.Join(',', invites)}}]}""");

    [Theory]
    [InlineData("PUT")]
    [InlineData("POST")]
    public async Task Each_invitation_goes_to_its_room(string method)
    {
        Assert.Equal(200, (await TellAsync(new HttpMethod(method), Invite("!a:x.example"), Invite("!b:x.example"))).Status);
        Assert.Equal(["!a:x.example", "!b:x.example"], rooms.Made.Select(m => m.RoomId));
        Assert.All(rooms.Made, m => Assert.Equal(("@alice:test.example", "@bob:test.example", "t"), (m.Sender, m.Target, m.Signed.GetProperty("token").GetString())));
    }

    [Fact]
    public async Task One_that_is_refused_keeps_none_of_the_others_out()
    {
        var (status, body) = await TellAsync(HttpMethod.Put, Invite("!closed:x.example"), Invite("!b:x.example"));
        Assert.Equal((403, "M_FORBIDDEN"), (status, body.GetProperty("errcode").GetString()));
        Assert.Equal("!b:x.example", Assert.Single(rooms.Made).RoomId);
    }

    [Theory]
    [InlineData("1", "M_BAD_JSON")]
    [InlineData("{}", "M_MISSING_PARAM")]
    [InlineData("""{"mxid":"@bob:test.example","room_id":"!a:x","sender":"@a:x","signed":1}""", "M_BAD_JSON")]
    [InlineData("""{"mxid":"@bob:other.example","room_id":"!a:x","sender":"@a:x","signed":{}}""", "M_INVALID_PARAM")]
    public async Task A_notice_that_is_none_invites_nobody(string invite, string code)
    {
        var (status, body) = await TellAsync(HttpMethod.Put, Invite("!a:x.example"), invite);
        Assert.Equal((400, code), (status, body.GetProperty("errcode").GetString()));
        Assert.Empty(rooms.Made);
    }

    [Fact]
    public async Task No_more_invitations_than_one_notice_may_hold()
    {
        Assert.Equal(413, (await TellAsync(HttpMethod.Put, [.. Enumerable.Repeat(Invite("!a:x.example"), 101)])).Status);
        Assert.Equal(200, (await host.JsonAsync(HttpMethod.Put, Path, null, "{}")).Status);
    }

    private sealed class Recorder : IRoomWriter
    {
        public List<ThirdPartyExchangeWrite> Made { get; } = [];

        public Task<RoomWriteResult> ExchangeThirdPartyInviteAsync(ThirdPartyExchangeWrite write, CancellationToken ct)
        {
            if (write.RoomId.StartsWith("!closed", StringComparison.Ordinal)) throw MatrixError.Forbidden("no").AsException();
            Made.Add(write with { Signed = write.Signed.Clone() });
            return Task.FromResult(new RoomWriteResult(["$e"], 1));
        }

        public Task<RoomWriteResult> SendAsync(RoomWrite write, CancellationToken ct) => throw new NotSupportedException();
        public Task<RoomWriteResult> ChangeMembershipAsync(MembershipWrite write, CancellationToken ct) => throw new NotSupportedException();
        public Task<RoomCreated> CreateRoomAsync(RoomCreationWrite write, CancellationToken ct) => throw new NotSupportedException();
    }
}
