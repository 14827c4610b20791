using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Matrix.ServiceTests.ClientApi;
using Matrix.Testing.Specification;

namespace Matrix.ServiceTests.Specification;

/// <summary>Requests that no client sends: every place of every body with something in it that does not belong there, every parameter likewise.</summary>
public sealed partial class HostileRequestTests(WholeFixture api) : IClassFixture<WholeFixture>
{
    /// <summary>Of every type one, and text that a database or an encoder may stumble over.</summary>
    private static readonly string[] Values = ["null", "true", "-1", "1.5", "1e400", "\"\"", "\"\\u0000\"", "\"\\ud800\"", "[]", "[null]", "{}", "{\"\\u0000\":{}}"];
    private static readonly string[] Texts = ["%FF", "%F0%9F%98%80", "%2F", "..", "!", "@", "$", "%23", "x:y:z", "-1", "0", "99999999999999999999", "1.5", "null", "%7B"];

    private static IEnumerable<Operation> Operations => MatrixSpecification.Operations
        .Where(o => o.Path.StartsWith("/_matrix/client/", StringComparison.Ordinal) || o.Path.StartsWith("/_matrix/media/", StringComparison.Ordinal))
        .Where(o => ServedRoute.All.Any(r => r.Method == o.Method && r.Matches(Parameter().Replace(o.Path, "x"))))
        .DistinctBy(o => (o.Method, o.Path));

    [Fact]
    public async Task No_body_brings_a_server_to_its_knees()
    {
        var wrong = new List<string>();
        foreach (var operation in Operations.Where(o => o.BodySchema is not null))
        {
            var caller = await Caller.NewAsync(api, operation);
            var body = new SampleBody(operation, caller.Sample);
            foreach (var json in new[] { "", "{", "\"", "nul", "{\"a\":\"\xff\"}", "[", new string('[', 5000) }) await TryAsync(json, "no JSON");
            foreach (var place in body.Places())
                foreach (var value in Values) await TryAsync(body.With(place, value), body.IsValid(body.With(place, value)) ? "" : $"/{string.Join('/', place)}={value}");

            async Task TryAsync(string json, string fault)
            {
                var answer = await caller.AskAsync(operation.Path, json);
                if (answer.StartsWith('5') || answer.StartsWith('2') && fault.Length > 0) wrong.Add($"{answer} {operation} {fault}: {json[..Math.Min(json.Length, 200)]}");
                if (fault == "no JSON" && !answer.StartsWith("400 M_NOT_JSON", StringComparison.Ordinal)) wrong.Add($"{answer} {operation} {fault}: {json[..Math.Min(json.Length, 200)]}");
                if (answer.StartsWith('2') || answer.StartsWith("401 M_UNK", StringComparison.Ordinal)) caller = await Caller.NewAsync(api, operation);
            }
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [Fact]
    public async Task No_parameter_brings_a_server_to_its_knees()
    {
        var wrong = new List<string>();
        foreach (var operation in Operations)
        {
            var caller = await Caller.NewAsync(api, operation);
            var body = operation.BodySchema is null ? null : new SampleBody(operation, caller.Sample).Plain();
            foreach (Match parameter in Parameter().Matches(operation.Path))
                foreach (var text in Texts.Append(new string('x', 300))) await TryAsync(operation.Path.Replace(parameter.Value, text, StringComparison.Ordinal), "");
            foreach (var query in operation.Query.Where(q => q.Name != "server"))
                foreach (var text in Texts.Append("").Append("abc").Append("%00"))
                    if (query.Name != "timeout" || text.Length < 5)
                        await TryAsync($"{operation.Path}?{query.Name}={text}", query.Type is "integer" && text.Length > 0 && !long.TryParse(text, out _) ? "no integer" : "");

            async Task TryAsync(string path, string fault)
            {
                var answer = await caller.AskAsync(path, body);
                if (answer.StartsWith('5') || answer.StartsWith('2') && fault.Length > 0) wrong.Add($"{answer} {operation.Method} {path} {fault}");
                if (answer.StartsWith('2') && operation.Method != "GET" || answer.StartsWith("401 M_UNK", StringComparison.Ordinal)) caller = await Caller.NewAsync(api, operation);
            }
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex Parameter();

    /// <summary>Somebody with a room and what else the parameters of paths name.</summary>
    private sealed record Caller(WholeFixture Api, Operation Operation, TestUser User, Dictionary<string, string> Values)
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

        /// <summary>Status and error code.</summary>
        public async Task<string> AskAsync(string path, string? json)
        {
            foreach (var (name, value) in Values) path = path.Replace(name, Uri.EscapeDataString(value), StringComparison.Ordinal);
            if (path.Contains("/room_keys/keys", StringComparison.Ordinal) && !path.Contains("version=", StringComparison.Ordinal)) path += (path.Contains('?', StringComparison.Ordinal) ? "&version=" : "?version=") + Values["{version}"];
            if (path.EndsWith("/sync", StringComparison.Ordinal) || path.Contains("/sync?", StringComparison.Ordinal) || path.Contains("/events?", StringComparison.Ordinal) || path.EndsWith("v3/events", StringComparison.Ordinal))
                if (!path.Contains("timeout=", StringComparison.Ordinal)) path += (path.Contains('?', StringComparison.Ordinal) ? "&" : "?") + "timeout=0";
            try
            {
                using var request = new HttpRequestMessage(new HttpMethod(Operation.Method), path);
                request.Headers.Authorization = new("Bearer", User.Token);
                if (json is not null) request.Content = new ByteArrayContent(Encoding.Latin1.GetBytes(json)) { Headers = { ContentType = new("application/json") } };
                using var response = await Api.Http.SendAsync(request);
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
}
