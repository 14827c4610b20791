using System.Text;
using Matrix.ServiceDefaults;

namespace Matrix.ServiceTests.ClientApi.Accounts;

public class ThreepidFixture : ClientApiFixture
{
    public MailSink Mail { get; } = new();
    public IdentityServerFake Identity { get; } = IdentityServerFake.StartAsync().GetAwaiter().GetResult();

    protected override HomeserverConfig Configure(HomeserverConfig config) => base.Configure(config) with
    {
        OutboundVerifyCertificates = false,
        PublicBaseUrl = "https://matrix.test.example/",
        Accounts = new()
        {
            Email = new("%(app)s <noreply@test.example>") { Host = "127.0.0.1", Port = Mail.Port, AppName = "Testers" },
            MsisdnDelegate = $"https://{Identity.Name}",
            AllowedLocal3pids = [new("email", @"^[^@]+@(good|other)\.example$"), new("msisdn", "^49")],
        },
    };

    /// <summary>Begins a proof and opens the link of its mail.</summary>
    public async Task<object> ProveAsync(string path, string email)
    {
        // A secret that was used for this address before would continue that proof.
        var secret = NewName("secret.of-client");
        var sid = (await PostAsync(null, $"/_matrix/client/v3{path}/email/requestToken", new { client_secret = secret, email, send_attempt = 1 })).RequireOk().Text("sid");
        await OpenAsync((await Mail.NextAsync()).Link);
        return new { sid, client_secret = secret };
    }

    public async Task<(int Status, string Html, string? Location)> OpenAsync(Uri link, string? form = null)
    {
        using var request = new HttpRequestMessage(form is null ? HttpMethod.Get : HttpMethod.Post, link.PathAndQuery);
        if (form is not null) request.Content = new StringContent(form, Encoding.UTF8, "application/x-www-form-urlencoded");
        using var response = await Http.SendAsync(request);
        return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(), response.Headers.Location?.ToString());
    }

    public new async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        await Mail.DisposeAsync();
        await Identity.DisposeAsync();
    }
}

public sealed class ThreepidTests(ThreepidFixture api) : IClassFixture<ThreepidFixture>
{
    private const string V3 = "/_matrix/client/v3";

    private static object Password(TestUser user) => new { type = "m.login.password", user = user.Id, password = user.Password };

    private async Task<TestUser> WithAddressAsync(string email)
    {
        var user = await api.RegisterUserAsync();
        (await api.PostAsync(user, V3 + "/account/3pid", new { three_pid_creds = await api.ProveAsync("/account/3pid", email) })).RequireOk();
        return user;
    }

    [Fact]
    public async Task An_address_is_proved_by_mail_added_and_removed()
    {
        var user = await api.RegisterUserAsync();
        var begin = new { client_secret = "abc", email = "Alice@Good.Example", send_attempt = 1 };
        var sid = (await api.PostAsync(null, V3 + "/account/3pid/email/requestToken", begin)).RequireOk().Text("sid");
        var mail = await api.Mail.NextAsync();
        Assert.Equal("alice@good.example", mail.To);
        Assert.Contains("Testers", mail.Part("text/plain"));
        Assert.Contains(mail.Link.ToString().Replace("&", "&amp;"), mail.Part("text/html"));
        Assert.StartsWith("https://matrix.test.example/_matrix/client/unstable/add_threepid/email/submit_token?", mail.Link.ToString());
        // The same attempt sends nothing more, the next one does, and both links prove it.
        Assert.Equal(sid, (await api.PostAsync(null, V3 + "/account/3pid/email/requestToken", begin)).RequireOk().Text("sid"));
        Assert.Equal(0, api.Mail.Waiting);
        Assert.Equal(sid, (await api.PostAsync(null, V3 + "/account/3pid/email/requestToken", begin with { send_attempt = 2 })).RequireOk().Text("sid"));
        await api.Mail.NextAsync();

        var add = new { sid, client_secret = "abc", auth = Password(user) };
        (await api.PostAsync(user, V3 + "/account/3pid/add", add)).Require(400, "M_THREEPID_AUTH_FAILED");
        var page = await api.OpenAsync(mail.Link);
        Assert.Equal(200, page.Status);
        Assert.Contains("confirmed", page.Html);
        (await api.PostAsync(user, V3 + "/account/3pid/add", add)).RequireOk();
        var listed = (await api.GetAsync(user, V3 + "/account/3pid")).RequireOk().Body.GetProperty("threepids");
        Assert.Equal(("email", "alice@good.example"), (listed[0].GetProperty("medium").GetString(), listed[0].GetProperty("address").GetString()));
        // Who has it can log in with it, in any case.
        (await api.PostAsync(null, V3 + "/login", new { type = "m.login.password", identifier = new { type = "m.id.thirdparty", medium = "email", address = "ALICE@good.example" }, password = user.Password })).RequireOk();
        (await api.PostAsync(null, V3 + "/account/3pid/email/requestToken", begin with { client_secret = "other" })).Require(400, "M_THREEPID_IN_USE");
        Assert.Equal("no-support", (await api.PostAsync(user, V3 + "/account/3pid/delete", new { medium = "email", address = "alice@good.example" })).RequireOk().Text("id_server_unbind_result"));
        Assert.Equal(0, (await api.GetAsync(user, V3 + "/account/3pid")).RequireOk().Body.GetProperty("threepids").GetArrayLength());
    }

