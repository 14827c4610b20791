using Matrix.Primitives;
using Matrix.Rooms.Writing;
using Matrix.ServiceDefaults;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.ClientApi.Accounts;

/// <summary>New accounts join two rooms that the first of them makes.</summary>
public class AutoJoinFixture : ClientApiFixture
{
    internal BreakableWriter Writer => (BreakableWriter)Services.GetRequiredService<IRoomWriter>();

    protected virtual AutoJoinConfig Rooms => new() { Rooms = ["#welcome:test.example", "#talk:test.example"] };

    protected override HomeserverConfig Configure(HomeserverConfig config) => base.Configure(config) is var c ? c with { Accounts = c.Accounts with { AutoJoin = Rooms } } : c;

    protected override void Replace(IServiceCollection services)
    {
        var real = services.Last(s => s.ServiceType == typeof(IRoomWriter));
        services.AddSingleton<IRoomWriter>(p => new BreakableWriter(
            (IRoomWriter)(real.ImplementationFactory?.Invoke(p) ?? ActivatorUtilities.CreateInstance(p, real.ImplementationType!))));
    }

    public async Task<string?> MembershipAsync(TestUser user, string alias) => (string?)await ScalarAsync(
        "select m.membership from room_memberships m join rooms r on r.room_nid = m.room_nid join room_aliases a on a.room_id = r.room_id where m.user_id = $1 and a.alias = $2", user.Id, alias);

    public async Task<bool> IsWaitingAsync(string userId) => (bool)(await ScalarAsync("select exists (select 1 from auto_joins where user_id = $1)", userId))!;
}

/// <summary>Rooms of a user of the server's own, to which he invites.</summary>
public sealed class PrivateAutoJoinFixture : AutoJoinFixture
{
    protected override AutoJoinConfig Rooms => base.Rooms with { Preset = "private_chat", Localpart = "system", Federated = false, ForGuests = false };
}

/// <summary>The rooms are there, or they are not: nobody makes them.</summary>
public sealed class FoundAutoJoinFixture : AutoJoinFixture
{
    protected override AutoJoinConfig Rooms => base.Rooms with { Create = false };
}

/// <summary>Nobody is in a room before he has agreed to the policy.</summary>
public sealed class ConsentAutoJoinFixture : ConsentFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config) =>
        base.Configure(config) is var c ? c with { Accounts = c.Accounts with { AutoJoin = new() { Rooms = ["#welcome:test.example"] } } } : c;
}

/// <summary>Room writing that breaks when it is told to.</summary>
internal sealed class BreakableWriter(IRoomWriter real) : IRoomWriter
{
    public bool IsBroken { get; set; }

    private IRoomWriter Real => IsBroken ? throw MatrixError.Unavailable("No persister answers.").AsException() : real;

    public Task<RoomWriteResult> SendAsync(RoomWrite write, CancellationToken ct) => Real.SendAsync(write, ct);
    public Task<RoomWriteResult> ChangeMembershipAsync(MembershipWrite write, CancellationToken ct) => Real.ChangeMembershipAsync(write, ct);
    public Task<RoomWriteResult> ExchangeThirdPartyInviteAsync(ThirdPartyExchangeWrite write, CancellationToken ct) => Real.ExchangeThirdPartyInviteAsync(write, ct);
    public Task<RoomCreated> CreateRoomAsync(RoomCreationWrite write, CancellationToken ct) => Real.CreateRoomAsync(write, ct);
}
