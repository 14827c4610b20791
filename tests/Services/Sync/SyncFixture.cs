using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Matrix.ClientApi;
using Matrix.EventPersister;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Replication.Buses;
using Matrix.ServiceDefaults;
using Matrix.ServiceTests.Hosting;
using Matrix.Storage.Ephemeral;
using Matrix.Sync;
using Matrix.Testing.Servers;
using Matrix.Web.Auth;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging.Abstractions;

namespace Matrix.ServiceTests.Sync;

/// <summary>
/// Two Syncs over one database: one beside the services that write, and another one that knows their news from the bus only. Tokens are
/// <c>USER|DEVICE</c>.
/// </summary>
public class SyncFixture : IAsyncLifetime
{
    private readonly PostgresFixture postgres = new();
    private int counter;

    public FlakyBus Bus { get; } = new();
    public ServiceHost One { get; private set; } = null!;
    public ServiceHost Two { get; private set; } = null!;
    public PostgresFixture Postgres => postgres;

    public virtual async ValueTask InitializeAsync()
    {
        await postgres.InitializeAsync();
        One = await StartAsync("one", writes: true);
        Two = await StartAsync("two", writes: false);
        await BeginEphemeralAsync();
    }

    /// <summary>The first row of an ephemeral stream is found a little after it was written, as after a gap; those of tests are not the first.</summary>
    private async Task BeginEphemeralAsync()
    {
        var position = await One.Services.GetRequiredService<IStreamPublisher>().PublishEphemeralAsync(
            Streams.Typing, TypingRow.Key("!nowhere", "@nobody:test.example"), new TypingRow("@nobody:test.example", false, 0).Encode(), CancellationToken.None);
        foreach (var host in (ServiceHost[])[One, Two])
            await host.Services.GetRequiredService<IStreamFollower>().WaitForAsync(Streams.Typing, position, TimeSpan.FromSeconds(10), CancellationToken.None);
    }

    /// <summary>A further Sync, which starts cold.</summary>
    public Task<ServiceHost> StartAsync(string name, bool writes = false, Func<HomeserverConfig, HomeserverConfig>? configure = null) => ServiceHost.StartAsync(
        postgres.ConnectionString,
        builder =>
        {
            if (writes) builder.AddEventPersister().AddClientApi();
            builder.AddSync();
        },
        routes =>
        {
            if (writes) routes.MapEventPersister().MapClientApi();
            routes.MapSync();
        },
        config => (configure?.Invoke(config) ?? config) with { RateLimitsEnabled = false },
        services =>
        {
            UseBus(services);
            services.Replace(ServiceDescriptor.Singleton<IRequestAuthenticator>(new UserAndDevice()));
        },
        name);

    /// <summary>What the hosts tell each other by: <see cref="Bus"/>.</summary>
    protected virtual void UseBus(IServiceCollection services) => services.Replace(ServiceDescriptor.Singleton<IReplicationBus>(Bus));

    public SyncUser NewUser(string prefix = "u", string device = "DEV")
    {
        var id = $"@{prefix}{Interlocked.Increment(ref counter)}:{ServiceHost.ServerName}";
        return new SyncUser(this, id, device);
    }

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (One is not null) await One.DisposeAsync();
        if (Two is not null) await Two.DisposeAsync();
        await postgres.DisposeAsync();
    }

    private sealed class UserAndDevice : IRequestAuthenticator
    {
        public ValueTask<Requester> AuthenticateAsync(HttpContext context, string token)
        {
            var parts = token.Split('|');
            return ValueTask.FromResult(new Requester(new UserId(parts[0]), parts[1], Encoding.UTF8.GetBytes(token), false, false, null));
        }
    }
}

/// <summary>The bus between the processes of a test. Loses what it is told to lose: readers find it in the database.</summary>
public sealed class FlakyBus : IReplicationBus
{
    private readonly InProcessBus inner = new(TimeProvider.System, NullLogger<InProcessBus>.Instance);
    private readonly Random random = new(1);
    private long interruptions;

