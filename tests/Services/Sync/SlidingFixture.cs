using System.Diagnostics;
using System.Text.Json;
using Matrix.ServiceTests.Hosting;

namespace Matrix.ServiceTests.Sync;

/// <summary>A client of sliding sync: it sends its body again and again, with the position of the last answer.</summary>
internal sealed class SlidingClient(SyncUser user, object body)
{
    public SyncUser User { get; } = user;
    public object Body { get; set; } = body;
    public string? Pos { get; set; }
    public bool IsStable { get; init; }
    public ServiceHost? Host { get; set; }

    public static Dictionary<string, object> List(int to = 19, int limit = 10, object? required = null, object? filters = null)
    {
        var list = new Dictionary<string, object>
        {
            ["timeline_limit"] = limit, ["required_state"] = required ?? Array.Empty<object>(), ["ranges"] = new[] { new[] { 0, to } },
        };
        if (filters is not null) list["filters"] = filters;
        return list;
    }

    public static object Lists(Dictionary<string, object> list, object? extensions = null, object? subscriptions = null)
    {
        var body = new Dictionary<string, object> { ["lists"] = new Dictionary<string, object> { ["a"] = list } };
        if (extensions is not null) body["extensions"] = extensions;
        if (subscriptions is not null) body["room_subscriptions"] = subscriptions;
        return body;
    }

    /// <summary>One request; the position goes on unless <paramref name="keep"/> is false.</summary>
    public async Task<SlidingAnswerView> StepAsync(int timeout = 0, ServiceHost? at = null, int status = 200, bool keep = true)
    {
        var host = at ?? Host ?? User.Fixture.One;
        JsonElement json;
        if (IsStable)
        {
            var body = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(JsonSerializer.Serialize(Body))!.ToDictionary(m => m.Key, m => (object)m.Value);
            if (Pos is not null) body["pos"] = Pos;
            body["timeout"] = timeout;
            body["set_presence"] = "offline";
            json = await User.CallAsync(host, HttpMethod.Post, "/_matrix/client/v4/sync", body, status);
        }
        else
        {
            var path = $"/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?timeout={timeout}&set_presence=offline";
            if (Pos is not null) path += $"&pos={Uri.EscapeDataString(Pos)}";
            json = await User.CallAsync(host, HttpMethod.Post, path, Body, status);
        }
        var answer = new SlidingAnswerView(json);
        if (status == 200 && keep) Pos = answer.Pos;
        return answer;
    }

    public async Task<SlidingAnswerView> UntilAsync(Func<SlidingAnswerView, bool> done, ServiceHost? at = null)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var answer = await StepAsync(10_000, at);
            if (done(answer)) return answer;
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), $"never came; last {answer.Json}");
        }
    }
}

internal sealed record SlidingAnswerView(JsonElement Json)
{
    public string Pos => Json.Text("pos");
    public int Count(string list = "a") => Json.At("lists", list, "count")!.Value.GetInt32();
    public List<string> RoomIds => [.. Json.GetProperty("rooms").EnumerateObject().Select(r => r.Name)];
    public SlidingRoomView? Room(string roomId) => Json.At("rooms", roomId) is { } room ? new(room) : null;
    public JsonElement? Extension(params ReadOnlySpan<string> path) => Json.GetProperty("extensions").At(path);
}

internal sealed record SlidingRoomView(JsonElement Json)
{
    public bool IsInitial => Json.TryGetProperty("initial", out var initial) && initial.GetBoolean();
    public bool Limited => Json.TryGetProperty("limited", out var limited) && limited.GetBoolean();
    public int Live => Json.GetProperty("num_live").GetInt32();
    public string? Name => Json.TryGetProperty("name", out var name) ? name.GetString() : null;
    public List<JsonElement> Timeline => [.. Json.GetProperty("timeline").EnumerateArray()];
    public List<string> Bodies => [.. Timeline.Select(e => e.At("content", "body")?.GetString() ?? e.Text("type"))];
    public List<string> State => [.. Json.GetProperty("required_state").EnumerateArray().Select(RoomAnswer.Key).Order(StringComparer.Ordinal)];
    public long Bump => Json.GetProperty("bump_stamp").GetInt64();
}
