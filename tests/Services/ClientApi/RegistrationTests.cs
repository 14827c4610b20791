using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Matrix.ServiceTests.ClientApi;

public sealed class RegistrationTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private const string Path = "/_matrix/client/v3/register";
    private static readonly object Dummy = new { type = "m.login.dummy" };

    [Fact]
    public async Task A_request_with_its_proof_registers_at_once()
    {
        var name = api.NewName();
        var answer = (await api.PostAsync(null, Path, new { username = name, password = "p", auth = Dummy, device_id = "DEV" })).RequireOk();
        Assert.Equal($"@{name}:{ClientApiFixture.ServerName}", answer.Text("user_id"));
        Assert.Equal("DEV", answer.Text("device_id"));
        var me = (await api.GetAsync(new TestUser("", answer.Text("access_token"), "", ""), "/_matrix/client/v3/account/whoami")).RequireOk();
        Assert.Equal(answer.Text("user_id"), me.Text("user_id"));
        Assert.Equal("DEV", me.Text("device_id"));
        Assert.False(me.Body.GetProperty("is_guest").GetBoolean());
    }

    [Fact]
    public async Task Without_a_proof_the_flows_are_told_and_the_session_remembers_the_parameters()
    {
        var name = api.NewName();
        var challenge = await api.PostAsync(null, Path, new { username = name, password = "remembered" });
        Assert.Equal(401, challenge.Status);
        Assert.Null(challenge.Code);
        Assert.Equal("m.login.dummy", challenge.Body.GetProperty("flows")[0].GetProperty("stages")[0].GetString());
        var session = challenge.Text("session");
        var done = (await api.PostAsync(null, Path, new { auth = new { type = "m.login.dummy", session } })).RequireOk();
        Assert.Equal($"@{name}:{ClientApiFixture.ServerName}", done.Text("user_id"));
        (await api.PostAsync(null, "/_matrix/client/v3/login",
            new { type = "m.login.password", identifier = new { type = "m.id.user", user = name }, password = "remembered" })).RequireOk();
        (await api.PostAsync(null, Path, new { auth = new { type = "m.login.dummy", session = "unknown" } })).Require(400, "M_UNKNOWN");
    }

    [Fact]
    public async Task A_password_that_comes_with_the_proof_is_the_one_that_counts()
    {
        var name = api.NewName();
        var session = (await api.PostAsync(null, Path, new { username = name, password = "mistyped" })).Text("session");
        var user = (await api.PostAsync(null, Path, new { username = name, password = "corrected", auth = new { type = "m.login.dummy", session } })).RequireOk();
        await api.LogInAsync(user.Text("user_id"), "corrected");
        var asked = new TestUser(user.Text("user_id"), user.Text("access_token"), "", "corrected");
        object Proof(string of) => new { type = "m.login.password", user = asked.Id, password = "corrected", session = of };
        session = (await api.PostAsync(asked, "/_matrix/client/v3/account/password", new { new_password = "mistyped" })).Text("session");
        (await api.PostAsync(asked, "/_matrix/client/v3/account/password", new { new_password = "other", auth = Proof(session) })).RequireOk();
        await api.LogInAsync(asked.Id, "other");
    }

    [Theory]
    [InlineData("deactivate", """{"erase":1}""")]
    [InlineData("deactivate", """{"id_server":1}""")]
    [InlineData("password", """{"new_password":"p","logout_devices":1}""")]
    public async Task Nobody_proves_anything_for_a_request_that_is_wrong(string what, string body) =>
        (await api.PostAsync(await api.RegisterUserAsync(), "/_matrix/client/v3/account/" + what, body)).Require(400, "M_BAD_JSON");

    [Fact]
    public async Task A_session_that_has_registered_somebody_answers_with_him_again()
    {
        var session = (await api.PostAsync(null, Path, new { password = "p" })).Text("session");
        var body = new { password = "p", auth = new { type = "m.login.dummy", session } };
        var first = (await api.PostAsync(null, Path, body)).RequireOk();
        var again = (await api.PostAsync(null, Path, body)).RequireOk();
        Assert.Equal(first.Text("user_id"), again.Text("user_id"));
        Assert.NotEqual(first.Text("access_token"), again.Text("access_token"));
        var user = new TestUser(again.Text("user_id"), again.Text("access_token"), "", "");
        (await api.PostAsync(user, "/_matrix/client/v3/account/deactivate",
            new { auth = new { type = "m.login.password", identifier = new { type = "m.id.user", user = user.Id }, password = "p" } })).RequireOk();
        (await api.PostAsync(null, Path, body)).Require(400, "M_USER_IN_USE");
    }

    [Fact]
    public async Task A_session_that_is_finished_many_times_at_once_registers_one()
    {
        var session = (await api.PostAsync(null, Path, new { password = "p" })).Text("session");
        var before = await api.ScalarAsync("select count(*) from users");
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => api.PostAsync(null, Path, new { password = "p", auth = new { type = "m.login.dummy", session } })));
        Assert.Single(answers.Where(a => a.Status == 200).Select(a => a.Text("user_id")).Distinct());
        Assert.All(answers.Where(a => a.Status != 200), a => a.Require(400, "M_USER_IN_USE"));
        Assert.Equal((long)before! + 1, await api.ScalarAsync("select count(*) from users"));
    }

    [Fact]
    public async Task A_guest_becomes_a_user_with_his_own_token_only()
    {
        var (one, two) = ((await api.PostAsync(null, Path + "?kind=guest", "{}")).RequireOk(), (await api.PostAsync(null, Path + "?kind=guest", "{}")).RequireOk());
        var name = one.Text("user_id")[1..].Split(':')[0];
        (await api.PostAsync(null, Path, new { username = name, password = "p", guest_access_token = two.Text("access_token"), auth = Dummy })).Require(403, "M_FORBIDDEN");
        var user = (await api.PostAsync(null, Path, new { username = name, password = "p", guest_access_token = one.Text("access_token"), auth = Dummy })).RequireOk();
        Assert.Equal(one.Text("user_id"), user.Text("user_id"));
        var me = (await api.GetAsync(new TestUser("", user.Text("access_token"), "", ""), "/_matrix/client/v3/account/whoami")).RequireOk();
        Assert.False(me.Body.GetProperty("is_guest").GetBoolean());
        (await api.PostAsync(null, Path, new { username = name, password = "p", guest_access_token = one.Text("access_token"), auth = Dummy })).Require(403, "M_FORBIDDEN");
    }

    [Fact]
    public async Task Bytes_that_are_no_text_are_no_json() =>
        Assert.Equal("M_NOT_JSON", (await api.PostAsync(null, Path, (byte[])[.. "{\"username\":\""u8, 0xC3, 0x28, .. "\",\"password\":\"p\"}"u8])).Code);

    [Fact]
    public async Task No_password_stands_in_the_database_while_a_session_lasts()
    {
        var challenge = await api.PostAsync(null, Path, new { username = api.NewName(), password = "visible-secret" });
        await using var command = api.Database.Source.CreateCommand("select convert_from(request, 'UTF8') from uia_sessions where session_id = $1");
        command.Parameters.AddWithValue(challenge.Text("session"));
        var stored = (string)(await command.ExecuteScalarAsync())!;
        Assert.Contains("pbkdf2-sha512", stored);
        Assert.DoesNotContain("visible-secret", stored);
    }

    [Theory]
    [InlineData("caf\u00e9", "M_INVALID_USERNAME")]
    [InlineData("_bridge", "M_INVALID_USERNAME")]
    [InlineData("12345", "M_INVALID_USERNAME")]
    [InlineData("", "M_INVALID_USERNAME")]
    [InlineData("a b", "M_INVALID_USERNAME")]
    public async Task Names_outside_the_grammar_are_refused(string name, string code)
    {
        (await api.PostAsync(null, Path, new { username = name, password = "p", auth = Dummy })).Require(400, code);
        (await api.GetAsync(null, $"/_matrix/client/v3/register/available?username={Uri.EscapeDataString(name)}")).Require(400, code);
    }

    [Fact]
    public async Task A_name_of_256_bytes_is_refused() =>
        (await api.PostAsync(null, Path, new { username = new string('a', 250), password = "p", auth = Dummy })).Require(400, "M_INVALID_USERNAME");

    [Fact]
    public async Task Capitals_are_folded()
    {
        var name = api.NewName("Upper");
        var answer = (await api.PostAsync(null, Path, new { username = name, password = "p", auth = Dummy })).RequireOk();
        Assert.Equal($"@{name.ToLowerInvariant()}:{ClientApiFixture.ServerName}", answer.Text("user_id"));
    }

    [Fact]
    public async Task A_taken_name_is_refused_before_and_after_the_proof()
    {
        var name = api.NewName();
        (await api.GetAsync(null, $"/_matrix/client/v3/register/available?username={name}")).RequireOk();
        await api.RegisterUserAsync(name);
        (await api.PostAsync(null, Path, new { username = name, password = "p" })).Require(400, "M_USER_IN_USE");
        (await api.PostAsync(null, Path, new { username = name, password = "p", auth = Dummy })).Require(400, "M_USER_IN_USE");
        (await api.GetAsync(null, $"/_matrix/client/v3/register/available?username={name}")).Require(400, "M_USER_IN_USE");
    }

    [Fact]
    public async Task Of_many_who_want_one_name_at_once_one_gets_it()
    {
        var name = api.NewName();
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ =>
            api.PostAsync(null, Path, new { username = name, password = "p", auth = Dummy })));
        Assert.Single(answers, a => a.Status == 200);
        Assert.All(answers.Where(a => a.Status != 200), a => a.Require(400, "M_USER_IN_USE"));
    }

    [Fact]
    public async Task Inhibit_login_makes_no_device()
    {
        var name = api.NewName();
        var answer = (await api.PostAsync(null, Path, new { username = name, password = "p", inhibit_login = true, auth = Dummy })).RequireOk();
        Assert.False(answer.Has("access_token"));
        Assert.False(answer.Has("device_id"));
    }

    [Fact]
    public async Task Guests_register_without_a_name_or_a_proof()
    {
        var answer = (await api.PostAsync(null, Path + "?kind=guest", "{}")).RequireOk();
        var guest = new TestUser(answer.Text("user_id"), answer.Text("access_token"), "", "");
        Assert.True((await api.GetAsync(guest, "/_matrix/client/v3/account/whoami")).RequireOk().Body.GetProperty("is_guest").GetBoolean());
        (await api.PostAsync(null, Path + "?kind=robot", "{}")).Require(400, "M_INVALID_PARAM");
    }

    [Theory]
    [InlineData("{", "M_NOT_JSON")]
    [InlineData("[]", "M_BAD_JSON")]
    [InlineData("""{"username":1,"password":"p"}""", "M_BAD_JSON")]
    [InlineData("""{"username":"x1","password":["p"]}""", "M_BAD_JSON")]
    [InlineData("""{"username":"x2","password":"p","auth":"m.login.dummy"}""", "M_BAD_JSON")]
    [InlineData("""{"username":"x3","auth":{"type":"m.login.dummy"}}""", "M_MISSING_PARAM")]
    [InlineData("""{"username":"x4","password":"p","inhibit_login":"yes"}""", "M_BAD_JSON")]
    public async Task Wrong_bodies_are_refused(string body, string code) => (await api.PostAsync(null, Path, body)).Require(400, code);

    [Fact]
    public async Task An_unknown_stage_is_answered_with_the_flows()
    {
        var answer = await api.PostAsync(null, Path, new { username = api.NewName(), password = "p", auth = new { type = "m.login.nothing" } });
        Assert.Equal(401, answer.Status);
        Assert.Equal("M_UNRECOGNIZED", answer.Code);
        Assert.True(answer.Has("flows"));
    }

    [Fact]
    public async Task The_shared_secret_makes_an_administrator_and_a_nonce_serves_once()
    {
        const string Admin = "/_synapse/admin/v1/register";
        var nonce = (await api.GetAsync(null, Admin)).RequireOk().Text("nonce");
        var name = api.NewName("root");
        var body = new { nonce, username = name, password = "p", admin = true, mac = Mac(nonce, name, "p", "admin") };
        var answer = (await api.PostAsync(null, Admin, body)).RequireOk();
        (await api.PostAsync(null, Admin, body)).Require(400, "M_UNKNOWN");
        await using var command = api.Database.Source.CreateCommand("select is_admin from users where user_id = $1");
        command.Parameters.AddWithValue(answer.Text("user_id"));
        Assert.True((bool)(await command.ExecuteScalarAsync())!);

        var second = (await api.GetAsync(null, Admin)).Text("nonce");
        (await api.PostAsync(null, Admin, new { nonce = second, username = api.NewName(), password = "p", admin = true, mac = Mac(second, "other", "p", "admin") }))
            .Require(403, "M_UNKNOWN");
    }

    private static string Mac(params string[] parts) => Convert.ToHexStringLower(
        HMACSHA1.HashData(Encoding.UTF8.GetBytes(ClientApiFixture.SharedSecret), Encoding.UTF8.GetBytes(string.Join('\0', parts))));

    [Fact]
    public async Task A_registration_is_announced_to_the_user_directory()
    {
        var user = await api.RegisterUserAsync();
        await using var command = api.Database.Source.CreateCommand("select count(*) from stream_rows where stream = 'user_directory' and key = $1");
        command.Parameters.AddWithValue(user.Id);
        Assert.Equal(1L, (long)(await command.ExecuteScalarAsync())!);
    }

    [Fact]
    public async Task Positions_have_no_gap_whatever_happens_at_once()
    {
        var name = api.NewName();
        await Task.WhenAll(Enumerable.Range(0, 40).Select(i => api.PostAsync(null, Path, new { username = $"{name}_{i % 25}", password = "p", auth = Dummy })));
        await using var command = api.Database.Source.CreateCommand(
            "select c.pos, count(distinct r.pos), max(r.pos) from stream_counters c join stream_rows r using (stream) where stream = 'user_directory' group by c.pos");
        await using var r = await command.ExecuteReaderAsync();
        Assert.True(await r.ReadAsync());
        Assert.Equal((r.GetInt64(0), r.GetInt64(0)), (r.GetInt64(1), r.GetInt64(2)));
    }

    [Fact]
    public async Task Versions_and_login_flows_need_no_token()
    {
        Assert.Contains("v1.19", (await api.GetAsync(null, "/_matrix/client/versions")).RequireOk().Body.GetProperty("versions").EnumerateArray().Select(v => v.GetString()));
        Assert.Equal("m.login.password", (await api.GetAsync(null, "/_matrix/client/r0/login")).RequireOk().Body.GetProperty("flows")[0].GetProperty("type").GetString());
        (await api.GetAsync(null, "/_matrix/client/v3/capabilities")).Require(401, "M_MISSING_TOKEN");
        (await api.PostAsync(null, "/_matrix/client/v3/refresh", "{}")).Require(400, "M_MISSING_PARAM");
    }
}
