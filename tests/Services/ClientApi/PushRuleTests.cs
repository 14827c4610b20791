using System.Text.Json;

namespace Matrix.ServiceTests.ClientApi;

public sealed class PushRuleTests(ClientApiFixture api) : IClassFixture<ClientApiFixture>
{
    private const string Rules = "/_matrix/client/v3/pushrules";
    private const string Override = Rules + "/global/override";
    private static object Rule(string type) => new { actions = new[] { "notify" }, conditions = new[] { new { kind = "event_match", key = "type", pattern = type } } };

    private async Task<string[]> OverridesAsync(TestUser user) =>
        [.. (await api.GetAsync(user, Rules + "/")).RequireOk().Body.GetProperty("global").GetProperty("override").EnumerateArray().Select(r => r.GetProperty("rule_id").GetString()!)];

    [Fact]
    public async Task Everybody_begins_with_the_default_rules()
    {
        var user = await api.RegisterUserAsync();
        var all = (await api.GetAsync(user, Rules + "/")).RequireOk().Body.GetProperty("global");
        Assert.Equal([".m.rule.master"], all.GetProperty("override").EnumerateArray().Take(1).Select(r => r.GetProperty("rule_id").GetString()));
        Assert.Equal(["content", "override", "room", "sender", "underride"], all.EnumerateObject().Select(m => m.Name).Order(StringComparer.Ordinal));
        Assert.Contains(user.Id, all.GetRawText());
        Assert.True((await api.GetAsync(user, Rules + "/global/")).RequireOk().Has("underride"));
        Assert.Equal(all.GetRawText(), (await api.GetAsync(user, $"/_matrix/client/v3/user/{user.Id}/account_data/m.push_rules")).RequireOk().Body.GetProperty("global").GetRawText());
        (await api.GetAsync(null, Rules + "/")).Require(401, "M_MISSING_TOKEN");
    }

    [Fact]
    public async Task Rules_are_added_where_they_are_wanted_changed_and_removed()
    {
        var user = await api.RegisterUserAsync();
        foreach (var id in new[] { "one", "two" }) (await api.PutAsync(user, $"{Override}/{id}", Rule("m." + id))).RequireOk();
        (await api.PutAsync(user, $"{Override}/three?after=two", Rule("m.three"))).RequireOk();
        (await api.PutAsync(user, $"{Override}/four?before=one", Rule("m.four"))).RequireOk();
        Assert.Equal([".m.rule.master", "two", "three", "four", "one"], (await OverridesAsync(user))[..5]);
        (await api.PutAsync(user, $"{Override}/five?before=nothing", Rule("m.five"))).Require(400, "M_UNKNOWN");

        (await api.PutAsync(user, $"{Override}/one/enabled", new { enabled = false })).RequireOk();
        (await api.PutAsync(user, $"{Override}/one/actions", new { actions = new object[] { "notify", new { set_tweak = "sound", value = "ping" } } })).RequireOk();
        var one = (await api.GetAsync(user, $"{Override}/one")).RequireOk();
        Assert.False(one.Body.GetProperty("enabled").GetBoolean());
        Assert.Equal("ping", one.Body.GetProperty("actions")[1].GetProperty("value").GetString());
        Assert.False((await api.GetAsync(user, $"{Override}/one/enabled")).RequireOk().Body.GetProperty("enabled").GetBoolean());
        Assert.Equal(2, (await api.GetAsync(user, $"{Override}/one/actions")).RequireOk().Body.GetProperty("actions").GetArrayLength());
        (await api.PutAsync(user, $"{Override}/one", Rule("m.other"))).RequireOk();
        Assert.False((await api.GetAsync(user, $"{Override}/one/enabled")).Body.GetProperty("enabled").GetBoolean());

        (await api.DeleteAsync(user, $"{Override}/one")).RequireOk();
        (await api.DeleteAsync(user, $"{Override}/one")).Require(404, "M_NOT_FOUND");
        (await api.GetAsync(user, $"{Override}/one")).Require(404, "M_NOT_FOUND");
    }

