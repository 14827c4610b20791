using Matrix.ServiceDefaults;

namespace Matrix.ServiceTests.ClientApi.Accounts;

public sealed class StrictProfileFixture : ClientApiFixture
{
    protected override HomeserverConfig Configure(HomeserverConfig config) => base.Configure(config) with
    {
        Accounts = new() { InhibitUserInUse = true, Profiles = new() { SharedRoomsOnly = true, SetDisplayName = false, SetAvatarUrl = false } },
    };
}

/// <summary>A server that keeps profiles among those who share rooms.</summary>
public sealed class ProfileRuleTests(StrictProfileFixture api) : IClassFixture<StrictProfileFixture>
{
    private static string Of(TestUser user, string field = "") => $"/_matrix/client/v3/profile/{Uri.EscapeDataString(user.Id)}{field}";

    [Fact]
    public async Task Profiles_are_read_by_who_shares_a_room()
    {
        var (alice, bob) = (await api.RegisterUserAsync(), await api.RegisterUserAsync());
        (await api.GetAsync(null, Of(alice))).Require(401, "M_MISSING_TOKEN");
        (await api.GetAsync(null, Of(alice, "/displayname"))).Require(401, "M_MISSING_TOKEN");
        (await api.GetAsync(bob, Of(alice))).Require(403, "M_FORBIDDEN");
        (await api.GetAsync(bob, Of(alice, "/displayname"))).Require(403, "M_FORBIDDEN");
        (await api.GetAsync(alice, Of(alice))).RequireOk();
        await api.JoinAsync(bob, await api.CreateRoomAsync(alice));
        (await api.GetAsync(bob, Of(alice))).RequireOk();
    }

    [Fact]
    public async Task What_is_fixed_is_set_once_and_changed_by_administrators()
    {
        var alice = await api.RegisterUserAsync();
        (await api.PutAsync(alice, Of(alice, "/displayname"), new { displayname = "x" })).Require(403, "M_FORBIDDEN");
        (await api.DeleteAsync(alice, Of(alice, "/displayname"))).Require(403, "M_FORBIDDEN");
        (await api.PutAsync(alice, Of(alice, "/avatar_url"), new { avatar_url = "mxc://a/b" })).RequireOk();
        (await api.PutAsync(alice, Of(alice, "/avatar_url"), new { avatar_url = "mxc://a/c" })).Require(403, "M_FORBIDDEN");
        (await api.PutAsync(alice, Of(alice, "/m.tz"), new Dictionary<string, string> { ["m.tz"] = "Europe/London" })).RequireOk();
        (await api.PutAsync(await api.RegisterAdminAsync(), Of(alice, "/displayname"), new { displayname = "x" })).RequireOk();
        var told = (await api.GetAsync(alice, "/_matrix/client/v3/capabilities")).RequireOk().Body.GetProperty("capabilities");
        Assert.False(told.GetProperty("m.set_displayname").GetProperty("enabled").GetBoolean());
        Assert.False(told.GetProperty("m.set_avatar_url").GetProperty("enabled").GetBoolean());
        Assert.Equal(["displayname", "avatar_url"], told.GetProperty("m.profile_fields").GetProperty("disallowed").EnumerateArray().Select(e => e.GetString()!));
    }

    [Fact]
    public async Task That_a_name_is_taken_is_told_at_the_end_only()
    {
        var name = api.NewName();
        await api.RegisterUserAsync(name);
        (await api.GetAsync(null, "/_matrix/client/v3/register/available?username=" + name)).RequireOk();
        Assert.Equal(401, (await api.PostAsync(null, "/_matrix/client/v3/register", new { username = name, password = "p" })).Status);
        (await api.PostAsync(null, "/_matrix/client/v3/register", new { username = name, password = "p", auth = new { type = "m.login.dummy" } })).Require(400, "M_USER_IN_USE");
    }
}
