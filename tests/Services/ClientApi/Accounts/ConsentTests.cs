using System.Net;
using Matrix.ServiceDefaults;
using Matrix.Web.Auth;

namespace Matrix.ServiceTests.ClientApi.Accounts;

public class ConsentFixture : ClientApiFixture
{
    public const string FormSecret = "secret of the forms";
    private readonly string folder = Directory.CreateTempSubdirectory("armada-consent").FullName;

    protected override HomeserverConfig Configure(HomeserverConfig config)
    {
        Directory.CreateDirectory(Path.Combine(folder, "en"));
        File.WriteAllText(Path.Combine(folder, "en", "2.0.html"), """
            {% extends "_base.html" %}
            {% block content %}<h1>Rules {{ version }}</h1>
            {% if has_consented %}<p>agreed before</p>{% endif %}
            {% if not public_version %}<form method="post" action="consent"><input type="hidden" name="v" value="{{version}}">
            <input type="hidden" name="u" value="{{user}}"><input type="hidden" name="h" value="{{userhmac}}"><input type="submit" value="Sure"></form>{% endif %}{% endblock %}
            """);
        File.WriteAllText(Path.Combine(folder, "secret.html"), "not for anybody");
        return base.Configure(config) with
        {
            PublicBaseUrl = "https://matrix.test.example/",
            Accounts = new()
            {
                Consent = new("2.0", folder) { AtRegistration = true, FormSecret = FormSecret, BlockEventsError = "Agree first at %(consent_uri)s please" },
            },
        };
    }

    public async Task<(int Status, string Html, string Policy)> OpenAsync(string query, params (string Name, string Value)[] form)
    {
        using var content = new FormUrlEncodedContent(form.Select(f => KeyValuePair.Create(f.Name, f.Value)));
        using var response = form.Length == 0 ? await Http.GetAsync("/_matrix/consent" + query) : await Http.PostAsync("/_matrix/consent", content);
        Assert.Equal("text/html; charset=utf-8", response.Content.Headers.ContentType?.ToString());
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(), response.Headers.GetValues("Content-Security-Policy").Single());
    }

    /// <summary>Somebody who has agreed to nothing.</summary>
    public async Task<TestUser> RegisterSilentAsync()
    {
        var name = NewName();
        var session = (await PostAsync(null, "/_matrix/client/v3/register", new { username = name, password = "secret" })).Text("session");
        var answer = (await PostAsync(null, "/_matrix/client/v3/register", new { username = name, password = "secret", auth = new { type = "m.login.terms", session } })).RequireOk();
        var user = new TestUser(answer.Text("user_id"), answer.Text("access_token"), answer.Text("device_id"), "secret");
        Assert.Equal("2.0", await ScalarAsync("select consent_version from users where user_id = $1", user.Id));
        await ExecuteAsync("update users set consent_version = null where user_id = $1", user.Id);
        return user;
    }
}

public sealed class ConsentTests(ConsentFixture api) : IClassFixture<ConsentFixture>
{
    private static string LocalpartOf(TestUser user) => user.Id[1..user.Id.IndexOf(':')];
    private static string Mac(string user) => ConsentRules.Mac(user, ConsentFixture.FormSecret);

    private async Task<object?> AgreedAsync(TestUser user) => await api.ScalarAsync("select consent_version from users where user_id = $1", user.Id);

    [Fact]
    public async Task A_guest_who_becomes_a_user_agrees_to_the_policy_like_anybody_else()
    {
        const string Path = "/_matrix/client/v3/register";
        var guest = (await api.PostAsync(null, Path + "?kind=guest", "{}")).RequireOk();
        var (id, token) = (guest.Text("user_id"), guest.Text("access_token"));
        var name = id[1..id.IndexOf(':')];
        var session = (await api.PostAsync(null, Path, new { username = name, password = "secret", guest_access_token = token })).Text("session");
        (await api.PostAsync(null, Path, new { username = name, password = "secret", guest_access_token = token, auth = new { type = "m.login.terms", session } })).RequireOk();
        Assert.Equal("2.0", await api.ScalarAsync("select consent_version from users where user_id = $1 and consent_ts_ms > created_ts_ms - 1 and not is_guest", id));
    }