    public double Loss { get; set; }
    public bool IsConnected => true;
    /// <summary>Always another: it loses at any time.</summary>
    public long Interruptions => Interlocked.Increment(ref interruptions);

    private bool IsLost()
    {
        lock (random) return random.NextDouble() < Loss;
    }

    public ValueTask PublishAsync(StreamFrame frame, CancellationToken ct) => IsLost() ? ValueTask.CompletedTask : inner.PublishAsync(frame, ct);
    /// <summary>What is ephemeral always comes to be kept, but not to everybody's ears.</summary>
    public IAsyncDisposable Subscribe(IReadOnlyCollection<StreamDefinition> streams, Func<StreamFrame, ValueTask> onFrame) =>
        inner.Subscribe(streams, frame => frame.Stream.IsEphemeral && IsLost() ? ValueTask.CompletedTask : onFrame(frame));
    public ValueTask<long> PublishEphemeralAsync(StreamDefinition stream, string key, ReadOnlyMemory<byte> payload, CancellationToken ct) =>
        inner.PublishEphemeralAsync(stream, key, payload, ct);
    public ValueTask<long> GetEphemeralPositionAsync(StreamDefinition stream, CancellationToken ct) => inner.GetEphemeralPositionAsync(stream, ct);
    public ValueTask<EphemeralPage?> TryReadEphemeralAsync(StreamDefinition stream, long from, int limit, CancellationToken ct) =>
        inner.TryReadEphemeralAsync(stream, from, limit, ct);
}

/// <summary>A user on a device, who writes through the first host.</summary>
public sealed record SyncUser(SyncFixture Fixture, string Id, string Device)
{
    private static int transactions;

    public SyncUser On(string device) => this with { Device = device };
    private static string E(string part) => Uri.EscapeDataString(part);

    public async Task<JsonElement> CallAsync(ServiceHost host, HttpMethod method, string path, object? body = null, int status = 200)
    {
        var json = body switch { null => null, string text => text, _ => JsonSerializer.Serialize(body) };
        var (got, answer) = await host.JsonAsync(method, path, $"{Id}|{Device}", json);
        Assert.True(got == status, $"{method} {path}: {got} {answer}");
        return answer;
    }

    private Task<JsonElement> PostAsync(string path, object? body = null) => CallAsync(Fixture.One, HttpMethod.Post, "/_matrix/client/v3" + path, body ?? new { });
    private Task<JsonElement> PutAsync(string path, object body) => CallAsync(Fixture.One, HttpMethod.Put, "/_matrix/client/v3" + path, body);
    public Task<JsonElement> GetAsync(string path) => CallAsync(Fixture.One, HttpMethod.Get, "/_matrix/client/v3" + path);

