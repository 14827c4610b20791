using System.Text;
using System.Text.Json;
using Matrix.Primitives;
using Matrix.Rooms.Writing;
using Matrix.ServiceTests.ClientApi.Accounts;
using Matrix.Storage.AccountData;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.EventPersister;

/// <summary>Users who want no invites. Spec: client-server-api/#invite-permission</summary>
public sealed class InviteBlockTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>
{
    private static string E(string part) => Uri.EscapeDataString(part);

    private Task SetAsync(User user, string content) =>
        new AccountDataStore(fixture.Database).SetAsync(user.Id, "", InvitePermissions.Type, Encoding.UTF8.GetBytes(content), default);

    private async Task<(User Alice, User Bob)> PairAsync(string content = """{"default_action":"block"}""")
    {
        var (alice, bob) = (await fixture.NewUserAsync(), await fixture.NewUserAsync());
        await SetAsync(bob, content);
        return (alice, bob);
    }

    private async Task<bool> IsMemberAsync(string room, User user) => (await fixture.StateAsync(room)).ContainsKey(new StateKey2("m.room.member", user.Id));

    [Fact]
    public async Task Who_blocks_invites_is_invited_by_no_way_that_there_is()
    {
        var (alice, bob) = await PairAsync();
        var room = await alice.CreateRoomAsync();
        (await alice.InviteAsync(room, bob)).Is(403, "M_INVITE_BLOCKED");
        (await alice.PutAsync($"/rooms/{E(room)}/invite/txn", new { user_id = bob.Id })).Is(403, "M_INVITE_BLOCKED");
        (await alice.SetStateAsync(room, "m.room.member", bob.Id, new { membership = "invite" })).Is(403, "M_INVITE_BLOCKED");
        var other = fixture.Two.Services.GetRequiredService<IRoomWriter>();
        var refused = await Assert.ThrowsAsync<MatrixException>(() => other.ChangeMembershipAsync(new MembershipWrite(room, alice.Id, bob.Id, "invite"), default));
        Assert.Equal("M_INVITE_BLOCKED", refused.Error.Code);
        Assert.False(await IsMemberAsync(room, bob));
    }

    [Fact]
    public async Task A_new_room_with_somebody_who_blocks_invites_is_not_made()
    {
        var (alice, bob) = await PairAsync();
        var carol = await fixture.NewUserAsync();
        var rooms = await fixture.CountAsync("select count(*) from rooms");
        (await alice.PostAsync("/createRoom", new { invite = new[] { carol.Id, bob.Id } })).Is(403, "M_INVITE_BLOCKED");
        var member = new { type = "m.room.member", state_key = bob.Id, content = new { membership = "invite" } };
        (await alice.PostAsync("/createRoom", new { initial_state = new[] { member } })).Is(403, "M_INVITE_BLOCKED");
        Assert.Equal(rooms, await fixture.CountAsync("select count(*) from rooms"));
    }

    [Fact]
    public async Task An_address_of_somebody_who_blocks_invites_does_not_help()
    {
        await using var identity = await IdentityServerFake.StartAsync();
        object Invitee(string address) => new { id_server = identity.Name, id_access_token = "swordfish", medium = "email", address };
        var (alice, bob) = await PairAsync();
        identity.Bindings["bob@example.com"] = bob.Id;
        var room = await alice.CreateRoomAsync(new { preset = "private_chat" });
        (await alice.PostAsync($"/rooms/{E(room)}/invite", Invitee("bob@example.com"))).Is(403, "M_INVITE_BLOCKED");

        // Bound later: the identity server tells his homeserver, which does not invite him.
        (await alice.PostAsync($"/rooms/{E(room)}/invite", Invitee("later@example.com"))).Ok();
        var token = (await fixture.StateAsync(room)).Keys.Last(k => k.Type == "m.room.third_party_invite").Key;
        var signed = identity.Sign(bob.Id, token);
        var writer = fixture.Two.Services.GetRequiredService<IRoomWriter>();
        var refused = await Assert.ThrowsAsync<MatrixException>(() => writer.ExchangeThirdPartyInviteAsync(new ThirdPartyExchangeWrite(room, alice.Id, bob.Id, signed), default));
        Assert.Equal("M_INVITE_BLOCKED", refused.Error.Code);
        Assert.False(await IsMemberAsync(room, bob));
        // He himself may come in by it.
        (await bob.PostAsync($"/rooms/{E(room)}/join", new { third_party_signed = identity.Sign(bob.Id, token, alice.Id) })).Ok();
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{"default_action":"allow"}""")]
    [InlineData("""{"default_action":["block"]}""")]
    [InlineData("""{"default_action":{"block":true}}""")]
    [InlineData("""{"x":{"default_action":"block"}}""")]
    public async Task What_is_no_block_permits(string content)
    {
        var (alice, bob) = await PairAsync(content);
        (await alice.InviteAsync(await alice.CreateRoomAsync(), bob)).Ok();
    }

    [Fact]
    public async Task Blocking_ends_and_leaves_everything_else_as_it_is()
    {
        var (alice, bob) = (await fixture.NewUserAsync(), await fixture.NewUserAsync());
        var room = await alice.CreateRoomAsync();
        (await alice.InviteAsync(room, bob)).Ok();
        await SetAsync(bob, """{"default_action":"block"}""");
        // Invited before he blocked: it is in the room's state, and he may accept it.
        Assert.True(await IsMemberAsync(room, bob));
        (await bob.JoinAsync(room)).Ok();
        (await bob.InviteAsync(await bob.CreateRoomAsync(), alice)).Ok();
        await SetAsync(bob, "{}");
        (await alice.InviteAsync(await alice.CreateRoomAsync(), bob)).Ok();
    }
}