    [Fact]
    public async Task Default_rules_are_switched_but_not_made_nor_removed()
    {
        var user = await api.RegisterUserAsync();
        (await api.PutAsync(user, $"{Override}/.m.rule.master/enabled", new { enabled = true })).RequireOk();
        Assert.True((await api.GetAsync(user, $"{Override}/.m.rule.master")).RequireOk().Body.GetProperty("enabled").GetBoolean());
        (await api.DeleteAsync(user, $"{Override}/.m.rule.master")).Require(404, "M_NOT_FOUND");
        (await api.PutAsync(user, $"{Override}/.mine", Rule("x"))).Require(400, "M_INVALID_PARAM");
    }

    [Fact]
    public async Task Rules_of_every_kind_are_taken()
    {
        var user = await api.RegisterUserAsync();
        (await api.PutAsync(user, $"{Rules}/global/content/word", new { actions = new[] { "notify" }, pattern = "armada" })).RequireOk();
        (await api.PutAsync(user, $"{Rules}/global/room/!a%3Ab", new { actions = Array.Empty<string>() })).RequireOk();
        (await api.PutAsync(user, $"{Rules}/global/sender/@a%3Ab", new { actions = new[] { "dont_notify" } })).RequireOk();
        (await api.PutAsync(user, $"{Rules}/global/underride/u", Rule("x"))).RequireOk();
        var global = (await api.GetAsync(user, Rules + "/")).Body.GetProperty("global");
        Assert.Equal("armada", global.GetProperty("content")[0].GetProperty("pattern").GetString());
        Assert.Equal("!a:b", global.GetProperty("room")[0].GetProperty("rule_id").GetString());
        Assert.Equal("@a:b", global.GetProperty("sender")[0].GetProperty("rule_id").GetString());
    }

    [Theory]
    [InlineData("/device/override/x", """{"actions":[],"conditions":[]}""", 400)]
    [InlineData("/global/nothing/x", """{"actions":[],"conditions":[]}""", 400)]
    [InlineData("/global/override/a%2Fb", """{"actions":[],"conditions":[]}""", 400)]
    [InlineData("/global/override/x", """{"conditions":[]}""", 400)]
    [InlineData("/global/override/x", """{"actions":[],"conditions":{}}""", 400)]
    [InlineData("/global/override/x", """{"actions":[{"x":1}],"conditions":[]}""", 400)]
    [InlineData("/global/override/x", """{"actions":["explode"],"conditions":[]}""", 400)]
    [InlineData("/global/override/x", """{"actions":"notify","conditions":[]}""", 400)]
    [InlineData("/global/override/x", """{"actions":[],"conditions":[{}]}""", 400)]
    [InlineData("/global/override/x", """{"actions":[],"conditions":[{"kind":5}]}""", 400)]
    [InlineData("/global/override/x", """{"actions":[],"conditions":[{"kind":"event_match","key":5,"pattern":"x"}]}""", 400)]
    [InlineData("/global/override/x", """{"actions":[],"conditions":[{"kind":"event_match","key":"type","pattern":["x"]}]}""", 400)]
    [InlineData("/global/override/x", """{"actions":[],"conditions":[{"kind":"room_member_count","is":2}]}""", 400)]
    [InlineData("/global/override/x", """{"actions":[],"conditions":[{"kind":"event_property_is","key":"type","value":{"a":1}}]}""", 400)]
    [InlineData("/global/override/x", """{"actions":[],"conditions":["x"]}""", 400)]
    [InlineData("/global/content/x", """{"actions":[]}""", 400)]
    [InlineData("/global/override/x/enabled", """{"enabled":"yes"}""", 400)]
    [InlineData("/global/override/x/enabled", """{"enabled":true}""", 404)]
    [InlineData("/global/override/x/actions", """{"actions":[]}""", 404)]
    public async Task Wrong_rules_are_refused(string path, string body, int status)
    {
        var user = await api.RegisterUserAsync();
        Assert.Equal(status, (await api.PutAsync(user, Rules + path, body)).Status);
    }