    public async Task<string> CreateRoomAsync(object? options = null) => (await PostAsync("/createRoom", options ?? new { preset = "public_chat" })).Text("room_id");
    public async Task<string> SayAsync(string room, string text, object? content = null, string? txn = null) =>
        (await PutAsync($"/rooms/{E(room)}/send/m.room.message/{E(txn ?? NewTxn())}", content ?? new { msgtype = "m.text", body = text })).Text("event_id");
    public async Task<string> SendAsync(string room, string type, object content) =>
        (await PutAsync($"/rooms/{E(room)}/send/{E(type)}/{NewTxn()}", content)).Text("event_id");
    public async Task<string> SetAsync(string room, string type, object content, string key = "") =>
        (await PutAsync($"/rooms/{E(room)}/state/{E(type)}/{E(key)}", content)).Text("event_id");
    public async Task<string> RedactAsync(string room, string id) => (await PutAsync($"/rooms/{E(room)}/redact/{E(id)}/{NewTxn()}", new { })).Text("event_id");
    public Task JoinAsync(string room) => PostAsync($"/rooms/{E(room)}/join");
    public Task LeaveAsync(string room) => PostAsync($"/rooms/{E(room)}/leave");
    public Task ForgetAsync(string room) => PostAsync($"/rooms/{E(room)}/forget");
    public Task KnockAsync(string room) => PostAsync($"/knock/{E(room)}");
    public Task InviteAsync(string room, SyncUser other) => PostAsync($"/rooms/{E(room)}/invite", new { user_id = other.Id });
    public Task KickAsync(string room, SyncUser other) => PostAsync($"/rooms/{E(room)}/kick", new { user_id = other.Id });
    public Task BanAsync(string room, SyncUser other) => PostAsync($"/rooms/{E(room)}/ban", new { user_id = other.Id });
    public Task UnbanAsync(string room, SyncUser other) => PostAsync($"/rooms/{E(room)}/unban", new { user_id = other.Id });
    public Task TypingAsync(string room, bool typing, int timeout = 30_000) =>
        PutAsync($"/rooms/{E(room)}/typing/{E(Id)}", typing ? new { typing, timeout } : new { typing });
    public Task ReceiptAsync(string room, string id, string type = "m.read", string? thread = null) =>
        PostAsync($"/rooms/{E(room)}/receipt/{E(type)}/{E(id)}", thread is null ? new { } : new { thread_id = thread });
    public Task SetAccountDataAsync(string type, object content) => PutAsync($"/user/{E(Id)}/account_data/{E(type)}", content);
    public Task SetRoomDataAsync(string room, string type, object content) => PutAsync($"/user/{E(Id)}/rooms/{E(room)}/account_data/{E(type)}", content);
    public async Task SendToDeviceAsync(SyncUser to, string type, object content)
    {
        await using var device = Fixture.Postgres.Source.CreateCommand("insert into devices (user_id, device_id, created_ts_ms) values ($1, $2, 0) on conflict do nothing");
        device.Parameters.AddWithValue(to.Id);
        device.Parameters.AddWithValue(to.Device);
        await device.ExecuteNonQueryAsync();
        await PutAsync($"/sendToDevice/{E(type)}/{NewTxn()}", new { messages = new Dictionary<string, object> { [to.Id] = new Dictionary<string, object> { [to.Device] = content } } });
    }

    public async Task<string> NewFilterAsync(object filter) => (await PostAsync($"/user/{E(Id)}/filter", filter)).Text("filter_id");
    public static string NewTxn() => $"t{Interlocked.Increment(ref transactions)}";

    /// <summary>One /sync; at the first host unless another one is named.</summary>
    public async Task<SyncAnswer> SyncAsync(
        string? since = null, object? filter = null, ServiceHost? at = null, int timeout = 0, bool fullState = false, bool stateAfter = false, string presence = "offline")
    {
        var path = new StringBuilder($"/_matrix/client/v3/sync?set_presence={presence}&timeout={timeout}");
        if (since is not null) path.Append($"&since={E(since)}");
        if (filter is not null) path.Append($"&filter={E(filter as string ?? JsonSerializer.Serialize(filter))}");
        if (fullState) path.Append("&full_state=true");
        if (stateAfter) path.Append("&use_state_after=true");
        return new SyncAnswer(await CallAsync(at ?? Fixture.One, HttpMethod.Get, path.ToString()));
    }

    /// <summary>Polls until an answer has what the test waits for; the answers are given together.</summary>
    public async Task<SyncAnswer> SyncUntilAsync(string since, Func<SyncAnswer, bool> done, ServiceHost? at = null, object? filter = null)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var answer = await SyncAsync(since, filter, at, timeout: 10_000);
            if (done(answer)) return answer;
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), $"never came; last {answer.Json}");
            since = answer.Next;
        }
    }
}

