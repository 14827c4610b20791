using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Matrix.ServiceDefaults;

namespace Matrix.ServiceTests.ClientApi.Accounts;

public sealed class LoginTypeFixture : ClientApiFixture
{
    public const string JwtSecret = "short secret";
    private readonly string registration = Path.GetTempFileName();

    protected override HomeserverConfig Configure(HomeserverConfig config)
    {
        File.WriteAllText(registration, """
            id: bridge
            url: null
            as_token: token-of-the-service
            hs_token: token-of-the-server
            sender_localpart: _bridge
            namespaces: { users: [{ regex: '@_bridge_.*', exclusive: true }], aliases: [], rooms: [] }
            """);
        return base.Configure(config) with
        {
            AppServiceConfigFiles = [registration],
            Accounts = new()
            {
                LoginTokens = new() { Enabled = true },
                Jwt = new(JwtSecret, "HS256") { Issuer = "https://issuer.example", DisplayNameClaim = "name" },
                Passwords = new() { Pepper = "pepper" },
            },
        };
    }
}

public sealed class LoginTypeTests(LoginTypeFixture api) : IClassFixture<LoginTypeFixture>
{
    private const string Login = "/_matrix/client/v3/login";

    private static string Base64(byte[] bytes) => Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    private static string Jwt(object claims, string algorithm = "HS256", string secret = LoginTypeFixture.JwtSecret)
    {
        var text = $"{Base64(JsonSerializer.SerializeToUtf8Bytes(new { alg = algorithm, typ = "JWT" }))}.{Base64(JsonSerializer.SerializeToUtf8Bytes(claims))}";
        return algorithm == "none" ? text + "." : $"{text}.{Base64(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(text)))}";
    }

    private Task<Answer> JwtLoginAsync(string token, string type = "org.matrix.login.jwt") => api.PostAsync(null, Login, new { type, token });
    private long Now => api.Clock.GetUtcNow().ToUnixTimeSeconds();

    [Fact]
    public async Task A_signed_token_logs_in_and_registers_at_the_first_time()
    {
        var name = api.NewName("jwt");
        var token = Jwt(new { sub = name, iss = "https://issuer.example", name = "Jot", exp = Now + 60, iat = Now, nbf = Now });
        var first = (await JwtLoginAsync(token)).RequireOk();
        Assert.Equal($"@{name}:test.example", first.Text("user_id"));
        Assert.Equal(first.Text("user_id"), (await JwtLoginAsync(token, "m.login.jwt")).RequireOk().Text("user_id"));
        Assert.Equal("Jot", (await api.GetAsync(null, $"/_matrix/client/v3/profile/{first.Text("user_id")}/displayname")).RequireOk().Text("displayname"));
    }

    [Fact]
    public async Task Forged_expired_and_misdirected_tokens_are_refused()
    {
        const string Issuer = "https://issuer.example";
        foreach (var token in new[]
        {
            Jwt(new { sub = "a", iss = Issuer }, secret: "another"), Jwt(new { sub = "a", iss = Issuer }, "none"), Jwt(new { sub = "a", iss = Issuer }, "HS512"),
            Jwt(new { sub = "a", iss = Issuer, exp = Now - 600 }), Jwt(new { sub = "a", iss = Issuer, nbf = Now + 600 }), Jwt(new { sub = "a", iss = Issuer, iat = Now + 600 }),
            Jwt(new { sub = "a" }), Jwt(new { sub = "a", iss = "https://elsewhere.example" }), Jwt(new { sub = "a", iss = Issuer, aud = "somebody" }),
            Jwt(new { iss = Issuer }), "x", "a.b.c", "",
        })
            (await JwtLoginAsync(token)).Require(403, "M_FORBIDDEN");
        (await JwtLoginAsync(Jwt(new { sub = "not a name", iss = Issuer }))).Require(400, "M_INVALID_USERNAME");
        (await api.PostAsync(null, Login, new { type = "org.matrix.login.jwt" })).Require(403, "M_FORBIDDEN");
    }

    [Fact]
    public async Task A_login_token_is_given_to_who_proves_himself_and_serves_once()
    {
        var user = await api.RegisterUserAsync();
        const string Path = "/_matrix/client/v1/login/get_token";
        (await api.PostAsync(null, Path, "{}")).Require(401, "M_MISSING_TOKEN");
        var challenge = await api.PostAsync(user, Path, "{}");
        Assert.Equal((401, null), (challenge.Status, challenge.Code));
        var answer = (await api.PostAsync(user, Path,
            new { auth = new { type = "m.login.password", session = challenge.Text("session"), user = user.Id, password = user.Password } })).RequireOk();
        Assert.Equal(300_000, answer.Body.GetProperty("expires_in_ms").GetInt64());
        var login = new { type = "m.login.token", token = answer.Text("login_token") };
        Assert.Equal(user.Id, (await api.PostAsync(null, Login, login)).RequireOk().Text("user_id"));
        (await api.PostAsync(null, Login, login)).Require(403, "M_FORBIDDEN");
    }