    [Theory]
    [InlineData("""{"email":"a@good.example","send_attempt":1}""", 400, "M_MISSING_PARAM")]
    [InlineData("""{"client_secret":"a b","email":"a@good.example","send_attempt":1}""", 400, "M_INVALID_PARAM")]
    [InlineData("""{"client_secret":"a","email":"no address","send_attempt":1}""", 400, "M_INVALID_PARAM")]
    [InlineData("""{"client_secret":"a","email":"a@good.example>\r\nBcc: b@good.example","send_attempt":1}""", 400, "M_INVALID_PARAM")]
    [InlineData("""{"client_secret":"a","email":"a@evil.example","send_attempt":1}""", 403, "M_THREEPID_DENIED")]
    [InlineData("""{"client_secret":"a","email":"a@good.example"}""", 400, "M_MISSING_PARAM")]
    [InlineData("""{"client_secret":"a","email":"a@good.example","send_attempt":1,"next_link":"javascript:alert(1)"}""", 400, "M_INVALID_PARAM")]
    public async Task Requests_for_mail_that_cannot_be_right_are_refused(string body, int status, string code) =>
        (await api.PostAsync(null, V3 + "/account/3pid/email/requestToken", body)).Require(status, code);

    [Fact]
    public async Task Links_that_are_none_prove_nothing_and_the_next_link_is_followed()
    {
        var sid = (await api.PostAsync(null, V3 + "/account/3pid/email/requestToken",
            new { client_secret = "n", email = "next@good.example", send_attempt = 1, next_link = "https://client.example/done?x=1" })).RequireOk().Text("sid");
        var link = (await api.Mail.NextAsync()).Link;
        const string Path = "https://matrix.test.example/_matrix/client/unstable/add_threepid/email/submit_token";
        foreach (var wrong in new[] { Path, $"{Path}?token=x&client_secret=n&sid={sid}", link.ToString().Replace("client_secret=n", "client_secret=m"), link.ToString().Replace("add_threepid", "registration") })
            Assert.Equal(400, (await api.OpenAsync(new Uri(wrong))).Status);
        var opened = await api.OpenAsync(link);
        Assert.Equal((302, "https://client.example/done?x=1"), (opened.Status, opened.Location));
        api.Clock.Advance(TimeSpan.FromHours(2));
        Assert.Equal(400, (await api.OpenAsync(link)).Status);
    }

