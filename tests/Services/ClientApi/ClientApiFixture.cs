using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Matrix.ClientApi;
using Matrix.EventPersister;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.ServiceTests.Hosting;
using Matrix.Storage;
using Matrix.Storage.Accounts;
using Matrix.Testing.Servers;
using Matrix.Web.Auth;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.ServiceTests.ClientApi;

/// <summary>ClientApi with a persister beside it, on a port of its own, over a fresh database and the in-process bus.</summary>
public class ClientApiFixture : IAsyncLifetime
{
    public const string ServerName = "test.example";
    public const string SharedSecret = "shared-secret-of-the-test";

    private readonly PostgresFixture postgres = new();
    private ServiceHost? host;
    private int counter;

    internal ServiceHost Host => host ?? throw TestServers.Missing("ARMADA_TEST_PG is not set");
    public HttpClient Http => Host.Http;
    public Database Database => postgres.Database;
    public IServiceProvider Services => Host.Services;
    public string ConnectionString => postgres.ConnectionString;

    public async ValueTask InitializeAsync()
    {
        await postgres.InitializeAsync();
        if (TestServers.Address("ARMADA_TEST_PG") is null) return;
        host = await ServiceHost.StartAsync(
            postgres.ConnectionString,
            b => { b.AddClientApi().AddEventPersister(); Add(b); },
            e => Map(e.MapClientApi().MapEventPersister()),
            Configure,
            services =>
            {
                services.AddSingleton<AccessTokenStore>();
                services.AddSingleton<TokenAuthenticator>();
                services.AddSingleton<IStreamConsumer>(p => p.GetRequiredService<TokenAuthenticator>());
                services.AddSingleton<AppServiceUserStore>();
                services.AddSingleton<AppServiceMasquerade>();
                services.AddSingleton<IStreamConsumer>(p => p.GetRequiredService<AppServiceMasquerade>());
                services.AddSingleton<DeviceSeenStore>();
                services.AddSingleton<SeenDevices>();
                services.Replace(ServiceDescriptor.Singleton<IRequestAuthenticator, UserTokenAuthenticator>());
                services.Replace(ServiceDescriptor.Singleton<TimeProvider>(Clock));
                Replace(services);
            });
    }

    /// <summary>Further services.</summary>
    protected virtual void Add(Microsoft.Extensions.Hosting.IHostApplicationBuilder builder) { }

    protected virtual void Map(Microsoft.AspNetCore.Routing.IEndpointRouteBuilder routes) { }

    public ShiftedTime Clock { get; } = new();

    protected virtual void Replace(IServiceCollection services) { }

    protected virtual HomeserverConfig Configure(HomeserverConfig config) => config with
    {
        PasswordHashIterations = 1, EnableRegistration = true, AllowGuestAccess = true, RegistrationSharedSecret = SharedSecret,
    };

    public async ValueTask DisposeAsync()
    {
        if (host is not null) await host.DisposeAsync();
        await postgres.DisposeAsync();
    }

    /// <summary>A name that no other test of this fixture has.</summary>
    public string NewName(string prefix = "user") => $"{prefix}{Interlocked.Increment(ref counter)}";

    public async Task<TestUser> RegisterUserAsync(string? name = null, string password = "secret")
    {
        name ??= NewName();
        var answer = await PostAsync(null, "/_matrix/client/v3/register", new { username = name, password, auth = new { type = "m.login.dummy" } });
        return new TestUser(answer.RequireOk().Text("user_id"), answer.Text("access_token"), answer.Text("device_id"), password);
    }

    public Task<TestUser> LogInAsync(TestUser user) => LogInAsync(user.Id, user.Password);

    public async Task<TestUser> LogInAsync(string user, string password)
    {
        var answer = (await PostAsync(null, "/_matrix/client/v3/login", new { type = "m.login.password", identifier = new { type = "m.id.user", user }, password })).RequireOk();
        return new TestUser(answer.Text("user_id"), answer.Text("access_token"), answer.Text("device_id"), password);
    }

