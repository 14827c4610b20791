using System.Text.Json;
using Matrix.Primitives;
using Matrix.Rooms.Writing;
using Matrix.ServiceTests.ClientApi.Accounts;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.EventPersister;

/// <summary>Invitations to addresses. Spec: client-server-api/#third-party-invites</summary>
public sealed class ThirdPartyInviteTests(PersisterFixture fixture) : IClassFixture<PersisterFixture>, IAsyncLifetime
{
    private IdentityServerFake identity = null!;

    public async ValueTask InitializeAsync() => identity = await IdentityServerFake.StartAsync();
    public async ValueTask DisposeAsync() => await identity.DisposeAsync();

    private static string E(string part) => Uri.EscapeDataString(part);
    private object Invitee(string address) => new { id_server = identity.Name, id_access_token = "swordfish", medium = "email", address };

    private async Task<JsonElement?> ContentAsync(string room, string type, string key) =>
        (await fixture.StateAsync(room)).TryGetValue(new StateKey2(type, key), out var e) ? JsonDocument.Parse(e.Pdu.Content).RootElement : null;

    private async Task<string?> MembershipAsync(string room, string user) => (await ContentAsync(room, "m.room.member", user))?.GetProperty("membership").GetString();

    /// <summary>Invites an address that nobody has; the token.</summary>
    private async Task<string> InviteAsync(User inviter, string room, string address = "bob@example.com")
    {
        (await inviter.PostAsync($"/rooms/{E(room)}/invite", Invitee(address))).Ok();
        return (await fixture.StateAsync(room)).Keys.Last(k => k.Type == "m.room.third_party_invite").Key;
    }

    private Task<RoomWriteResult> BindAsync(string room, User inviter, User user, JsonElement signed) =>
        fixture.Two.Services.GetRequiredService<IRoomWriter>().ExchangeThirdPartyInviteAsync(new ThirdPartyExchangeWrite(room, inviter.Id, user.Id, signed), default);

    private static async Task<MatrixError> RefusedAsync(Task<RoomWriteResult> exchange) => (await Assert.ThrowsAsync<MatrixException>(() => exchange)).Error;