    [Fact]
    public async Task Flows_are_those_of_the_configuration()
    {
        var flows = (await api.GetAsync(null, Login)).RequireOk().Body.GetProperty("flows").EnumerateArray().ToList();
        Assert.Equal(["m.login.password", "m.login.token", "org.matrix.login.jwt", "m.login.application_service"], flows.Select(f => f.GetProperty("type").GetString()));
        Assert.True(flows[1].GetProperty("get_login_token").GetBoolean());
    }

    private async Task<Answer> AsServiceAsync(string path, object body, string? token = "token-of-the-service")
    {
        var client = new TestUser("", token ?? "", "", "");
        return await api.PostAsync(token is null ? null : client, path, body);
    }

    [Fact]
    public async Task An_application_service_registers_and_logs_in_its_users_and_nobody_else()
    {
        const string Register = "/_matrix/client/v3/register";
        var name = api.NewName("_bridge_");
        var created = (await AsServiceAsync(Register, new { type = "m.login.application_service", username = name })).RequireOk();
        Assert.Equal($"@{name}:test.example", created.Text("user_id"));
        object As(string user) => new { type = "m.login.application_service", identifier = new { type = "m.id.user", user } };
        Assert.Equal(created.Text("user_id"), (await AsServiceAsync(Login, As(name))).RequireOk().Text("user_id"));

        var outsider = await api.RegisterUserAsync();
        (await AsServiceAsync(Login, As(outsider.Id))).Require(403, "M_EXCLUSIVE");
        (await AsServiceAsync(Register, new { type = "m.login.application_service", username = api.NewName() })).Require(400, "M_EXCLUSIVE");
        (await AsServiceAsync(Login, As(name), null)).Require(401, "M_MISSING_TOKEN");
        (await AsServiceAsync(Login, As(name), "token-of-the-server")).Require(401, "M_UNKNOWN_TOKEN");
    }

    [Fact]
    public async Task The_user_of_an_application_service_itself_logs_in_without_having_been_registered()
    {
        var body = new { type = "m.login.application_service", identifier = new { type = "m.id.user", user = "_bridge" }, device_id = "OWN" };
        for (var i = 0; i < 2; i++)
        {
            var login = (await AsServiceAsync(Login, body)).RequireOk();
            var bridge = new TestUser(login.Text("user_id"), login.Text("access_token"), login.Text("device_id"), "");
            Assert.Equal("@_bridge:test.example", (await api.GetAsync(bridge, "/_matrix/client/v3/account/whoami")).RequireOk().Text("user_id"));
            await api.CreateRoomAsync(bridge);
        }
        (await AsServiceAsync(Login, body with { identifier = new { type = "m.id.user", user = "_bridge_unknown" } })).Require(403, "M_FORBIDDEN");
    }

    [Fact]
    public async Task Nobody_else_takes_a_name_of_an_application_service()
    {
        // The underscore is refused before; the namespace decides where underscores are allowed.
        (await api.PostAsync(null, "/_matrix/client/v3/register", new { username = "_bridge_x", password = "p" })).Require(400, "M_INVALID_USERNAME");
    }

    [Fact]
    public async Task An_imported_bcrypt_hash_proves_its_password_and_is_replaced()
    {
        var user = await api.RegisterUserAsync();
        // bcrypt of "s3cret-päss" with the pepper of the fixture, 4 rounds; made by another implementation.
        await api.ExecuteAsync("update users set password_hash = $2 where user_id = $1", user.Id, "$2b$04$abcdefghijklmnopqrstuucUkfsxQlv7KEJ93BUlivGay2YVQJLOm");
        (await api.PostAsync(null, Login, new { type = "m.login.password", user = user.Id, password = "s3cret" })).Require(403, "M_FORBIDDEN");
        await api.LogInAsync(user.Id, "s3cret-p\u00e4ss");
        Assert.StartsWith("$pbkdf2-sha512$", (string)(await api.ScalarAsync("select password_hash from users where user_id = $1", user.Id))!);
        await api.LogInAsync(user.Id, "s3cret-p\u00e4ss");
    }
}
