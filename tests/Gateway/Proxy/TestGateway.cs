using Matrix.Gateway.Fleet;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Matrix.Gateway.Tests.Proxy;

/// <summary>The real gateway on a port of its own, with a directory that the test writes.</summary>
internal sealed class TestGateway : IAsyncDisposable
{
    private static readonly TimeSpan Guard = TimeSpan.FromSeconds(20);
    private readonly WebApplication app;

    private TestGateway(WebApplication app, FakeDirectory directory)
    {
        (this.app, Directory) = (app, directory);
        Address = new(app.Urls.First().Replace("[::]", "127.0.0.1", StringComparison.Ordinal));
        Client = new(new SocketsHttpHandler { UseProxy = false, UseCookies = false, AllowAutoRedirect = false }) { BaseAddress = Address, Timeout = Guard };
    }

    public FakeDirectory Directory { get; }
    public Uri Address { get; }
    public HttpClient Client { get; }
    public FleetState Fleet => app.Services.GetRequiredService<FleetState>();
    public IServiceProvider Services => app.Services;

    public static HomeserverConfig Config { get; } = new()
    {
        ServerName = "example.org",
        Database = new() { ConnectionString = "" },
        MaxUploadSize = 2 * 1024 * 1024,
        Listener = new() { Port = 0, BindAddresses = ["127.0.0.1"] },
    };

    public static async Task<TestGateway> StartAsync(HomeserverConfig? config = null, GatewayOptions? options = null, params Service[] services)
    {
        config ??= Config;
        var directory = new FakeDirectory();
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore();
        if (config.Listener.TlsCertificatePath is not null) builder.WebHost.UseKestrelHttpsConfiguration();
        builder.Services.AddSingleton<IInstanceDirectory>(directory);
        if (options is not null) builder.Services.AddSingleton(options);
        builder.AddGateway(config);
        var app = builder.Build();
        app.UseGateway(config);
        await app.StartAsync();
        var gateway = new TestGateway(app, directory);
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
    }
}
