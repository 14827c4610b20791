namespace Matrix.ServiceTests.ClientApi.Accounts;

/// <summary>What guests may call. Spec: client-server-api/#guest-access</summary>
public sealed class GuestTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private async Task<TestUser> GuestAsync()
    {
        var answer = (await api.PostAsync(null, "/_matrix/client/v3/register?kind=guest", "{}")).RequireOk();
        return new TestUser(answer.Text("user_id"), answer.Text("access_token"), answer.Text("device_id"), "");
    }

    [Theory]
    [InlineData("GET", "devices")]
    [InlineData("GET", "devices/DEVICE")]
    [InlineData("PUT", "devices/DEVICE")]
    [InlineData("GET", "account/whoami")]
    [InlineData("PUT", "profile/USER/displayname", """{"displayname":"guest"}""")]
    [InlineData("POST", "keys/upload")]
    [InlineData("POST", "keys/query", """{"device_keys":{}}""")]
    [InlineData("POST", "keys/claim", """{"one_time_keys":{}}""")]
    [InlineData("PUT", "sendToDevice/m.x/t", """{"messages":{}}""")]
    public async Task Their_own_session_is_theirs(string method, string path, string body = "{}") => Assert.Equal(200, (await CallAsync(method, path, body)).Status);

    [Theory]
    [InlineData("PUT", "profile/USER/avatar_url", """{"avatar_url":"mxc://a/b"}""")]
    [InlineData("GET", "user/USER/account_data/m.direct")]
    [InlineData("PUT", "user/USER/account_data/m.direct")]
    [InlineData("PUT", "user/USER/rooms/ROOM/account_data/m.x")]
    [InlineData("GET", "user/USER/rooms/ROOM/tags")]
    [InlineData("PUT", "user/USER/rooms/ROOM/tags/m.favourite")]
    [InlineData("POST", "user/USER/filter")]
    [InlineData("GET", "presence/USER/status")]
    [InlineData("PUT", "presence/USER/status", """{"presence":"online"}""")]
    [InlineData("PUT", "rooms/ROOM/typing/USER", """{"typing":false}""")]
    [InlineData("POST", "rooms/ROOM/receipt/m.read/$e")]
    [InlineData("POST", "rooms/ROOM/read_markers")]
    [InlineData("POST", "rooms/ROOM/forget")]
    [InlineData("GET", "rooms/ROOM/joined_members")]
    [InlineData("DELETE", "devices/DEVICE")]
    [InlineData("POST", "createRoom")]
    [InlineData("GET", "pushrules/")]
    [InlineData("GET", "notifications")]
    [InlineData("GET", "account/3pid")]
    [InlineData("POST", "account/password", """{"new_password":"p"}""")]
    [InlineData("GET", "room_keys/version")]
    public async Task Nothing_else_is(string method, string path, string body = "{}") => (await CallAsync(method, path, body)).Require(403, "M_GUEST_ACCESS_FORBIDDEN");

    private async Task<Answer> CallAsync(string method, string path, string body)
    {
        var guest = await GuestAsync();
        var filled = path.Replace("USER", guest.Id, StringComparison.Ordinal).Replace("DEVICE", guest.DeviceId, StringComparison.Ordinal).Replace("ROOM", "!r:test.example", StringComparison.Ordinal);
        return await api.SendAsync(new HttpMethod(method), guest, "/_matrix/client/v3/" + filled, method == "GET" ? null : body);
    }
}