    [Fact]
    public async Task An_account_can_be_made_with_an_address()
    {
        var name = api.NewName();
        var begin = await api.PostAsync(null, V3 + "/register", new { username = name, password = "p" });
        Assert.Equal("""[{"stages":["m.login.dummy"]},{"stages":["m.login.email.identity"]},{"stages":["m.login.msisdn"]},{"stages":["m.login.msisdn","m.login.email.identity"]}]""",
            begin.Body.GetProperty("flows").GetRawText());
        var session = begin.Text("session");
        object With(object credentials) => new { auth = new { type = "m.login.email.identity", session, threepid_creds = credentials } };
        (await api.PostAsync(null, V3 + "/register", With(new { sid = "none", client_secret = "none" }))).Require(401, "M_UNAUTHORIZED");
        // A proof for something else is none for this.
        (await api.PostAsync(null, V3 + "/register", With(await api.ProveAsync("/account/3pid", "elsewhere@good.example")))).Require(401, "M_UNAUTHORIZED");
        var done = (await api.PostAsync(null, V3 + "/register", With(await api.ProveAsync("/register", "new@good.example")))).RequireOk();
        var user = new TestUser(done.Text("user_id"), done.Text("access_token"), "", "");
        Assert.Equal("new@good.example", (await api.GetAsync(user, V3 + "/account/3pid")).RequireOk().Body.GetProperty("threepids")[0].GetProperty("address").GetString());
    }

    [Fact]
    public async Task A_lost_password_is_replaced_by_who_reads_the_mail()
    {
        var user = await WithAddressAsync("lost@good.example");
        (await api.PostAsync(null, V3 + "/account/password/email/requestToken", new { client_secret = "s", email = "nobody@good.example", send_attempt = 1 })).Require(400, "M_THREEPID_NOT_FOUND");
        var sid = (await api.PostAsync(null, V3 + "/account/password/email/requestToken", new { client_secret = "s", email = "lost@good.example", send_attempt = 1 })).RequireOk().Text("sid");
        var link = (await api.Mail.NextAsync()).Link;
        object Reset(string password) => new { new_password = password, auth = new { type = "m.login.email.identity", threepid_creds = new { sid, client_secret = "s" } } };
        // A program that opens the link has not confirmed it.
        Assert.Contains("<form", (await api.OpenAsync(link)).Html);
        (await api.PostAsync(null, V3 + "/account/password", Reset("new"))).Require(401, "M_UNAUTHORIZED");
        Assert.Equal(200, (await api.OpenAsync(new Uri(link.GetLeftPart(UriPartial.Path)), link.Query[1..])).Status);
        (await api.PostAsync(null, V3 + "/account/password", Reset("new"))).RequireOk();
        await api.LogInAsync(user.Id, "new");
        (await api.GetAsync(user, V3 + "/account/whoami")).Require(401, "M_UNKNOWN_TOKEN");
        (await api.PostAsync(null, V3 + "/account/password", new { new_password = "x", auth = Password(user) })).Require(401, "M_FORBIDDEN");
    }

    [Fact]
    public async Task Telephone_numbers_are_proved_through_the_delegate()
    {
        var user = await api.RegisterUserAsync();
        var begin = (await api.PostAsync(null, V3 + "/account/3pid/msisdn/requestToken", new { client_secret = "s", country = "DE", phone_number = "0170 1234567", send_attempt = 1 })).RequireOk();
        Assert.Equal(("sms-1", "https://sms.example/submit"), (begin.Text("sid"), begin.Text("submit_url")));
        (await api.PostAsync(null, V3 + "/account/3pid/msisdn/requestToken", new { client_secret = "s", country = "FR", phone_number = "0170 1234567", send_attempt = 1 })).Require(403, "M_THREEPID_DENIED");
        (await api.PostAsync(null, V3 + "/account/3pid/msisdn/requestToken", new { client_secret = "s", country = "??", phone_number = "1", send_attempt = 1 })).Require(400, "M_INVALID_PARAM");
        (await api.PostAsync(user, V3 + "/account/3pid/add", new { sid = "sms-1", client_secret = "s", auth = Password(user) })).RequireOk();
        (await api.PostAsync(null, V3 + "/login", new { type = "m.login.password", identifier = new { type = "m.id.phone", country = "DE", phone = "0170/1234567" }, password = user.Password })).RequireOk();
    }

