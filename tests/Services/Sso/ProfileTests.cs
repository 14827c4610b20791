using Matrix.EventPersister;
using Matrix.ServiceDefaults;
using Matrix.ServiceTests.ClientApi;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Hosting;

namespace Matrix.ServiceTests.Sso;

public sealed class FollowingFixture : SsoFixture
{
    protected override HomeserverConfig Adjust(HomeserverConfig config) => config with { Sso = config.Sso with { UpdateProfileInformation = true } };
    protected override void Add(IHostApplicationBuilder builder) => builder.AddEventPersister();
    protected override void Map(IEndpointRouteBuilder endpoints) => endpoints.MapEventPersister();
}

/// <summary>sso.update_profile_information</summary>
public sealed class ProfileTests(FollowingFixture sso) : IClassFixture<FollowingFixture>
{
    private async Task<Answer> LogInAsync(string user, string name)
    {
        var browser = sso.NewBrowser();
        var gone = (await browser.GetAsync("/_matrix/client/v3/login/cas/redirect?redirectUrl=" + Uri.EscapeDataString(SsoFixture.Trusted))).Require(302);
        var ticket = sso.NewTicket(
            $"<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'><cas:authenticationSuccess><cas:user>{user}</cas:user>"
            + $"<cas:attributes><cas:name>{name}</cas:name><cas:userGroup>staff</cas:userGroup></cas:attributes></cas:authenticationSuccess></cas:serviceResponse>");
        var back = (await browser.GetAsync($"{FakeOidcProvider.QueryOf(gone.Location!)["service"]}&ticket={ticket}")).Require(302);
        return (await sso.LogInAsync(back.Location!)).RequireOk();
    }

    private async Task<string?> NameAsync(Answer login, string path) =>
        (await sso.JsonAsync(HttpMethod.Get, "/_matrix/client/v3/" + path, login.Text("access_token"))).RequireOk().Text("displayname");

    [Fact]
    public async Task The_name_follows_the_provider_s_at_each_login_in_rooms_too()
    {
        var user = sso.NewName();
        var login = await LogInAsync(user, "Before");
        var id = login.Text("user_id");
        Assert.Equal("Before", await NameAsync(login, $"profile/{id}/displayname"));
        var room = (await sso.JsonAsync(HttpMethod.Post, "/_matrix/client/v3/createRoom", login.Text("access_token"), new { preset = "public_chat" })).RequireOk().Text("room_id");
        var member = $"rooms/{Uri.EscapeDataString(room)}/state/m.room.member/{Uri.EscapeDataString(id)}";
        Assert.Equal("Before", await NameAsync(login, member));
        await LogInAsync(user, "After");
        Assert.Equal("After", await NameAsync(login, $"profile/{id}/displayname"));
        Assert.Equal("After", await NameAsync(login, member));
    }
}
