using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.EventPersister;
using Matrix.FederationClient.Keys;
using Matrix.FederationClient.Policy;
using Matrix.FederationClient.Rooms;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage;
using Matrix.Storage.Accounts;
using Matrix.Testing;
using Matrix.Testing.Federation;
using Matrix.Testing.Specification;
using Matrix.Web.Auth;
using Matrix.Web.Routing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;

namespace Matrix.ServiceTests.EventPersister;

/// <summary>One persister.</summary>
public sealed class PersisterHost(WebApplication app, HttpClient http) : IAsyncDisposable
{
    public IServiceProvider Services => app.Services;
    public HttpClient Http => http;

    public static async Task<PersisterHost> StartAsync(string name, string connectionString, IReplicationBus bus, IRemoteRooms? remote = null, IPolicyServers? policies = null, long cacheBudget = 256 << 20)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        if (Environment.GetEnvironmentVariable("ARMADA_TEST_LOG") is not null) builder.Logging.AddConsole().SetMinimumLevel(LogLevel.Debug);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var services = builder.Services;
        services.AddMatrixStorage(new StorageOptions { ConnectionString = connectionString, ApplicationName = name });
        services.AddMatrixReplication(new ReplicationOptions { InstanceName = name, Secret = "secret" });
        services.Replace(ServiceDescriptor.Singleton(bus));
        var server = TestServer.Named(PersisterFixture.ServerName);
        services.AddSingleton(new ServerIdentity(server.Name, server.Key, Ed25519.Default));
        services.AddSingleton(new HomeserverConfig
        {
            ServerName = server.Name, Database = new DatabaseConfig { ConnectionString = "" }, CacheBudgetBytes = cacheBudget, RateLimitsEnabled = false,
            OutboundVerifyCertificates = false, FederationVerifyCertificates = false,
        });
        services.AddSingleton<AccessTokenStore>();
        services.AddSingleton<TokenAuthenticator>();
        services.AddSingleton<IStreamConsumer>(p => p.GetRequiredService<TokenAuthenticator>());
        services.AddSingleton<IRequestAuthenticator, UserTokenAuthenticator>();
        builder.AddEventPersister();
        services.Replace(ServiceDescriptor.Singleton<IKeyRing>(new TestKeyRing()));
        services.Replace(ServiceDescriptor.Singleton<IRemoteRooms>(remote ?? new DagRemoteRooms()));
        services.Replace(ServiceDescriptor.Singleton<IPolicyServers>(policies ?? new FakePolicyServers()));
        var app = builder.Build();
        app.UseMatrix();
        app.MapEventPersister();
        await app.StartAsync();
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return new PersisterHost(app, new HttpClient(new CheckedAnswers(new SocketsHttpHandler())) { BaseAddress = new Uri(address) });
    }

    public async Task<Answer> SendAsync(HttpMethod method, string? token, string path, object? body)
    {
        using var request = new HttpRequestMessage(method, path);
        if (token is not null) request.Headers.Authorization = new("Bearer", token);
        if (body is string text) request.Content = new StringContent(text, Encoding.UTF8, "application/json");
        else if (body is not null) request.Content = JsonContent.Create(body);
        using var response = await http.SendAsync(request);
        var bytes = await response.Content.ReadAsByteArrayAsync();
        return new Answer((int)response.StatusCode, bytes.Length == 0 ? default : JsonDocument.Parse(bytes).RootElement.Clone());
    }

    public async ValueTask DisposeAsync()
    {
        http.Dispose();
        await app.DisposeAsync();
    }

    public sealed record Answer(int Status, JsonElement Body)
    {
        public string? Code => Body.ValueKind == JsonValueKind.Object && Body.TryGetProperty("errcode", out var code) ? code.GetString() : null;
        public string Text(string name) => Body.GetProperty(name).GetString()!;
        public string EventId => Text("event_id");

        public Answer Ok()
        {
            Assert.True(Status == 200, $"{Status} {Body}");
            return this;
        }

        public Answer Is(int status, string code)
        {
            Assert.True(Status == status && Code == code, $"expected {status} {code}, got {Status} {Body}");
            return this;
        }
    }
}

/// <summary>Somebody with a token, and the persister that he talks to.</summary>
public sealed record User(string Id, string Token, PersisterHost Host)
{
    private static int transactions;

    public User At(PersisterHost host) => this with { Host = host };
    public static string NewTxn() => $"t{Interlocked.Increment(ref transactions)}";
    private static string E(string part) => Uri.EscapeDataString(part);

    public Task<PersisterHost.Answer> PostAsync(string path, object? body = null) => Host.SendAsync(HttpMethod.Post, Token, "/_matrix/client/v3" + path, body ?? new { });
    public Task<PersisterHost.Answer> PutAsync(string path, object? body) => Host.SendAsync(HttpMethod.Put, Token, "/_matrix/client/v3" + path, body);
    public Task<PersisterHost.Answer> GetAsync(string path) => Host.SendAsync(HttpMethod.Get, Token, "/_matrix/client/v3" + path, null);
    public Task<PersisterHost.Answer> DeleteAsync(string path) => Host.SendAsync(HttpMethod.Delete, Token, "/_matrix/client/v3" + path, null);

    public async Task<string> CreateRoomAsync(object? options = null) => (await PostAsync("/createRoom", options)).Ok().Text("room_id");
    public Task<PersisterHost.Answer> SendAsync(string room, string body, string? txn = null) =>
        PutAsync($"/rooms/{E(room)}/send/m.room.message/{E(txn ?? NewTxn())}", new { msgtype = "m.text", body });
    public Task<PersisterHost.Answer> SetStateAsync(string room, string type, string key, object content) =>
        PutAsync(key.Length == 0 ? $"/rooms/{E(room)}/state/{E(type)}" : $"/rooms/{E(room)}/state/{E(type)}/{E(key)}", content);
    public Task<PersisterHost.Answer> JoinAsync(string room) => PostAsync($"/rooms/{E(room)}/join");
    public Task<PersisterHost.Answer> LeaveAsync(string room) => PostAsync($"/rooms/{E(room)}/leave");
    public Task<PersisterHost.Answer> InviteAsync(string room, User other) => PostAsync($"/rooms/{E(room)}/invite", new { user_id = other.Id });
    public Task<PersisterHost.Answer> ActAsync(string room, string action, User other, string? reason = null) =>
        PostAsync($"/rooms/{E(room)}/{action}", reason is null ? new { user_id = other.Id } : new { user_id = other.Id, reason });
    public Task<PersisterHost.Answer> RedactAsync(string room, string eventId, string? txn = null) =>
        PutAsync($"/rooms/{E(room)}/redact/{E(eventId)}/{E(txn ?? NewTxn())}", new { reason = "because" });
}