    [Fact]
    public async Task Addresses_are_bound_and_unbound_at_identity_servers()
    {
        var user = await api.RegisterUserAsync();
        async Task BindAsync(string sid) => (await api.PostAsync(user, V3 + "/account/3pid/bind",
            new { id_server = api.Identity.Name, id_access_token = "tok", sid, client_secret = "s" })).RequireOk();
        await BindAsync("one");
        Assert.Equal(user.Id, api.Identity.Bindings["one@id.example"]);
        Assert.Contains(api.Identity.Requests, r => r.Authorization == "Bearer tok");
        Assert.Equal("success", (await api.PostAsync(user, V3 + "/account/3pid/unbind", new { medium = "email", address = "one@id.example" })).RequireOk().Text("id_server_unbind_result"));
        Assert.False(api.Identity.Bindings.ContainsKey("one@id.example"));
        Assert.Contains(api.Identity.Requests, r => r.Authorization.StartsWith("X-Matrix origin=\"test.example\"", StringComparison.Ordinal));
        // Asked where the user says, which need not know of it.
        await BindAsync("zero");
        var third = await api.RegisterUserAsync();
        (await api.PostAsync(third, V3 + "/account/deactivate", new { id_server = "a b", auth = Password(third) })).Require(400, "M_INVALID_PARAM");
        await BindAsync("two");
        (await api.PostAsync(user, V3 + "/account/deactivate", new { auth = Password(user) })).RequireOk();
        Assert.False(api.Identity.Bindings.ContainsKey("two@id.example"));
        var other = await api.RegisterUserAsync();
        foreach (var bad in new[] { "127.0.0.1/path", "a b", "https://x" })
            (await api.PostAsync(other, V3 + "/account/3pid/bind", new { id_server = bad, id_access_token = "t", sid = "s", client_secret = "s" })).Require(400, "M_INVALID_PARAM");
    }

    [Fact]
    public async Task A_deactivated_account_keeps_nothing_and_leaves_its_rooms()
    {
        var user = await WithAddressAsync("gone@good.example");
        var room = await api.CreateRoomAsync(user);
        Assert.Equal("success", (await api.PostAsync(user, V3 + "/account/deactivate", new { erase = true, auth = Password(user) })).RequireOk().Text("id_server_unbind_result"));
        foreach (var table in new[] { "user_threepids", "access_tokens", "refresh_tokens", "devices", "pushers", "account_data", "profiles", "deactivations" })
            Assert.Equal(0L, await api.ScalarAsync($"select count(*) from {table} where user_id = $1", user.Id));
        Assert.Equal("leave", await api.ScalarAsync("select membership from room_memberships m join rooms r using (room_nid) where m.user_id = $1 and r.room_id = $2", user.Id, room));
        (await api.PostAsync(null, V3 + "/login", Password(user))).Require(403, "M_USER_DEACTIVATED");
        // The address is free again.
        await WithAddressAsync("gone@good.example");
    }

    [Theory]
    [InlineData("delete")]
    [InlineData("unbind")]
    public async Task Only_mail_addresses_and_telephone_numbers_are_removed(string operation)
    {
        var (user, path) = (await api.RegisterUserAsync(), $"{V3}/account/3pid/{operation}");
        (await api.PostAsync(user, path, new { medium = "pigeon", address = "a" })).Require(400, "M_BAD_JSON");
        (await api.PostAsync(user, path, new { medium = "Email", address = "a" })).Require(400, "M_BAD_JSON");
        (await api.PostAsync(user, path, new { address = "a" })).Require(400, "M_MISSING_PARAM");
        (await api.PostAsync(user, path, new { medium = "msisdn", address = "447700900000" })).RequireOk();
    }

    [Fact]
    public async Task Nothing_is_bound_without_a_token_of_the_identity_server()
    {
        var user = await api.RegisterUserAsync();
        var refused = (await api.PostAsync(user, V3 + "/account/3pid/bind", new { id_server = "id.example", sid = "1", client_secret = "secret" })).Require(400, "M_MISSING_PARAM");
        Assert.Contains("id_access_token", refused.Text("error"));
        (await api.PostAsync(user, V3 + "/account/3pid/bind", new { id_server = "id.example", id_access_token = 1, sid = "1", client_secret = "secret" })).Require(400, "M_BAD_JSON");
    }
}
