using System.Text;
using Matrix.ServiceTests.ClientApi;

namespace Matrix.ServiceTests.Specification;

/// <summary>The same for what the specification has no schema of.</summary>
public sealed class HostileExtensionTests(WholeFixture api) : IClassFixture<WholeFixture>
{
    private const string Unstable = "/_matrix/client/unstable";
    private static readonly string[] Values = ["null", "true", "99999999999999999999", "\"\\u0000\"", "[[]]", "{\"\\u0000\":{}}"];

    private async Task<string?> FaultAsync(string method, string target, TestUser? user, HttpContent? content)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), target) { Content = content };
        if (user is not null) request.Headers.Authorization = new("Bearer", user.Token);
        using var response = await api.Http.SendAsync(request);
        return (int)response.StatusCode >= 500 ? $"{(int)response.StatusCode} {method} {target}" : null;
    }

    [Theory]
    [InlineData("POST", Unstable + "/org.matrix.simplified_msc3575/sync?timeout=0", """
        {"conn_id":"c","lists":{"a":{"ranges":[[0,5]],"sort":["by_recency"],"required_state":[["m.room.name",""],["m.room.member","$LAZY"]],"timeline_limit":5,"include_heroes":true,
        "filters":{"is_dm":false,"spaces":["!x:y"],"is_encrypted":false,"is_invite":false,"room_types":["x",null],"not_room_types":["x"],"tags":["m.favourite"],"not_tags":["x"],"room_name_like":"x"}}},
        "room_subscriptions":{"!r:x":{"required_state":[["*","*"]],"timeline_limit":3,"include_heroes":true}},"unsubscribe_rooms":["!x:y"],
        "extensions":{"to_device":{"enabled":true,"limit":5,"since":"1"},"e2ee":{"enabled":true},"account_data":{"enabled":true,"lists":["a"],"rooms":["*"]},
        "receipts":{"enabled":true,"lists":["a"],"rooms":["*"]},"typing":{"enabled":true,"lists":["a"],"rooms":["*"]},"io.element.msc4308.thread_subscriptions":{"enabled":true,"limit":5},"presence":{"enabled":true}}}
        """)]
    [InlineData("PUT", Unstable + "/org.matrix.msc4140/rooms/ROOM/delayed_event/m.x/TXN", """{"delay":1000,"delay_ms":1000,"state_key":"k","content":{"a":"b","m.relates_to":{"rel_type":"m.thread","event_id":"$x"}}}""")]
    [InlineData("PUT", "/_matrix/client/v3/rooms/ROOM/state/m.room.power_levels/", """{"ban":50,"events":{"x":1},"users":{"@a:b":1},"users_default":0,"notifications":{"room":50},"invite":0,"state_default":50}""")]
    [InlineData("PUT", "/_matrix/client/v3/rooms/ROOM/send/m.room.message/TXN", """{"body":"b","m.relates_to":{"rel_type":"m.thread","event_id":"$x","is_falling_back":true,"key":"k","m.in_reply_to":{"event_id":"$y"}},"m.mentions":{"user_ids":["@a:b"],"room":true},"m.new_content":{"body":"c"}}""")]
    [InlineData("PUT", "/_matrix/client/v3/rooms/ROOM/state/m.room.server_acl/", """{"allow":["*"],"deny":["x"],"allow_ip_literals":true}""")]
    [InlineData("PUT", "/_matrix/client/v3/rooms/ROOM/state/m.room.join_rules/", """{"join_rule":"restricted","allow":[{"type":"m.room_membership","room_id":"!x:y"}]}""")]
    [InlineData("PUT", "/_matrix/client/v3/rooms/ROOM/state/m.room.member/USER", """{"membership":"join","displayname":"x","avatar_url":"mxc://a/b","is_direct":true,"reason":"r","third_party_invite":{"display_name":"x","signed":{"mxid":"@a:b","token":"t","signatures":{"a":{"ed25519:0":"s"}}}}}""")]
    [InlineData("PUT", "/_matrix/client/v3/rooms/ROOM/state/m.room.retention/", """{"max_lifetime":86400000,"min_lifetime":1}""")]
    [InlineData("PUT", "/_matrix/client/v3/rooms/ROOM/state/m.space.child/!x:y", """{"via":["a"],"order":"a","suggested":true}""")]
    [InlineData("PUT", "/_matrix/client/v3/user/USER/account_data/m.ignored_user_list", """{"ignored_users":{"@a:b":{}}}""")]
    [InlineData("PUT", "/_matrix/client/v3/user/USER/account_data/m.direct", """{"@a:b":["!r:x"]}""")]
    [InlineData("PUT", Unstable + "/org.matrix.msc3814.v1/dehydrated_device", """{"device_id":"DEH","device_data":{"algorithm":"x","account":"y"},"initial_device_display_name":"n","device_keys":{"user_id":"USER","device_id":"DEH","algorithms":["a"],"keys":{"ed25519:DEH":"k"},"signatures":{"USER":{"ed25519:DEH":"s"}}},"one_time_keys":{"signed_curve25519:A":{"key":"k"}},"fallback_keys":{"signed_curve25519:B":{"key":"k","fallback":true}}}""")]
    [InlineData("POST", "/_synapse/client/oauth/register", """{"client_name":"x","client_uri":"https://x.example/","redirect_uris":["https://x.example/cb"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none","application_type":"web","logo_uri":"https://x.example/l","tos_uri":"https://x.example/t","policy_uri":"https://x.example/p","contacts":["a"]}""")]
    [InlineData("POST", "/_synapse/admin/v1/registration_tokens/new", """{"token":"x","uses_allowed":1,"expiry_time":4102444800000,"length":5}""")]
    [InlineData("POST", "/_synapse/admin/v1/account_validity/validity", """{"user_id":"USER","expiration_ts":4102444800000,"enable_renewal_emails":true}""")]
    [InlineData("POST", "/_synapse/admin/v1/users/USER/override_ratelimit", """{"messages_per_second":0,"burst_count":0}""")]
    [InlineData("POST", "/_synapse/admin/v1/register", """{"nonce":"n","username":"u","displayname":"d","password":"p","admin":false,"mac":"m","user_type":null}""")]
    [InlineData("GET", "/_matrix/client/v3/sync?timeout=0&filter=", """
        {"event_fields":["content.body"],"event_format":"client","presence":{"limit":1,"types":["*"],"senders":["@a:b"]},"account_data":{"types":["m.*"],"not_types":["x"]},"room":{"rooms":["!r:x"],"not_rooms":["!s:x"],"include_leave":true,
        "timeline":{"limit":5,"types":["m.room.message"],"contains_url":true,"lazy_load_members":true,"org.matrix.labels":["x"],"related_by_rel_types":["m.thread"],"related_by_senders":["@a:b"],"unread_thread_notifications":true},
        "state":{"lazy_load_members":true,"include_redundant_members":true,"not_senders":["@a:b"]},"ephemeral":{"types":["m.typing"]},"account_data":{"not_types":["x"]}}}
        """)]
    [InlineData("GET", "/_matrix/client/v3/rooms/ROOM/messages?dir=b&filter=", """{"limit":5,"types":["a*b"],"not_types":["x"],"senders":["@a:b"],"contains_url":false,"org.matrix.labels":["x"],"rel_types":["m.thread"],"related_by_rel_types":["x"]}""")]
    public async Task Whatever_stands_in_it_it_is_answered(string method, string target, string json)
    {
        var user = await api.RegisterAdminAsync();
        var room = await api.CreateRoomAsync(user);
        var (wrong, number) = (new List<string>(), 0);
        foreach (var mutant in MutatedJson.Of(json.Replace("USER", user.Id, StringComparison.Ordinal), Values))
        {
            var path = target.Replace("ROOM", Uri.EscapeDataString(room), StringComparison.Ordinal).Replace("USER", Uri.EscapeDataString(user.Id), StringComparison.Ordinal).Replace("TXN", $"{number++}", StringComparison.Ordinal);
            var fault = method == "GET" ? await FaultAsync(method, path + Uri.EscapeDataString(mutant), user, null)
                : await FaultAsync(method, path, user, new StringContent(mutant, Encoding.UTF8, "application/json"));
            if (fault is not null) wrong.Add($"{fault}: {mutant}");
        }
        // What was taken is given back by all that reads it.
        foreach (var path in new[] { "/sync?timeout=0", "/initialSync", $"/rooms/{Uri.EscapeDataString(room)}/messages?dir=b", $"/rooms/{Uri.EscapeDataString(room)}/members", "/pushrules/", "/devices" })
            if (await FaultAsync("GET", "/_matrix/client/v3" + path, user, null) is { } fault) wrong.Add($"{fault} after all that");
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    /// <summary>Pages and forms, their fields with the one character that the database does not know.</summary>
    [Theory]
    [InlineData("/_synapse/client/oauth/token", "grant_type=authorization_code&code=x&redirect_uri=x&client_id=x&code_verifier=x")]
    [InlineData("/_synapse/client/oauth/token", "grant_type=refresh_token&refresh_token=x&client_id=x")]
    [InlineData("/_synapse/client/oauth/token", "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=x&client_id=x")]
    [InlineData("/_synapse/client/oauth/device_authorization", "client_id=x&scope=x")]
    [InlineData("/_synapse/client/oauth/revoke", "token=x&client_id=x&token_type_hint=access_token")]
    [InlineData("/_synapse/client/oauth/consent", "request=x&csrf=x&action=x")]
    [InlineData("/_synapse/client/login", "request=x&username=x&password=x&csrf=x")]
    [InlineData("/_synapse/client/device", "user_code=x&csrf=x&action=x")]
    [InlineData("/_synapse/client/signup", "request=x&username=x&password=x&csrf=x&token=x&email=x")]
    [InlineData("/_synapse/client/pick_username/account_details", "username=x&use_display_name=true&use_email=x")]
    [InlineData("/_synapse/client/new_user_consent", "accepted_version=x")]
    [InlineData("/_synapse/client/password_reset/email/submit_token", "sid=x&client_secret=x&token=x")]
    [InlineData("/_synapse/client/oauth/authorize", "response_type=code&client_id=x&redirect_uri=x&scope=x&state=x&code_challenge=x&code_challenge_method=S256&response_mode=query")]
    [InlineData("/_synapse/client/pick_idp", "redirectUrl=x&idp=x")]
    [InlineData("/_synapse/client/pick_username/check", "username=x")]
    [InlineData("/_synapse/client/account", "action=x&device_id=x")]
    [InlineData("/_synapse/client/oidc/callback", "state=x&code=x&error=x")]
    [InlineData("/_synapse/client/oidc/backchannel_logout", "logout_token=x")]
    [InlineData("/_synapse/client/saml2/authn_response", "SAMLResponse=x&RelayState=x")]
    [InlineData("/_matrix/client/v3/login/sso/redirect", "redirectUrl=x")]
    [InlineData("/_matrix/client/v3/login/cas/ticket", "ticket=x&redirectUrl=x&session=x")]
    [InlineData("/_matrix/client/v3/auth/m.login.recaptcha/fallback/web", "session=x&g-recaptcha-response=x")]
    [InlineData("/_matrix/client/v3/auth/m.login.registration_token/fallback/web", "session=x&token=x")]
    [InlineData("/_matrix/client/v3/register/available", "username=x")]
    [InlineData("/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms", "user_id=x&batch_token=x")]
    public async Task A_form_field_may_hold_anything(string path, string form)
    {
        var fields = form.Split('&');
        var user = await api.RegisterUserAsync();
        var wrong = new List<string>();
        foreach (var text in new[] { "%00", "%FF", "", new string('x', 5000) })
            for (var i = -1; i < fields.Length; i++)
            {
                var mutant = string.Join('&', fields.Select((f, n) => n == i || i < 0 ? $"{f.Split('=')[0]}={text}" : f));
                foreach (var fault in new[]
                {
                    await FaultAsync("GET", $"{path}?{mutant}", user, null),
                    await FaultAsync("POST", path, null, new StringContent(mutant, Encoding.UTF8, "application/x-www-form-urlencoded")),
                })
                    if (fault is not null) wrong.Add($"{fault[..Math.Min(fault.Length, 150)]}: {mutant[..Math.Min(mutant.Length, 150)]}");
            }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }
}
