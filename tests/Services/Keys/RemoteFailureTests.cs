using System.Text.Json;
using Matrix.ServiceTests.ClientApi;
using static Matrix.ServiceTests.Keys.KeyClient;

namespace Matrix.ServiceTests.Keys;

/// <summary>Servers that cannot be asked for keys, or answer with none, are told as failures; the others' keys are there all the same.</summary>
public sealed class RemoteFailureTests(RemoteKeyFixture api) : IClassFixture<RemoteKeyFixture>, IAsyncLifetime
{
    private KeyServer server = null!;
    private TestUser alice = null!;

    public async ValueTask InitializeAsync() => (server, alice) = (await KeyServer.StartAsync(), await api.RegisterUserAsync());

    public ValueTask DisposeAsync() => server.DisposeAsync();

    /// <summary>The failures of a question and of a claim, which are the same.</summary>
    private static async Task<JsonElement> FailuresAsync(ClientApiFixture api, TestUser asking, int? timeout, params string[] users)
    {
        var body = (await api.PostAsync(asking, $"{V3}/keys/query", new { timeout, device_keys = users.ToDictionary(u => u, _ => Array.Empty<string>()) })).RequireOk().Body;
        var claim = (await api.PostAsync(asking, $"{V3}/keys/claim", new { timeout, one_time_keys = users.ToDictionary(u => u, _ => new Dictionary<string, string> { ["FAR"] = "a" }) })).RequireOk().Body;
        Assert.Equal(body.GetProperty("failures").GetRawText(), claim.GetProperty("failures").GetRawText());
        return body.GetProperty("failures");
    }

    private async Task<string?> FailureAsync(int? timeout = null) => (await FailuresAsync(api, alice, timeout, server.User("far").Id)).At(server.Name)?.GetRawText();

    [Theory]
    [InlineData(404, """{"errcode":"M_NOT_FOUND","error":"<b>no</b>"}""", """{"status":404,"message":"The server answered with 404","errcode":"M_NOT_FOUND"}""")]
    [InlineData(403, """{"errcode":"<b>","error":"no"}""", """{"status":403,"message":"The server answered with 403"}""")]
    [InlineData(500, "oh", """{"status":500,"message":"The server answered with 500"}""")]
    [InlineData(302, "", """{"status":302,"message":"The server answered with 302"}""")]
    [InlineData(200, "", """{"status":502,"message":"The answer is not what the specification says"}""")]
    [InlineData(200, "{", """{"status":502,"message":"The answer is not what the specification says"}""")]
    [InlineData(200, "[]", """{"status":502,"message":"The answer is not what the specification says"}""")]
    [InlineData(200, "{}", """{"status":502,"message":"The answer is not what the specification says"}""")]
    [InlineData(200, """{"device_keys":[],"one_time_keys":5}""", """{"status":502,"message":"The answer is not what the specification says"}""")]
    [InlineData(200, """{"device_keys":{},"device_keys":{},"one_time_keys":{"\ud800":{}}}""", """{"status":502,"message":"The answer is not what the specification says"}""")]
    public async Task An_answer_that_is_none_is_a_failure(int status, string answer, string failure)
    {
        server.Status = status;
        server.Tell(answer);
        Assert.Equal(failure, await FailureAsync());
    }

    [Fact]
    public async Task An_answer_that_is_too_long_is_a_failure()
    {
        server.Tell($$$"""{"device_keys":{},"one_time_keys":{},"x":"{{{new string('x', 17 * 1024 * 1024)}}}"}""");
        Assert.Equal("""{"status":502,"message":"The answer is too large"}""", await FailureAsync());
    }

