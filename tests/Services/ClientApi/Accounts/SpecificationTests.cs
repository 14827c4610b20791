namespace Matrix.ServiceTests.ClientApi.Accounts;

/// <summary>Sentences of the specification about accounts that belong to no subject of their own.</summary>
public sealed class SpecificationTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private const string V3 = "/_matrix/client/v3";

    /// <summary>Spec: openapi/client-server/login.yaml, device_id</summary>
    [Fact]
    public async Task No_device_is_called_as_a_cross_signing_key_is()
    {
        var user = await api.RegisterUserAsync();
        var key = new string('k', 43);
        await api.ExecuteAsync("insert into cross_signing_keys (user_id, usage, public_key, keys) values ($1, 'master', $2, '{}')", user.Id, key);
        object Login(string device) => new { type = "m.login.password", identifier = new { type = "m.id.user", user = user.Id }, password = user.Password, device_id = device };
        (await api.PostAsync(null, V3 + "/login", Login(key))).Require(403, "M_FORBIDDEN");
        Assert.Equal(0L, await api.ScalarAsync("select count(*) from devices where user_id = $1 and device_id = $2", user.Id, key));
        // Keys of others are no matter.
        (await api.PostAsync(null, V3 + "/login", Login(new string('l', 43)))).RequireOk();
    }

    /// <summary>Spec: openapi/client-server/admin.yaml, 403 of the reading endpoints</summary>
    [Theory]
    [InlineData("lock", "locked")]
    [InlineData("suspend", "suspended")]
    public async Task Administrators_do_not_look_at_each_other(string what, string member)
    {
        var (one, two, user) = (await api.RegisterAdminAsync(), await api.RegisterAdminAsync(), await api.RegisterUserAsync());
        string Path(TestUser of) => $"/_matrix/client/v1/admin/{what}/{of.Id}";
        (await api.GetAsync(one, Path(two))).Require(403, "M_FORBIDDEN");
        Assert.False((await api.GetAsync(one, Path(one))).RequireOk().Body.GetProperty(member).GetBoolean());
        Assert.False((await api.GetAsync(one, Path(user))).RequireOk().Body.GetProperty(member).GetBoolean());
    }

    [Fact]
    public async Task A_server_without_mail_says_that_it_supports_no_such_addresses()
    {
        foreach (var path in (string[])["/register", "/account/3pid", "/account/password"])
        {
            (await api.PostAsync(null, $"{V3}{path}/email/requestToken", new { client_secret = "a", email = "a@b.example", send_attempt = 1 })).Require(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED");
            (await api.PostAsync(null, $"{V3}{path}/msisdn/requestToken", new { client_secret = "a", country = "GB", phone_number = "7700900001", send_attempt = 1 }))
                .Require(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED");
        }
    }

    /// <summary>Spec: openapi/client-server/administrative_contact.yaml, POST /account/3pid</summary>
    [Fact]
    public async Task The_old_way_to_add_an_address_forbids_what_was_not_proved()
    {
        var user = await api.RegisterUserAsync();
        (await api.PostAsync(user, V3 + "/account/3pid", new { three_pid_creds = new { sid = "1", client_secret = "a" } })).Require(403, "M_THREEPID_AUTH_FAILED");
    }

    /// <summary>Spec: openapi/client-server/definitions/client_device.yaml</summary>
    [Fact]
    public async Task A_device_without_a_name_has_no_member_for_it()
    {
        var user = await api.RegisterUserAsync();
        Assert.False((await api.GetAsync(user, $"{V3}/devices/{user.DeviceId}")).RequireOk().Has("display_name"));
        Assert.False((await api.GetAsync(user, V3 + "/devices")).RequireOk().Body.GetProperty("devices")[0].TryGetProperty("display_name", out _));
    }

    private const string Login = """{"type":"m.login.password","identifier":{"type":"m.id.user","user":"@U"},"password":"secret",""";

    /// <summary>PostgreSQL has no NUL, and a connection on which it met one is lost: the text is refused before.</summary>
    [Theory]
    [InlineData("POST", "/login", Login + """ "device_id":"a\u0000b"}""", "M_BAD_JSON")]
    [InlineData("POST", "/login", Login + """ "initial_device_display_name":"a\u0000b"}""", "M_BAD_JSON")]
    [InlineData("PUT", "/devices/@D", """{"display_name":"a\u0000b"}""", "M_BAD_JSON")]
    [InlineData("POST", "/delete_devices", """{"devices":["a\u0000"],"auth":""" + Login + """ "x":1}}""", "M_BAD_JSON")]
    [InlineData("GET", "/register/available?username=a%00", null, "M_INVALID_PARAM")]
    [InlineData("GET", "/room_keys/keys?version=%00", null, "M_INVALID_PARAM")]
    public async Task Texts_that_cannot_be_stored_are_refused_before_the_database_hears_of_them(string method, string path, string? body, string code)
    {
        var user = await api.RegisterUserAsync();
        string For(string text) => text.Replace("@U", user.Id, StringComparison.Ordinal).Replace("@D", user.DeviceId, StringComparison.Ordinal);
        (await api.SendAsync(new HttpMethod(method), user, V3 + For(path), body is null ? null : For(body))).Require(400, code);
    }
}
