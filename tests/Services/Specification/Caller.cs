using System.Text;
using System.Text.Json;
using Matrix.ServiceTests.ClientApi;
using Matrix.Testing.Specification;

namespace Matrix.ServiceTests.Specification;

/// <summary>Somebody with a room and what else the parameters of paths name.</summary>
internal sealed record Caller(WholeFixture Api, Operation Operation, TestUser User, Dictionary<string, string> Values)
{
    public static async Task<Caller> NewAsync(WholeFixture api, Operation operation)
    {
        var user = operation.Path.Contains("/admin/", StringComparison.Ordinal) ? await api.RegisterAdminAsync() : await api.RegisterUserAsync();
        var values = new Dictionary<string, string>
        {
            ["{userId}"] = user.Id, ["{deviceId}"] = user.DeviceId, ["{txnId}"] = "t", ["{type}"] = "m.x", ["{eventType}"] = "m.x", ["{stateKey}"] = "", ["{keyName}"] = "displayname",
            ["{kind}"] = "override", ["{ruleId}"] = "r", ["{receiptType}"] = "m.read", ["{tag}"] = "u.t", ["{filterId}"] = "0", ["{relType}"] = "m.thread", ["{serverName}"] = "test.example",
            ["{mediaId}"] = "none", ["{fileName}"] = "f", ["{roomAlias}"] = "#nobody:test.example", ["{protocol}"] = "irc", ["{sessionId}"] = "s", ["{version}"] = "1", ["{idpId}"] = "x",
        };
        if (operation.Path.Contains("{room", StringComparison.Ordinal))
        {
            values["{roomId}"] = values["{roomIdOrAlias}"] = await api.CreateRoomAsync(user);
            if (operation.Path.Contains("{eventId}", StringComparison.Ordinal)) values["{eventId}"] = await api.SayAsync(user, values["{roomId}"], "x");
        }
        if (operation.Path.Contains("/room_keys/", StringComparison.Ordinal))
            values["{version}"] = (await api.PostAsync(user, "/_matrix/client/v3/room_keys/version", new { algorithm = "m.megolm_backup.v1.curve25519-aes-sha2", auth_data = new { } })).RequireOk().Text("version");
        return new Caller(api, operation, user, values);
    }

    public string Sample(string name, string format) => (name, format) switch
    {
        ("auth", _) => $$"""{"type":"m.login.password","identifier":{"type":"m.id.user","user":"{{User.Id}}"},"password":"secret"}""",
        (_, "mx-user-id") or ("user_id" or "user", _) => User.Id,
        (_, "mx-room-id") => Values.GetValueOrDefault("{roomId}", "!r:test.example"),
        (_, "mx-event-id") => Values.GetValueOrDefault("{eventId}", "$e"),
        (_, "mx-mxc-uri") => "mxc://test.example/m",
        (_, "uri") => "https://test.example/x",
        (_, "mx-server-name") => "test.example",
        ("type", _) => "m.login.password",
        _ => "x",
    };

    /// <summary>After that answer he has no session, or no room, or is not the one who he was.</summary>
    public bool IsSpent(string answer) => answer.StartsWith("401 M_UNK", StringComparison.Ordinal)
        || answer.StartsWith('2') && (Operation.Method == "DELETE" || Ends.Any(e => Operation.Path.EndsWith(e, StringComparison.Ordinal)));

    private static readonly string[] Ends = ["/logout", "/logout/all", "/deactivate", "/password", "/leave", "/forget", "/upgrade", "/delete_devices", "/version/{version}", "/refresh"];

    /// <summary>Status and error code.</summary>
    public async Task<string> AskAsync(string path, string? json)
    {
        foreach (var (name, value) in Values) path = path.Replace(name, Uri.EscapeDataString(value), StringComparison.Ordinal);
        if (path.Contains("/room_keys/keys", StringComparison.Ordinal) && !path.Contains("version=", StringComparison.Ordinal)) path += (path.Contains('?', StringComparison.Ordinal) ? "&version=" : "?version=") + Values["{version}"];
        if (path.EndsWith("/sync", StringComparison.Ordinal) || path.Contains("/sync?", StringComparison.Ordinal) || path.Contains("/events?", StringComparison.Ordinal) || path.EndsWith("v3/events", StringComparison.Ordinal))
            if (!path.Contains("timeout=", StringComparison.Ordinal)) path += (path.Contains('?', StringComparison.Ordinal) ? "&" : "?") + "timeout=0";
        return await AskAsync(Api, User, Operation.Method, path, json);
    }

    public static async Task<string> AskAsync(WholeFixture api, TestUser user, string method, string path, string? json)
    {
        try
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), path);
            request.Headers.Authorization = new("Bearer", user.Token);
            if (json is not null) request.Content = new ByteArrayContent(Encoding.Latin1.GetBytes(json)) { Headers = { ContentType = new("application/json") } };
            using var response = await api.Http.SendAsync(request);
            var text = await response.Content.ReadAsStringAsync();
            if (!text.StartsWith('{')) return $"{(int)response.StatusCode}";
            using var body = JsonDocument.Parse(text);
            return $"{(int)response.StatusCode} {new Answer((int)response.StatusCode, body.RootElement).Code}";
        }
        catch (SpecificationBrokenException e)
        {
            return "599 " + e.Message;
        }
    }
}
