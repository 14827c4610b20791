using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Matrix.ClientApi;
using Matrix.Crypto;
using Matrix.Events;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage;
using Matrix.Storage.Accounts;
using Matrix.Storage.Setup;
using Matrix.Web.Auth;
using Matrix.Web.Routing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Matrix.ServiceTests.ClientApi;

/// <summary>The service alone, on a port of its own, over a fresh database.</summary>
public sealed class ClientApiFixture : IAsyncLifetime
{
    public const string ServerName = "test.example";
    public const string SharedSecret = "shared-secret-of-the-test";

    private static readonly byte[] Seed = [.. Enumerable.Range(1, 32).Select(i => (byte)i)];

    private WebApplication app = null!;
    private NpgsqlDataSource source = null!;
    private string databaseName = "";
    private int counter;

    public HttpClient Http { get; private set; } = null!;
    public Database Database { get; private set; } = null!;
    public IServiceProvider Services => app.Services;

    public async ValueTask InitializeAsync()
    {
        databaseName = "clientapi_" + Guid.NewGuid().ToString("N");
        var admin = Environment.GetEnvironmentVariable("ARMADA_TEST_POSTGRES") ?? "Host=127.0.0.1;Username=postgres";
        await using (var maintenance = NpgsqlDataSource.Create(admin + ";Database=postgres"))
        await using (var create = maintenance.CreateCommand($"create database {databaseName}")) await create.ExecuteNonQueryAsync();
        var connection = admin + $";Database={databaseName};Max Auto Prepare=50";
        source = NpgsqlDataSource.Create(connection);
        await Migrations.ApplyAsync(source, default);
        Database = new Database(source);

        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var services = builder.Services;
        services.AddSingleton(TimeProvider.System);
        services.AddMatrixStorage(new StorageOptions { ConnectionString = connection });
        services.AddMatrixReplication(new ReplicationOptions { InstanceName = "test" });
        services.AddSingleton(new HomeserverConfig
        {
            ServerName = ServerName, Database = new DatabaseConfig { ConnectionString = "" }, PasswordHashIterations = 1,
            EnableRegistration = true, AllowGuestAccess = true, RegistrationSharedSecret = SharedSecret,
        });
        services.AddSingleton(new ServerIdentity(ServerName, new SigningKey("ed25519:t", Seed, Ed25519.Default.PublicKey(Seed)), Ed25519.Default));
        services.AddSingleton<AccessTokenStore>();
        services.AddSingleton<TokenAuthenticator>();
        services.AddSingleton<IStreamConsumer>(p => p.GetRequiredService<TokenAuthenticator>());
        services.AddSingleton<IRequestAuthenticator, UserTokenAuthenticator>();
        builder.AddClientApi();
        app = builder.Build();
        app.UseMatrix();
        app.MapClientApi();
        await app.StartAsync();
        Http = new HttpClient { BaseAddress = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()) };
    }

    public async ValueTask DisposeAsync()
    {
        Http?.Dispose();
        if (app is not null) await app.DisposeAsync();
        if (source is not null) await source.DisposeAsync();
    }

    /// <summary>A name that no other test of this fixture has.</summary>
    public string NewName(string prefix = "user") => $"{prefix}{Interlocked.Increment(ref counter)}";

    public async Task<TestUser> RegisterUserAsync(string? name = null, string password = "secret")
    {
        name ??= NewName();
        var answer = await PostAsync(null, "/_matrix/client/v3/register", new { username = name, password, auth = new { type = "m.login.dummy" } });
        return new TestUser(answer.RequireOk().Text("user_id"), answer.Text("access_token"), answer.Text("device_id"), password);
    }

    public Task<Answer> GetAsync(TestUser? user, string path) => SendAsync(HttpMethod.Get, user, path, null);
    public Task<Answer> DeleteAsync(TestUser? user, string path, object? body = null) => SendAsync(HttpMethod.Delete, user, path, body);
    public Task<Answer> PostAsync(TestUser? user, string path, object? body) => SendAsync(HttpMethod.Post, user, path, body);
    public Task<Answer> PutAsync(TestUser? user, string path, object? body) => SendAsync(HttpMethod.Put, user, path, body);

    /// <param name="body">An object to serialize, or JSON text as it is.</param>
    public async Task<Answer> SendAsync(HttpMethod method, TestUser? user, string path, object? body)
    {
        using var request = new HttpRequestMessage(method, path);
        if (user is not null) request.Headers.Authorization = new("Bearer", user.Token);
        if (body is string text) request.Content = new StringContent(text, Encoding.UTF8, "application/json");
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
    public string? Code => Body.TryGetProperty("errcode", out var code) ? code.GetString() : null;

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
