using Matrix.Gateway.Fleet;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Matrix.Gateway.Tests.Proxy;

/// <summary>The real gateway on a port of its own, with a directory that the test writes.</summary>
internal sealed class TestGateway : IAsyncDisposable
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(60);
    private readonly WebApplication app;

    private readonly string folder;

    private TestGateway(WebApplication app, FakeDirectory directory, string folder)
    {
        (this.app, Directory, this.folder) = (app, directory, folder);
        var addresses = app.Services.GetRequiredService<InstanceAddresses>();
        (Address, InternalAddress) = (new(addresses.Traffic), new(addresses.Internal));
        Client = new(new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false }) { BaseAddress = Address, Timeout = Guard };
    }

    public FakeDirectory Directory { get; }
    public Uri Address { get; }
    public Uri InternalAddress { get; }
    public HttpClient Client { get; }
    public FleetState Fleet => app.Services.GetRequiredService<FleetState>();
    public IServiceProvider Services => app.Services;

    public const string SigningKey = "ed25519 a_test AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";

    /// <param name="yaml">Further keys of homeserver.yaml.</param>
    /// <param name="listener">Further keys of the listener.</param>
    public static async Task<TestGateway> StartAsync(string yaml = "", string listener = "", GatewayOptions? options = null, params Service[] services)
    {
        var folder = System.IO.Directory.CreateTempSubdirectory("armada-gateway-").FullName;
        var file = Path.Combine(folder, "homeserver.yaml");
        await File.WriteAllTextAsync(Path.Combine(folder, "example.org.signing.key"), SigningKey);
        await File.WriteAllTextAsync(file, $$"""
            server_name: example.org
            listeners:
              - { port: 0, type: http, bind_addresses: ['127.0.0.1'], resources: [{ names: [client, federation] }] {{(listener.Length > 0 ? "," : "")}} {{listener}} }
            database: { name: psycopg2, args: { host: localhost, database: unused } }
            max_upload_size: 2M
            worker_replication_secret: unused
            registration_shared_secret: unused
            macaroon_secret_key: unused
            {{yaml}}

            """);
        WebApplicationBuilder builder;
        using (ServiceEnvironment.Use(new Dictionary<string, string> { ["ARMADA_CONFIG"] = file })) builder = ServiceDefaultsExtensions.CreateService("gateway", []);
        builder.Logging.ClearProviders();
        var directory = new FakeDirectory();
        builder.Services.AddSingleton<IInstanceDirectory>(directory);
        if (options is not null) builder.Services.AddSingleton(options);
        builder.AddGateway(builder.Registered<HomeserverConfig>());
        var app = builder.Build();
        app.UseGateway().MapServiceDefaults();
        await app.StartAsync();
        var gateway = new TestGateway(app, directory, folder);
        if (services.Length > 0) await gateway.SetAsync(services);
        return gateway;
    }

    /// <summary>Puts the services in the directory and waits until all of them are found well.</summary>
    public async Task SetAsync(params Service[] services)
    {
        Directory.Set([.. services.Select(s => s.Instance)]);
        await UntilAsync(() => Fleet.Backends.Count == services.Length && Fleet.Backends.All(b => b.Health == BackendHealth.Up));
    }

    /// <summary>Waits for a change of the fleet that makes the condition true.</summary>
    public async Task UntilAsync(Func<bool> condition)
    {
        while (true)
        {
            var snapshot = Fleet.Current;
            if (condition()) return;
            await snapshot.Changed.WaitAsync(Guard);
        }
    }

    public async Task<string> GetTextAsync(string path, string? token = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (token is not null) request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        using var response = await Client.SendAsync(request);
        Assert.Equal(200, (int)response.StatusCode);
        return await response.Content.ReadAsStringAsync();
    }

    public static string TokenOf(string user) =>
        $"syt_{System.Buffers.Text.Base64Url.EncodeToString(System.Text.Encoding.UTF8.GetBytes(user))}_ABCDEFGHIJKLMNOPQRST_0abcde";

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await app.StopAsync(now.Token);
        await app.DisposeAsync();
        System.IO.Directory.Delete(folder, recursive: true);
    }
}
