using Matrix.ServiceTests.ClientApi;

namespace Matrix.ServiceTests.Sso;

public sealed class CasTests(SsoFixture sso) : IClassFixture<SsoFixture>
{
    private const string Client = SsoFixture.Trusted;

    /// <summary>Begins a login; the address that CAS sends the browser back to, without the ticket.</summary>
    private static async Task<string> BeginAsync(TestBrowser browser, string client = Client)
    {
        var gone = (await browser.GetAsync("/_matrix/client/v3/login/cas/redirect?redirectUrl=" + Uri.EscapeDataString(client))).Require(302);
        Assert.Contains("/cas/login?service=", gone.Location);
        return FakeOidcProvider.QueryOf(gone.Location!)["service"];
    }

    [Fact]
    public async Task A_ticket_logs_in_and_the_server_is_asked_with_the_same_service()
    {
        var browser = sso.NewBrowser();
        var service = await BeginAsync(browser);
        var name = sso.NewName("Cas_User!");
        var ticket = sso.NewTicketOf(name);
        browser.Host = sso.Second;
        var back = (await browser.GetAsync($"{service}&ticket={ticket}")).Require(302);
        Assert.Equal($"@{name.ToLowerInvariant().Replace("!", "=21", StringComparison.Ordinal)}:test.example", (await sso.LogInAsync(back.Location!)).RequireOk().Text("user_id"));
        Assert.Contains($"/cas/proxyValidate?ticket={ticket}&service={Uri.EscapeDataString(service)}", sso.CasRequests);
    }

    [Fact]
    public async Task A_browser_that_began_nothing_is_asked_before_a_client_gets_a_token()
    {
        var service = await BeginAsync(sso.NewBrowser());
        var page = (await sso.NewBrowser().GetAsync($"{service}&ticket={sso.NewTicketOf(sso.NewName())}")).Require(200);
        Assert.StartsWith(Client + "?loginToken=", page.Button);
    }

    [Fact]
    public async Task An_existing_account_of_that_name_is_the_users()
    {
        var user = await sso.RegisterAsync();
        var browser = sso.NewBrowser();
        var service = await BeginAsync(browser);
        var back = (await browser.GetAsync($"{service}&ticket={sso.NewTicketOf(user.Id[1..user.Id.IndexOf(':')])}")).Require(302);
        Assert.Equal(user.Id, (await sso.LogInAsync(back.Location!)).RequireOk().Text("user_id"));
    }

    [Fact]
    public async Task Answers_that_are_no_success_are_refused()
    {
        var browser = sso.NewBrowser();
        var service = await BeginAsync(browser);
        async Task RefuseAsync(string xml, int status = 401) => (await browser.GetAsync($"{service}&ticket={sso.NewTicket(xml)}")).Require(status);
        await RefuseAsync("no XML");
        await RefuseAsync("<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'><cas:authenticationFailure code='INVALID_TICKET'/></cas:serviceResponse>");
        await RefuseAsync("<serviceResponse><authenticationSuccess><user>admin</user></authenticationSuccess></serviceResponse>");
        await RefuseAsync("<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'><cas:authenticationSuccess/></cas:serviceResponse>");
        (await browser.GetAsync($"{service}&ticket={sso.NewTicketOf(sso.NewName(), "guests")}")).Require(403);
        (await browser.GetAsync($"{service}&ticket=unknown")).Require(401);
        (await browser.GetAsync(service)).Require(400);
        (await browser.GetAsync("/_matrix/client/r0/login/cas/ticket?ticket=x")).Require(400);
    }

    [Fact]
    public async Task Entities_are_not_expanded_and_size_has_an_end()
    {
        var browser = sso.NewBrowser();
        var service = await BeginAsync(browser);
        const string laughs = "<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'><!ENTITY c SYSTEM 'file:///etc/passwd'>]>";
        var body = "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'><cas:authenticationSuccess><cas:user>&b;</cas:user></cas:authenticationSuccess></cas:serviceResponse>";
        (await browser.GetAsync($"{service}&ticket={sso.NewTicket(laughs + body)}")).Require(401);
        var large = body.Replace("&b;", "x" + new string(' ', 600_000), StringComparison.Ordinal);
        (await browser.GetAsync($"{service}&ticket={sso.NewTicket(large)}")).Require(401);
    }