    [Fact]
    public async Task Many_long_answers_together_are_cut_off()
    {
        // Host names ignore case, names of servers do not.
        var users = new[] { "localhost", "Localhost", "lOcalhost", "loCalhost", "locAlhost" }.Select(h => $"@far:{server.Name.Replace("localhost", h, StringComparison.Ordinal)}").ToArray();
        server.Tell($$$"""{"device_keys":{},"one_time_keys":{},"x":"{{{new string('x', 15 * 1024 * 1024)}}}"}""");
        var body = (await api.PostAsync(alice, $"{V3}/keys/query", new { device_keys = users.ToDictionary(u => u, _ => Array.Empty<string>()) })).RequireOk().Body;
        Assert.Equal("""{"status":502,"message":"The answer is too large"}""", Assert.Single(body.GetProperty("failures").EnumerateObject()).Value.GetRawText());
    }

    [Fact]
    public async Task Servers_that_are_not_there_keep_nobody_elses_keys_away()
    {
        var far = server.User("far");
        server.Tell(new { device_keys = new Dictionary<string, object> { [far.Id] = new { FAR = DeviceKeys(far) } } });
        var told = await api.QueryAsync(alice, far, far with { Id = "@gone:localhost:1" });
        Assert.Equal("""{"localhost:1":{"status":503,"message":"The server could not be reached"}}""", told.GetProperty("failures").GetRawText());
        Assert.NotNull(told.At("device_keys", far.Id, "FAR"));
    }

    [Fact]
    public async Task A_server_is_waited_for_as_long_as_the_client_says()
    {
        server.Answer = async (context, _) =>
        {
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
            return "{}";
        };
        Assert.Equal("""{"status":503,"message":"No answer in time"}""", await FailureAsync(timeout: 100));
        var asked = server.Asked.Count;
        Assert.Equal("""{"status":503,"message":"No answer in time"}""", await FailureAsync(timeout: 0));
        Assert.Equal(asked, server.Asked.Count);
    }

    [Fact]
    public async Task Servers_are_asked_at_once_but_no_more_than_twenty()
    {
        var (now, most, full) = (0, 0, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        server.Answer = async (_, _) =>
        {
            var n = Interlocked.Increment(ref now);
            InterlockedMax(ref most, n);
            if (n == 20) full.TrySetResult();
            await full.Task;
            Interlocked.Decrement(ref now);
            return """{"device_keys":{}}""";
        };
        var names = Enumerable.Range(0, 24).Select(i => string.Concat("localhost".Select((c, at) => (i >> at & 1) == 1 ? char.ToUpperInvariant(c) : c)));
        var users = names.Select(n => $"@far:{server.Name.Replace("localhost", n, StringComparison.Ordinal)}").ToDictionary(u => u, _ => Array.Empty<string>());
        var told = (await api.PostAsync(alice, $"{V3}/keys/query", new { timeout = 60_000, device_keys = users })).RequireOk().Body;
        Assert.Equal("{}", told.GetProperty("failures").GetRawText());
        Assert.Equal((24, 20), (server.Asked.Count, most));

        static void InterlockedMax(ref int most, int n)
        {
            for (var seen = Volatile.Read(ref most); seen < n;)
                if (Interlocked.CompareExchange(ref most, n, seen) is var found && found == seen) return;
                else seen = found;
        }
    }
}

public sealed class ClosedKeyTests(ClosedKeyFixture api) : IClassFixture<ClosedKeyFixture>
{
    [Fact]
    public async Task A_server_outside_the_whitelist_is_not_asked()
    {
        await using var server = await KeyServer.StartAsync();
        var alice = await api.RegisterUserAsync();
        var told = await api.QueryAsync(alice, server.User("far"));
        Assert.Equal($$"""{"status":403,"message":"Federation denied with {{server.Name}}.","errcode":"M_FORBIDDEN"}""", told.At("failures", server.Name)?.GetRawText());
        Assert.Empty(server.Asked);
        Assert.Equal(503, (await api.QueryAsync(alice, server.User("far") with { Id = "@far:localhost:1" })).At("failures", "localhost:1", "status")?.GetInt32());
    }
}