    /// <summary>Somebody who may use the admin API.</summary>
    public async Task<TestUser> RegisterAdminAsync()
    {
        var user = await RegisterUserAsync(NewName("admin"));
        await ExecuteAsync("update users set is_admin = true where user_id = $1", user.Id);
        return await LogInAsync(user);
    }

    public async Task ExecuteAsync(string sql, params object[] values)
    {
        await using var command = Database.Source.CreateCommand(sql);
        foreach (var value in values) command.Parameters.AddWithValue(value);
        await command.ExecuteNonQueryAsync();
    }

    public async Task<object?> ScalarAsync(string sql, params object[] values)
    {
        await using var command = Database.Source.CreateCommand(sql);
        foreach (var value in values) command.Parameters.AddWithValue(value);
        return await command.ExecuteScalarAsync();
    }

    /// <summary>Makes a room and returns its id.</summary>
    public async Task<string> CreateRoomAsync(TestUser creator, object? options = null) =>
        (await PostAsync(creator, "/_matrix/client/v3/createRoom", options ?? new { preset = "public_chat" })).RequireOk().Text("room_id");

    public async Task JoinAsync(TestUser user, string room) => (await PostAsync(user, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/join", "{}")).RequireOk();
    public async Task LeaveAsync(TestUser user, string room) => (await PostAsync(user, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/leave", "{}")).RequireOk();

    /// <summary>Says something and returns the event id.</summary>
    public async Task<string> SayAsync(TestUser user, string room, string text) =>
        (await PutAsync(user, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/send/m.room.message/{Guid.NewGuid():N}", new { msgtype = "m.text", body = text }))
            .RequireOk().Text("event_id");

    public async Task<string> SetStateAsync(TestUser user, string room, string type, object content, string key = "") =>
        (await PutAsync(user, $"/_matrix/client/v3/rooms/{Uri.EscapeDataString(room)}/state/{type}/{Uri.EscapeDataString(key)}", content)).RequireOk().Text("event_id");

    public Task<Answer> GetAsync(TestUser? user, string path) => SendAsync(HttpMethod.Get, user, path, null);
    public Task<Answer> DeleteAsync(TestUser? user, string path, object? body = null) => SendAsync(HttpMethod.Delete, user, path, body);
    public Task<Answer> PostAsync(TestUser? user, string path, object? body) => SendAsync(HttpMethod.Post, user, path, body);
    public Task<Answer> PutAsync(TestUser? user, string path, object? body) => SendAsync(HttpMethod.Put, user, path, body);

    /// <param name="body">An object to serialize, or JSON text or bytes as they are.</param>
    public async Task<Answer> SendAsync(HttpMethod method, TestUser? user, string path, object? body)
    {
        using var request = new HttpRequestMessage(method, path);
        if (user is not null) request.Headers.Authorization = new("Bearer", user.Token);
        if (body is string text) request.Content = new StringContent(text, Encoding.UTF8, "application/json");
        else if (body is byte[] raw) request.Content = new ByteArrayContent(raw);
        else if (body is not null) request.Content = JsonContent.Create(body);
        using var response = await Http.SendAsync(request);
        var bytes = await response.Content.ReadAsByteArrayAsync();
        return new Answer((int)response.StatusCode, JsonDocument.Parse(bytes).RootElement.Clone());
    }
}

public sealed record TestUser(string Id, string Token, string DeviceId, string Password);

public sealed record Answer(int Status, JsonElement Body)
{
    public string Text(string name) => Body.GetProperty(name).GetString()!;
    public bool Has(string name) => Body.TryGetProperty(name, out _);
    public string? Code => Body.ValueKind == JsonValueKind.Object && Body.TryGetProperty("errcode", out var code) ? code.GetString() : null;

    public Answer RequireOk()
    {
        Assert.True(Status == 200, $"{Status} {Body}");
        return this;
    }

    public Answer Require(int status, string code)
    {
        Assert.True(Status == status && Code == code, $"expected {status} {code}, got {Status} {Body}");
        return this;
    }
}