    [Theory]
    [InlineData("override", """{"actions":[]}""", "[]")]
    [InlineData("underride", """{"actions":["notify"]}""", "[]")]
    [InlineData("override", """{"actions":[],"conditions":[{"kind":"event_match"}]}""", """[{"kind":"event_match"}]""")]
    [InlineData("override", """{"actions":[],"conditions":[{"kind":"event_property_is","key":"type"}]}""", """[{"key":"type","kind":"event_property_is"}]""")]
    [InlineData("override", """{"actions":[],"conditions":[{"kind":"room_member_count","is":"many"}]}""", """[{"is":"many","kind":"room_member_count"}]""")]
    [InlineData("underride", """{"actions":[],"conditions":[{"kind":"org.example","x":{"y":[1]},"value":null}]}""", """[{"kind":"org.example","value":null,"x":{"y":[1]}}]""")]
    public async Task A_rule_may_have_no_conditions_or_some_that_never_hold(string kind, string body, string conditions)
    {
        var user = await api.RegisterUserAsync();
        (await api.PutAsync(user, $"{Rules}/global/{kind}/x", body)).RequireOk();
        Assert.Equal(conditions, (await api.GetAsync(user, $"{Rules}/global/{kind}/x")).RequireOk().Body.GetProperty("conditions").GetRawText());
    }

    [Theory]
    [InlineData("override", """{"actions":["explode"]}""")]
    [InlineData("room", """{"actions":[{"value":true}]}""")]
    [InlineData("content", """{"actions":[]}""")]
    public async Task What_the_schema_allows_and_the_text_does_not_is_unknown(string kind, string body) =>
        (await api.PutAsync(await api.RegisterUserAsync(), $"{Rules}/global/{kind}/x", body)).Require(400, "M_UNKNOWN");

    [Theory]
    [InlineData("GET", "", 404)]
    [InlineData("GET", "/global", 400)]
    [InlineData("GET", "/global/room", 400)]
    [InlineData("GET", "/device/", 400)]
    [InlineData("GET", "/global/nothing/", 400)]
    [InlineData("GET", "/global/override/.m.rule.master/colour", 400)]
    [InlineData("PUT", "/", 400)]
    [InlineData("PUT", "/global/room/", 400)]
    [InlineData("DELETE", "/global/room", 400)]
    public async Task What_is_no_path_of_a_rule_is_a_bad_request(string method, string path, int status)
    {
        var user = await api.RegisterUserAsync();
        (await api.SendAsync(new HttpMethod(method), user, Rules + path, method == "GET" ? null : "{}")).Require(status, "M_UNRECOGNIZED");
    }

    [Fact]
    public async Task Rules_of_one_kind_are_listed_and_historical_actions_are_kept()
    {
        var user = await api.RegisterUserAsync();
        (await api.PutAsync(user, $"{Rules}/global/room/!r%3Ax", """{"actions":["dont_notify"]}""")).RequireOk();
        Assert.Equal("""[{"actions":["dont_notify"],"default":false,"enabled":true,"rule_id":"!r:x"}]""", (await api.GetAsync(user, $"{Rules}/global/room/")).RequireOk().Body.GetRawText());
    }

    [Fact]
    public async Task Changes_made_at_once_are_all_kept()
    {
        var user = await api.RegisterUserAsync();
        await Task.WhenAll(Enumerable.Range(0, 10).Select(async i => (await api.PutAsync(user, $"{Override}/r{i}", Rule("m." + i))).RequireOk()));
        Assert.Equal(10, (await OverridesAsync(user)).Count(id => id.StartsWith('r')));
    }

    /// <summary>Synapse: 300 bytes, with scope and kind.</summary>
    [Theory]
    [InlineData("override", 284)]
    [InlineData("room", 288)]
    [InlineData("content", 285)]
    public async Task The_name_of_a_rule_has_its_length(string kind, int most)
    {
        var user = await api.RegisterUserAsync();
        var body = new { actions = new[] { "notify" }, pattern = "x" };
        (await api.PutAsync(user, $"{Rules}/global/{kind}/{new string('a', most)}", body)).RequireOk();
        (await api.PutAsync(user, $"{Rules}/global/{kind}/{new string('a', most + 1)}", body)).Require(413, "M_UNKNOWN");
        (await api.PutAsync(user, $"{Rules}/global/{kind}/{Uri.EscapeDataString(new string('a', most - 1) + "é")}", body)).Require(413, "M_UNKNOWN");
    }
}