    [Fact]
    public async Task Whoever_has_the_address_is_invited()
    {
        var (alice, bob) = (await fixture.NewUserAsync(), await fixture.NewUserAsync());
        identity.Bindings["bob@example.com"] = bob.Id;
        var room = await alice.CreateRoomAsync();
        (await alice.PostAsync($"/rooms/{E(room)}/invite", Invitee("Bob@Example.com"))).Ok();
        Assert.Equal("invite", await MembershipAsync(room, bob.Id));
        Assert.All(identity.Requests, r => Assert.Equal("Bearer swordfish", r.Authorization));
        Assert.DoesNotContain(identity.Requests, r => r.Body.Contains("example.com", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task A_new_room_invites_addresses()
    {
        var (alice, bob) = (await fixture.NewUserAsync(), await fixture.NewUserAsync());
        identity.Bindings["bob@example.com"] = bob.Id;
        var room = await alice.CreateRoomAsync(new { is_direct = true, invite_3pid = new[] { Invitee("bob@example.com"), Invitee("carol@example.com") } });
        Assert.True((await ContentAsync(room, "m.room.member", bob.Id))!.Value.GetProperty("is_direct").GetBoolean());
        Assert.Equal("b...@e...", (await ContentAsync(room, "m.room.third_party_invite", "token1"))!.Value.GetProperty("display_name").GetString());
    }

    [Fact]
    public async Task An_address_of_nobody_waits_in_the_room_until_it_is_bound()
    {
        var (alice, bob) = (await fixture.NewUserAsync("alice", "Alice"), await fixture.NewUserAsync("bob", "Bob"));
        var room = await alice.CreateRoomAsync(new { name = "Harbour" });
        var token = await InviteAsync(alice, room);
        using var stored = JsonDocument.Parse(identity.Requests.Single(r => r.Path.EndsWith("/store-invite", StringComparison.Ordinal)).Body);
        Assert.Equal(("bob@example.com", "email", room, alice.Id, "Harbour", "Alice", "invite"), (Text("address"), Text("medium"), Text("room_id"), Text("sender"),
            Text("room_name"), Text("sender_display_name"), Text("room_join_rules")));
        string? Text(string name) => stored.RootElement.GetProperty(name).GetString();

        var signed = identity.Sign(bob.Id, token);
        Assert.NotEqual(0, (await BindAsync(room, alice, bob, signed)).Position);
        var member = (await ContentAsync(room, "m.room.member", bob.Id))!.Value;
        Assert.Equal(("invite", "Bob", "b...@e..."), (member.GetProperty("membership").GetString(), member.GetProperty("displayname").GetString(),
            member.GetProperty("third_party_invite").GetProperty("display_name").GetString()));
        (await bob.JoinAsync(room)).Ok();
        // What comes late changes nothing.
        Assert.Equal(0, (await BindAsync(room, alice, bob, signed)).Position);
        Assert.Equal("join", await MembershipAsync(room, bob.Id));
    }

    [Fact]
    public async Task The_invitation_outlives_its_inviter()
    {
        var (alice, bob, carol) = (await fixture.NewUserAsync(), await fixture.NewUserAsync(), await fixture.NewUserAsync());
        var room = await alice.CreateRoomAsync(new { invite = new[] { carol.Id } });
        (await carol.JoinAsync(room)).Ok();
        var token = await InviteAsync(alice, room);
        (await alice.LeaveAsync(room)).Ok();
        await BindAsync(room, alice, bob, identity.Sign(bob.Id, token));
        (await bob.JoinAsync(room)).Ok();
    }

    [Theory]
    [InlineData("/rooms/{0}/join")]
    [InlineData("/join/{0}")]
    public async Task A_join_that_brings_the_proof_comes_in(string path)
    {
        var (alice, bob) = (await fixture.NewUserAsync(), await fixture.NewUserAsync());
        var room = await alice.CreateRoomAsync();
        var token = await InviteAsync(alice, room);
        var join = string.Format(System.Globalization.CultureInfo.InvariantCulture, path, E(room));
        (await bob.PostAsync(join, new { third_party_signed = identity.Sign(alice.Id, token, alice.Id) })).Is(403, "M_FORBIDDEN");
        (await bob.PostAsync(join, new { third_party_signed = new { token } })).Is(400, "M_MISSING_PARAM");
        (await bob.PostAsync(join, new { third_party_signed = identity.Sign(bob.Id, token, alice.Id) })).Ok();
        Assert.False((await ContentAsync(room, "m.room.member", bob.Id))!.Value.TryGetProperty("third_party_signed", out _));
    }

    [Fact]
    public async Task Proofs_that_are_none_invite_nobody()
    {
        var (alice, bob, carol) = (await fixture.NewUserAsync(), await fixture.NewUserAsync(), await fixture.NewUserAsync());
        var room = await alice.CreateRoomAsync();
        var token = await InviteAsync(alice, room);
        var good = identity.Sign(bob.Id, token);
        Assert.Equal("M_FORBIDDEN", (await RefusedAsync(BindAsync(room, alice, bob, identity.Sign(bob.Id, "other")))).Code);
        Assert.Equal("M_FORBIDDEN", (await RefusedAsync(BindAsync(room, alice, carol, good))).Code);
        Assert.Equal("M_FORBIDDEN", (await RefusedAsync(BindAsync(room, carol, bob, good))).Code);
        Assert.Equal("M_FORBIDDEN", (await RefusedAsync(BindAsync("!no:test.example", alice, bob, good))).Code);
        identity.KeyIsRevoked = true;
        Assert.Equal("M_FORBIDDEN", (await RefusedAsync(BindAsync(room, alice, bob, good))).Code);
        identity.KeyIsRevoked = false;
        identity.Key = Matrix.Testing.Federation.FakeRemoteServer.NewKey("ed25519:0");
        Assert.Equal("M_FORBIDDEN", (await RefusedAsync(BindAsync(room, alice, bob, identity.Sign(bob.Id, token)))).Code);
        Assert.Null(await MembershipAsync(room, bob.Id));
    }

    [Fact]
    public async Task A_banned_user_is_not_invited_by_his_address()
    {
        var (alice, bob) = (await fixture.NewUserAsync(), await fixture.NewUserAsync());
        var room = await alice.CreateRoomAsync();
        var token = await InviteAsync(alice, room);
        (await alice.PostAsync($"/rooms/{E(room)}/ban", new { user_id = bob.Id })).Ok();
        Assert.Equal("M_FORBIDDEN", (await RefusedAsync(BindAsync(room, alice, bob, identity.Sign(bob.Id, token)))).Code);
    }

    [Fact]
    public async Task Who_may_not_invite_does_not_reach_the_identity_server()
    {
        var (alice, bob) = (await fixture.NewUserAsync(), await fixture.NewUserAsync());
        var room = await alice.CreateRoomAsync(new { preset = "public_chat" });
        (await bob.PostAsync($"/rooms/{E(room)}/invite", Invitee("c@example.com"))).Is(403, "M_FORBIDDEN");
        (await bob.JoinAsync(room)).Ok();
        (await bob.PostAsync($"/rooms/{E(room)}/invite", Invitee("c@example.com"))).Is(403, "M_FORBIDDEN");
        Assert.Empty(identity.Requests);
    }

    [Fact]
    public async Task An_invitation_that_is_none_is_refused()
    {
        var alice = await fixture.NewUserAsync();
        var path = $"/rooms/{E(await alice.CreateRoomAsync())}/invite";
        (await alice.PostAsync(path, new { id_server = "a/b", id_access_token = "t", medium = "email", address = "a@b.example" })).Is(400, "M_INVALID_PARAM");
        (await alice.PostAsync(path, new { id_server = "a.example", id_access_token = "t", medium = "pigeon", address = "a@b.example" })).Is(400, "M_INVALID_PARAM");
        (await alice.PostAsync(path, new { id_server = "a.example", medium = "email", address = "a@b.example" })).Is(400, "M_MISSING_PARAM");
        (await alice.PostAsync(path, new { id_server = "127.0.0.1:1", id_access_token = "t", medium = "email", address = "a@b.example" })).Is(500, "M_UNKNOWN");
        (await alice.PostAsync("/createRoom", new { invite_3pid = new[] { 1 } })).Is(400, "M_BAD_JSON");
        (await alice.PostAsync("/createRoom", new { invite_3pid = new[] { new { medium = "email" } } })).Is(400, "M_MISSING_PARAM");
    }

    [Fact]
    public async Task A_repeated_invitation_is_stored_once()
    {
        var alice = await fixture.NewUserAsync();
        var room = await alice.CreateRoomAsync();
        for (var i = 0; i < 2; i++) (await alice.PutAsync($"/rooms/{E(room)}/invite/t1", Invitee("bob@example.com"))).Ok();
        Assert.Single(identity.Requests, r => r.Path.EndsWith("/store-invite", StringComparison.Ordinal));
    }
}