public sealed record SyncAnswer(JsonElement Json)
{
    public string Next => Json.Text("next_batch");
    public RoomAnswer? Joined(string room) => Room("join", room);
    public RoomAnswer? Left(string room) => Room("leave", room);
    public JsonElement? Invited(string room) => Json.At("rooms", "invite", room);
    public JsonElement? Knocked(string room) => Json.At("rooms", "knock", room);
    private RoomAnswer? Room(string section, string room) => Json.At("rooms", section, room) is { } found ? new RoomAnswer(found) : null;
    public IEnumerable<string> JoinedRooms => Json.At("rooms", "join") is { } rooms ? rooms.EnumerateObject().Select(r => r.Name) : [];
    public List<JsonElement> AccountData => Events("account_data");
    public List<JsonElement> ToDevice => Events("to_device");
    public List<JsonElement> Presence => Events("presence");
    private List<JsonElement> Events(string section) => Json.At(section, "events") is { } list ? [.. list.EnumerateArray()] : [];
    public List<string> DevicesChanged => Json.At("device_lists", "changed") is { } list ? [.. list.EnumerateArray().Select(u => u.GetString()!)] : [];
    public List<string> DevicesLeft => Json.At("device_lists", "left") is { } list ? [.. list.EnumerateArray().Select(u => u.GetString()!)] : [];
    /// <summary>Nothing but the token and the counts of keys.</summary>
    public bool IsEmpty => Json.EnumerateObject().All(p => p.Name is "next_batch" or "device_one_time_keys_count" or "device_unused_fallback_key_types");
}

public sealed record RoomAnswer(JsonElement Json)
{
    public List<JsonElement> Timeline => [.. Json.At("timeline", "events")!.Value.EnumerateArray()];
    public List<string> Ids => [.. Timeline.Select(e => e.Text("event_id"))];
    public List<string> Bodies => [.. Timeline.Select(e => e.At("content", "body")?.GetString() ?? e.Text("type"))];
    public bool Limited => Json.At("timeline", "limited")!.Value.GetBoolean();
    public string PrevBatch => Json.GetProperty("timeline").Text("prev_batch");
    public List<JsonElement> State => [.. (Json.At("state", "events") ?? Json.At("state_after", "events"))!.Value.EnumerateArray()];
    public List<string> StateKeys => [.. State.Select(Key).Order(StringComparer.Ordinal)];
    public static string Key(JsonElement e) => $"{e.Text("type")}|{e.Text("state_key")}";
    public JsonElement? Ephemeral(string type) => Of("ephemeral", type);
    public List<JsonElement> Receipts => [.. Json.At("ephemeral", "events")!.Value.EnumerateArray().Where(e => e.Text("type") == "m.receipt").Select(e => e.GetProperty("content"))];
    public JsonElement? Data(string type) => Of("account_data", type);
    private JsonElement? Of(string section, string type)
    {
        foreach (var e in Json.At(section, "events")!.Value.EnumerateArray()) if (e.Text("type") == type) return e.GetProperty("content");
        return null;
    }
    public List<string>? Heroes => Json.At("summary", "m.heroes") is { } list ? [.. list.EnumerateArray().Select(u => u.GetString()!)] : null;
    public int? JoinedCount => Json.At("summary", "m.joined_member_count")?.GetInt32();
    public int? InvitedCount => Json.At("summary", "m.invited_member_count")?.GetInt32();
    public int Unread => Json.At("unread_notifications", "notification_count")!.Value.GetInt32();
    public int Highlights => Json.At("unread_notifications", "highlight_count")!.Value.GetInt32();
}

internal static class JsonExtensions
{
    public static string Text(this JsonElement e, string name) => e.GetProperty(name).GetString()!;

    /// <summary>Null: there is no such member somewhere on the way.</summary>
    public static JsonElement? At(this JsonElement e, params ReadOnlySpan<string> path)
    {
        foreach (var name in path)
            if (e.ValueKind != JsonValueKind.Object || !e.TryGetProperty(name, out e)) return null;
        return e;
    }
}
