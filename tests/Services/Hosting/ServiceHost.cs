using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage;
using Matrix.Testing;
using Matrix.Testing.Servers;
using Matrix.Testing.Specification;
using Matrix.Web.Auth;
using Matrix.Web.Routing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Matrix.ServiceTests.Hosting;

/// <summary>One service on a port of its own, over a real database and the in-process bus. Its tokens are the user ids themselves.</summary>
public sealed class ServiceHost : IAsyncDisposable
{
    public const string ServerName = "test.example";
    private readonly WebApplication app;

    private ServiceHost(WebApplication app, Uri address)
    {
        this.app = app;
        Address = address;
        Http = new HttpClient(new CheckedAnswers(new SocketsHttpHandler { AllowAutoRedirect = false, RequestHeaderEncodingSelector = (_, _) => Encoding.UTF8 })) { BaseAddress = address };
    }

    public HttpClient Http { get; }
    public Uri Address { get; }
    public IServiceProvider Services => app.Services;
    public TestServer Identity { get; } = TestServer.Named(ServerName);

    public static async Task<ServiceHost> StartAsync(
        string connectionString, Action<IHostApplicationBuilder> add, Action<IEndpointRouteBuilder> map,
        Func<HomeserverConfig, HomeserverConfig>? configure = null, Action<IServiceCollection>? replace = null, string instance = "test-1")
    {
        var config = new HomeserverConfig { ServerName = ServerName, Database = new DatabaseConfig { ConnectionString = connectionString }, RateLimitsEnabled = false };
        var server = TestServer.Named(ServerName);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        if (Environment.GetEnvironmentVariable("ARMADA_TEST_LOG") is not null) builder.Logging.AddConsole();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton(configure?.Invoke(config) ?? config);
        builder.Services.AddSingleton(new InstanceIdentity("test", instance, "test"));
        builder.Services.AddSingleton(new ServerIdentity(ServerName, server.Key, Ed25519.Default));
        builder.Services.AddMatrixStorage(new StorageOptions { ConnectionString = connectionString });
        builder.Services.AddMatrixReplication(new ReplicationOptions { InstanceName = instance });
        builder.Services.AddSingleton<IRequestAuthenticator, UserIdIsToken>();
        add(builder);
        replace?.Invoke(builder.Services);
        var app = builder.Build();
        app.UseMatrix();
        map(app);
        await app.StartAsync();
        return new ServiceHost(app, new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()));
    }

    private sealed class UserIdIsToken : IRequestAuthenticator
    {
        public ValueTask<Requester> AuthenticateAsync(HttpContext context, string token) => UserId.TryParse(token, null, out var user)
            ? ValueTask.FromResult(new Requester(user, "DEVICE", [], false, false, null))
            : throw MatrixError.UnknownToken().AsException();
    }

    /// <summary>Tells the service of what a test wrote to the database, as its writer would have. Returns where each stream is now.</summary>
    public async Task<IReadOnlyDictionary<StreamDefinition, long>> AnnounceAsync()
    {
        var source = Services.GetRequiredService<IStreamSource>();
        var follower = Services.GetRequiredService<IStreamFollower>();
        var publisher = Services.GetRequiredService<IStreamPublisher>();
        var positions = await source.GetPositionsAsync(CancellationToken.None);
        foreach (var (stream, to) in positions)
        {
            var from = follower.Position(stream);
            if (from >= to) continue;
            var page = await source.ReadAsync(stream, from, to, int.MaxValue, CancellationToken.None);
            await publisher.PublishAsync(stream, from, to, page.Rows, CancellationToken.None);
        }
        return positions;
    }

    public Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? user = null, HttpContent? content = null) =>
        SendAsync(new HttpRequestMessage(method, path) { Content = content }, user);

    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, string? user = null)
    {
        if (user is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", user);
        return await Http.SendAsync(request);
    }

    public async Task<(int Status, JsonElement Body)> JsonAsync(HttpMethod method, string path, string? user = null, string? json = null)
    {
        using var response = await SendAsync(method, path, user, json is null ? null : new StringContent(json, Encoding.UTF8, "application/json"));
        return ((int)response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync()).RootElement.Clone());
    }

    /// <summary>The request line to the byte: HttpClient would mend the path.</summary>
    public async Task<(int Status, string Body)> RawAsync(string requestLine, string headers = "")
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, Address.Port);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes($"{requestLine} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"));
        using var reader = new StreamReader(stream, Encoding.UTF8);
        var text = await reader.ReadToEndAsync();
        var (status, body) = (int.Parse(text.Split(' ')[1]), text[(text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
        // The path as it is is what such tests are about; the specification is asked by what it becomes.
        if (requestLine.Split(' ') is [var method, ['/', ..] target, ..] && body.StartsWith('{')) SpecificationCheck.Require(method, new Uri(Address, target), status, "application/json", Encoding.UTF8.GetBytes(body));
        return (status, body);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await app.StopAsync();
        await app.DisposeAsync();
    }
}
