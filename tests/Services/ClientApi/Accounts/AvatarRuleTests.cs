using Matrix.ServiceDefaults;
using Matrix.Storage.Media;

namespace Matrix.ServiceTests.ClientApi.Accounts;

public sealed class AvatarRuleFixture : ClientApiFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config) =>
        base.Configure(config) with { Accounts = new() { Profiles = new() { MaxAvatarSize = 1000, AvatarTypes = ["image/png"], OnInvite = false } } };
}

/// <summary>Synapse: max_avatar_size, allowed_avatar_mimetypes, include_profile_data_on_invite</summary>
public sealed class AvatarRuleTests(AvatarRuleFixture api) : IClassFixture<AvatarRuleFixture>
{
    private static string E(string part) => Uri.EscapeDataString(part);
    private static string PathOf(TestUser user) => $"/_matrix/client/v3/profile/{E(user.Id)}/avatar_url";

    private async Task<string> UploadAsync(TestUser user, string type, long length)
    {
        var id = api.NewName("media");
        await new MediaMetadataStore(api.Database).InsertAsync(new MediaRecord(id, user.Id, type, length, [1], null, 0), CancellationToken.None);
        return "mxc://test.example/" + id;
    }

    [Fact]
    public async Task Pictures_that_are_too_large_of_another_kind_or_not_here_are_no_avatars()
    {
        var user = await api.RegisterUserAsync();
        string[] wrong = [await UploadAsync(user, "image/png", 1001), await UploadAsync(user, "image/gif", 10), "mxc://test.example/nothing", "mxc://elsewhere.example/x", "nonsense"];
        foreach (var avatar in wrong) (await api.PutAsync(user, PathOf(user), new { avatar_url = avatar })).Require(403, "M_FORBIDDEN");
        var right = await UploadAsync(user, "image/png", 1000);
        (await api.PutAsync(user, PathOf(user), new { avatar_url = right })).RequireOk();
        (await api.PutAsync(user, PathOf(user), new { avatar_url = "" })).RequireOk();
        var room = await api.CreateRoomAsync(user);
        var member = $"/_matrix/client/v3/rooms/{E(room)}/state/m.room.member/{E(user.Id)}";
        (await api.PutAsync(user, member, new { membership = "join", avatar_url = wrong[0] })).Require(403, "M_FORBIDDEN");
        (await api.PutAsync(user, member, new { membership = "join", avatar_url = right })).RequireOk();
        (await api.PostAsync(await api.RegisterUserAsync(), $"/_matrix/client/v3/join/{E(room)}", new { avatar_url = wrong[1] })).Require(403, "M_FORBIDDEN");
    }

    [Fact]
    public async Task An_invite_does_not_show_who_is_invited_and_his_join_does()
    {
        var (alice, bob) = (await api.RegisterUserAsync("alice"), await api.RegisterUserAsync("bob"));
        var room = await api.CreateRoomAsync(alice);
        var created = await api.CreateRoomAsync(alice, new { invite = new[] { bob.Id } });
        (await api.PostAsync(alice, $"/_matrix/client/v3/rooms/{E(room)}/invite", new { user_id = bob.Id })).RequireOk();
        foreach (var id in (string[])[room, created])
        {
            var member = $"/_matrix/client/v3/rooms/{E(id)}/state/m.room.member/{E(bob.Id)}";
            Assert.Equal("""{"membership":"invite"}""", (await api.GetAsync(alice, member)).RequireOk().Body.GetRawText());
            await api.JoinAsync(bob, id);
            Assert.Equal("bob", (await api.GetAsync(alice, member)).RequireOk().Text("displayname"));
        }
    }
}
