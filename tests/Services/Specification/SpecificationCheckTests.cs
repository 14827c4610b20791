using System.Text;
using Matrix.Testing.Specification;

namespace Matrix.ServiceTests.Specification;

/// <summary>That the check of answers bites.</summary>
public sealed class SpecificationCheckTests
{
    private const string V3 = "/_matrix/client/v3";
    private const string Event = """{"event_id":"$e","type":"m.x","sender":"@a:b","origin_server_ts":1,"content":{},"room_id":"!r:b"}""";

    private static IReadOnlyList<string> Faults(string method, string target, string body, int status = 200, string? type = "application/json") =>
        SpecificationCheck.Faults(method, new Uri("http://x" + target), status, type, Encoding.UTF8.GetBytes(body));

    [Theory]
    [InlineData("GET", V3 + "/account/whoami", """{"user_id":"@a:b"}""")]
    [InlineData("GET", "/_matrix/client/r0/account/whoami", """{"user_id":"@a:b","device_id":"D","x.more":[]}""")]
    [InlineData("GET", V3 + "/rooms/!r:b/messages", $$"""{"chunk":[{{Event}}],"start":"a"}""")]
    [InlineData("GET", V3 + "/rooms/!r:b/state", $"[{Event}]")]
    [InlineData("GET", V3 + "/nothing/that/is/known", "[]")]
    [InlineData("GET", V3 + "/sync", """{"next_batch":"s","presence":{"events":[{"type":"m.presence","sender":"@a:b","content":{"presence":"online"}}]}}""")]
    [InlineData("GET", V3 + "/sync", """{"next_batch":"s","account_data":{"events":[{"type":"x","content":{"type":"m.typing","content":1}}]}}""")]
    public void A_good_answer_is_good(string method, string target, string body) => Assert.Empty(Faults(method, target, body));

    [Theory]
    [InlineData("GET", V3 + "/account/whoami", """{"device_id":"D"}""", "/user_id: expected to be there")]
    [InlineData("GET", V3 + "/account/whoami", """{"user_id":5}""", "/user_id: expected type string, is 5")]
    [InlineData("GET", V3 + "/account/whoami", """{"user_id":"a"}""", "/user_id: expected a match of ^@, is \"a\"")]
    [InlineData("GET", "/_matrix/client/r0/account/whoami", "[]", ": expected type object, is []")]
    [InlineData("GET", V3 + "/account/whoami", "{", ": expected JSON")]
    [InlineData("GET", V3 + "/rooms/!r:b/messages", """{"chunk":[{"event_id":"$e"}],"start":"a"}""", "/chunk/0/type: expected to be there")]
    [InlineData("GET", V3 + "/sync", """{"next_batch":"s","rooms":{"join":{"!r:b":{"timeline":{"events":[],"limited":1}}}}}""", "/rooms/join/!r:b/timeline/limited: expected type boolean, is 1")]
    [InlineData("GET", V3 + "/sync", """{"next_batch":"s","rooms":{"join":{"!r:b":{"ephemeral":{"events":[{"type":"m.typing","content":{"user_ids":"@a:b"}}]}}}}}""",
        "/rooms/join/!r:b/ephemeral/events/0/content/user_ids: expected type array, is \"@a:b\"")]
    [InlineData("GET", V3 + "/sync", """{"next_batch":"s","device_one_time_keys_count":{"a":1.0}}""", "/device_one_time_keys_count/a: expected type integer, is 1.0")]
    public void A_fault_is_told_with_its_place_and_value(string method, string target, string body, string fault) =>
        Assert.StartsWith(fault, Faults(method, target, body)[0], StringComparison.Ordinal);

    [Theory]
    [InlineData(404, """{"errcode":"M_NOT_FOUND","error":"x"}""", true)]
    [InlineData(418, """{"errcode":"M_TEAPOT","error":"x"}""", true)]
    [InlineData(401, """{"flows":[{"stages":[]}],"session":"s","params":{}}""", true)]
    [InlineData(503, """{"errcode":"M_UNKNOWN","error":"x"}""", true)]
    [InlineData(404, """{"error":"x"}""", false)]
    [InlineData(404, """{"errcode":"M_NOT_FOUND"}""", false)]
    [InlineData(401, """{"flows":[{}]}""", false)]
    [InlineData(500, """{"errcode":"M_UNKNOWN","error":"Internal server error"}""", false)]
    [InlineData(204, "", false)]
    public void Errors_have_their_shape_and_no_answer_is_an_accident(int status, string body, bool isGood) =>
        Assert.Equal(isGood, Faults("POST", V3 + "/account/password", body, status).Count == 0);

    [Fact]
    public void Json_is_called_json() => Assert.Equal(": expected content type application/json, not text/plain", Assert.Single(Faults("GET", V3 + "/account/whoami", """{"user_id":"@a:b"}""", type: "text/plain")));

    [Fact]
    public void Every_schema_can_be_read()
    {
        foreach (var operation in MatrixSpecification.Operations)
            foreach (var status in new[] { 200, 201, 400, 401, 403, 404, 429 })
                SpecificationCheck.Faults(operation.Method, new Uri("http://x" + operation.Path.Replace("{", "", StringComparison.Ordinal).Replace("}", "", StringComparison.Ordinal)), status, "application/json", "{}"u8.ToArray());
    }
}