    [Fact]
    public async Task Everybody_may_read_the_policy_and_who_has_a_link_may_agree()
    {
        var (status, html, policy) = await api.OpenAsync("");
        Assert.Equal(200, status);
        Assert.Contains("Rules 2.0", html);
        Assert.DoesNotContain("<form", html);
        Assert.Contains("script-src 'none'", policy);

        var user = await api.RegisterSilentAsync();
        var name = LocalpartOf(user);
        (status, html, _) = await api.OpenAsync($"?u={name}&h={Mac(name)}");
        Assert.Equal(200, status);
        Assert.Contains($"name=\"u\" value=\"{name}\"", html);
        Assert.DoesNotContain("agreed before", html);
        (status, html, _) = await api.OpenAsync("", ("u", name), ("h", Mac(name)), ("v", "2.0"));
        Assert.Equal(200, status);
        Assert.Contains("Thank you", html);
        Assert.Equal("2.0", await AgreedAsync(user));
        Assert.Contains("agreed before", (await api.OpenAsync($"?u={Uri.EscapeDataString(user.Id)}&h={Mac(user.Id)}")).Html);
    }

    [Fact]
    public async Task Who_has_not_agreed_makes_no_events_and_is_told_where_to_agree()
    {
        var user = await api.RegisterSilentAsync();
        var refused = (await api.PostAsync(user, "/_matrix/client/v3/createRoom", new { })).Require(403, "M_CONSENT_NOT_GIVEN");
        var link = refused.Text("consent_uri");
        Assert.Equal($"Agree first at {link} please", refused.Text("error"));
        (await api.GetAsync(user, "/_matrix/client/v3/account/whoami")).RequireOk();
        var query = new Uri(link).Query;
        Assert.Equal(200, (await api.OpenAsync(query)).Status);
        var name = LocalpartOf(user);
        Assert.Equal(200, (await api.OpenAsync("", ("u", name), ("h", Mac(name)), ("v", "2.0"))).Status);
        await api.CreateRoomAsync(user);
        // A new version of the policy: agreeing to the one before does not count.
        await api.ExecuteAsync("update users set consent_version = '1.0' where user_id = $1", user.Id);
        (await api.PostAsync(await api.LogInAsync(user), "/_matrix/client/v3/createRoom", new { })).Require(403, "M_CONSENT_NOT_GIVEN");
    }

    [Fact]
    public async Task Leaving_needs_no_consent()
    {
        var user = await api.RegisterSilentAsync();
        await api.ExecuteAsync("update users set consent_version = '2.0' where user_id = $1", user.Id);
        user = await api.LogInAsync(user);
        var room = await api.CreateRoomAsync(user);
        await api.ExecuteAsync("update users set consent_version = null where user_id = $1", user.Id);
        user = await api.LogInAsync(user);
        (await api.PutAsync(user, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/send/m.room.message/t", new { body = "x", msgtype = "m.text" })).Require(403, "M_CONSENT_NOT_GIVEN");
        await api.LeaveAsync(user, room);
    }

    [Fact]
    public async Task Forged_links_agree_to_nothing()
    {
        var user = await api.RegisterSilentAsync();
        var (name, other) = (LocalpartOf(user), LocalpartOf(await api.RegisterSilentAsync()));
        foreach (var (u, h) in new[] { (name, Mac(other)), (name, ""), (name, Mac(name)[..^1]), (name, ConsentRules.Mac(name, "another secret")) })
        {
            Assert.Equal(403, (await api.OpenAsync($"?u={name}&h={h}")).Status);
            Assert.Equal(403, (await api.OpenAsync("", ("u", u), ("h", h), ("v", "2.0"))).Status);
        }
        Assert.Equal(DBNull.Value, await AgreedAsync(user));
        Assert.Equal(404, (await api.OpenAsync("", ("u", "nobody"), ("h", Mac("nobody")), ("v", "2.0"))).Status);
        Assert.Equal(404, (await api.OpenAsync("", ("u", "@x:elsewhere.example"), ("h", Mac("@x:elsewhere.example")), ("v", "2.0"))).Status);
        Assert.Equal(400, (await api.OpenAsync("", ("u", name), ("h", Mac(name)))).Status);
    }

    [Theory]
    [InlineData("3.0")]
    [InlineData("../secret")]
    [InlineData("..%2Fsecret")]
    [InlineData("success")]
    [InlineData(".hidden")]
    public async Task Versions_that_are_no_policy_are_not_found(string version)
    {
        var user = await api.RegisterSilentAsync();
        var name = LocalpartOf(user);
        Assert.Equal(404, (await api.OpenAsync("?v=" + version)).Status);
        Assert.Equal(404, (await api.OpenAsync("", ("u", name), ("h", Mac(name)), ("v", WebUtility.UrlDecode(version)))).Status);
        Assert.Equal(DBNull.Value, await AgreedAsync(user));
    }
}
