using System.Text.RegularExpressions;
using Matrix.ServiceTests.ClientApi;
using Matrix.Testing.Specification;

namespace Matrix.ServiceTests.Specification;

/// <summary>Requests that no client sends: every place of every body with something in it that does not belong there, every parameter likewise.</summary>
public sealed partial class HostileRequestTests(WholeFixture api) : IClassFixture<WholeFixture>
{
    /// <summary>Of every type one, and the character that the database's text cannot hold.</summary>
    private static readonly string[] Values = ["null", "true", "1.5", "\"\\u0000\"", "[null]", "{\"\\u0000\":{}}"];
    private static readonly string[] Texts = ["%FF", "%2F", "..", "!", "$", "x:y:z", "-1", "99999999999999999999"];

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
            foreach (var json in new[] { "{", "\"", "nul", "{\"a\":\"\xff\"}", "[", new string('[', 5000) }) await TryAsync(json, "no JSON");
            foreach (var place in body.Places())
                foreach (var value in Values)
                    await TryAsync(body.With(place, value), body.IsValid(body.With(place, value)) || IsTolerated(operation, place, value) ? "" : $"/{string.Join('/', place)}={value}");

            async Task TryAsync(string json, string fault)
            {
                var answer = await caller.AskAsync(operation.Path, json);
                if (answer.StartsWith('5') || answer.StartsWith('2') && fault.Length > 0) wrong.Add($"{answer} {operation} {fault}: {json[..Math.Min(json.Length, 200)]}");
                if (fault == "no JSON" && answer is not ("400 M_NOT_JSON" or "400 M_BAD_JSON" or "404 M_UNRECOGNIZED")) wrong.Add($"{answer} {operation} {fault}: {json[..Math.Min(json.Length, 200)]}");
                if (caller.IsSpent(answer)) caller = await Caller.NewAsync(api, operation);
            }
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    /// <summary>What else their bodies need to make sense stands in the text of the specification only.</summary>
    private static readonly string[] WantMore =
    [
        "/keys/device_signing/upload", "/keys/signatures/upload", "/keys/upload", "/login", "/profile/{userId}/{keyName}", "/pushers/set", "/search",
    ];

    [Fact]
    public async Task What_the_specification_calls_valid_is_not_called_malformed()
    {
        var wrong = new List<string>();
        foreach (var operation in Operations.Where(o => o.BodySchema is not null && !WantMore.Any(w => o.Path.EndsWith(w, StringComparison.Ordinal))))
        {
            var caller = await Caller.NewAsync(api, operation);
            var body = new SampleBody(operation, caller.Sample);
            foreach (var place in body.Places())
            {
                var json = body.With(place, "");
                if (!body.IsValid(json)) continue;      // it would name a server elsewhere
                var answer = await caller.AskAsync(operation.Path, json);
                if (answer is "400 M_BAD_JSON" or "400 M_NOT_JSON" or "400 M_MISSING_PARAM") wrong.Add($"{answer} {operation} {json}");
                if (caller.IsSpent(answer)) caller = await Caller.NewAsync(api, operation);
            }
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    /// <summary>Synapse: null is as good as nothing, and some members are not looked at.</summary>
    private static bool IsTolerated(Operation operation, string[] place, string value) =>
        value == "null"
        || place is [.., "include_all_networks" or "third_party_instance_id" or "order" or "session_data" or "auth_data" or "reason" or "medium"]
        || operation.Path.EndsWith("/keys/query", StringComparison.Ordinal) && value[0] == '{';

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
                if (caller.IsSpent(answer)) caller = await Caller.NewAsync(api, operation);
            }
        }
        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex Parameter();
}