    [Fact]
    public async Task User_interactive_authentication_by_provider()
    {
        var name = sso.NewName();
        var browser = sso.NewBrowser();
        var service = await BeginAsync(browser);
        var login = (await sso.LogInAsync((await browser.GetAsync($"{service}&ticket={sso.NewTicketOf(name)}")).Require(302).Location!, "TABLET")).RequireOk();
        var token = login.Text("access_token");
        var challenge = (await sso.JsonAsync(HttpMethod.Delete, "/_matrix/client/v3/devices/TABLET", token, new { }));
        Assert.Equal(401, challenge.Status);
        Assert.Contains("m.login.sso", challenge.Body.GetProperty("flows").GetRawText());
        var session = challenge.Text("session");
        (await sso.JsonAsync(HttpMethod.Delete, "/_matrix/client/v3/devices/TABLET", token, new { auth = new { type = "m.login.sso", session } })).Require(401, "M_FORBIDDEN");
        var confirm = (await browser.GetAsync($"/_matrix/client/v3/auth/m.login.sso/fallback/web?session={session}")).Require(200);
        Assert.Contains("remove a device", confirm.Body);
        var uiaService = FakeOidcProvider.QueryOf(confirm.Button)["service"];
        browser.Host = sso.Second;
        var done = (await browser.GetAsync($"{uiaService}&ticket={sso.NewTicketOf(name)}")).Require(200);
        Assert.Contains("onAuthDone", done.Body);
        var answer = await sso.JsonAsync(HttpMethod.Delete, "/_matrix/client/v3/devices/TABLET", token, new { auth = new { session } });
        answer.RequireOk();
    }

    /// <summary>Who has got hold of a token sends its owner to CAS, which knows him and sends him on here.</summary>
    [Fact]
    public async Task A_browser_that_was_not_told_what_it_confirms_confirms_nothing()
    {
        var name = sso.NewName();
        var browser = sso.NewBrowser();
        var login = (await sso.LogInAsync((await browser.GetAsync($"{await BeginAsync(browser)}&ticket={sso.NewTicketOf(name)}")).Require(302).Location!, "PHONE")).RequireOk();
        var session = (await sso.JsonAsync(HttpMethod.Delete, "/_matrix/client/v3/devices/PHONE", login.Text("access_token"), new { })).Text("session");
        var thief = sso.NewBrowser();
        var confirm = (await thief.GetAsync($"/_matrix/client/v3/auth/m.login.sso/fallback/web?session={session}")).Require(200);
        (await browser.GetAsync($"{FakeOidcProvider.QueryOf(confirm.Button)["service"]}&ticket={sso.NewTicketOf(name)}")).Require(400);
        browser.Site = "cross-site";
        (await browser.GetAsync($"/_matrix/client/r0/login/cas/ticket?session={session}&ticket={sso.NewTicketOf(name)}")).Require(400);
        // Old ones, and all where the address is no https, do not say where they come from.
        browser.Site = null;
        foreach (var says in ((string, string)[])[("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 14_8 like Mac OS X) AppleWebKit/605.1.15"), ("Accept-Language", "de")])
        {
            browser.Says = says;
            (await browser.GetAsync($"/_matrix/client/r0/login/cas/ticket?session={session}&ticket={sso.NewTicketOf(name)}")).Require(400);
        }
        (await browser.GetAsync($"/_matrix/client/r0/login/cas/ticket?state=forged&ticket={sso.NewTicketOf(name)}")).Require(400);
        Assert.Equal(401, (await sso.JsonAsync(HttpMethod.Delete, "/_matrix/client/v3/devices/PHONE", login.Text("access_token"), new { auth = new { session } })).Status);
    }

    [Fact]
    public async Task What_is_no_browser_may_name_the_session_itself()
    {
        var (name, client) = (sso.NewName(), sso.NewBrowser());
        var login = (await sso.LogInAsync((await client.GetAsync($"{await BeginAsync(client)}&ticket={sso.NewTicketOf(name)}")).Require(302).Location!, "PHONE")).RequireOk();
        var session = (await sso.JsonAsync(HttpMethod.Delete, "/_matrix/client/v3/devices/PHONE", login.Text("access_token"), new { })).Text("session");
        (await client.GetAsync($"/_matrix/client/r0/login/cas/ticket?session={session}&ticket={sso.NewTicketOf(name)}")).Require(200);
        (await sso.JsonAsync(HttpMethod.Delete, "/_matrix/client/v3/devices/PHONE", login.Text("access_token"), new { auth = new { session } })).RequireOk();
    }

    [Fact]
    public async Task Somebody_else_confirms_nothing()
    {
        var name = sso.NewName();
        var browser = sso.NewBrowser();
        var service = await BeginAsync(browser);
        var login = (await sso.LogInAsync((await browser.GetAsync($"{service}&ticket={sso.NewTicketOf(name)}")).Require(302).Location!, "PHONE")).RequireOk();
        var token = login.Text("access_token");
        var session = (await sso.JsonAsync(HttpMethod.Delete, "/_matrix/client/v3/devices/PHONE", token, new { })).Text("session");
        var other = await sso.RegisterAsync();
        var confirm = (await browser.GetAsync($"/_matrix/client/v3/auth/m.login.sso/fallback/web?session={session}")).Require(200);
        (await browser.GetAsync($"{FakeOidcProvider.QueryOf(confirm.Button)["service"]}&ticket={sso.NewTicketOf(other.Id[1..other.Id.IndexOf(':')])}")).Require(200);
        (await sso.JsonAsync(HttpMethod.Delete, "/_matrix/client/v3/devices/PHONE", token, new { auth = new { session } })).Require(403, "M_FORBIDDEN");
        (await sso.JsonAsync(HttpMethod.Get, "/_matrix/client/v3/devices/PHONE", token)).RequireOk();
    }
}
