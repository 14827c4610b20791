using System.Net;
using Matrix.ServiceDefaults;
using Matrix.ServiceDefaults.Configuration;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.AppHostTests.Hosting;

/// <summary>A service of nothing but the defaults, on real ports.</summary>
internal sealed class TestService : IAsyncDisposable
{
    private readonly DirectoryInfo _folder;

    private TestService(WebApplication app, DirectoryInfo folder)
    {
        App = app;
        _folder = folder;
        var addresses = app.Services.GetRequiredService<InstanceAddresses>();
        var multiplexed = addresses.Traffic.StartsWith(InstanceAddresses.MultiplexedScheme, StringComparison.Ordinal);
        Traffic = new()
        {
            BaseAddress = new UriBuilder(addresses.Traffic) { Scheme = "http" }.Uri,
            DefaultRequestVersion = multiplexed ? HttpVersion.Version20 : HttpVersion.Version11,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        Internal = new() { BaseAddress = new(addresses.Internal) };
    }

    public WebApplication App { get; }
    public HttpClient Traffic { get; }
    public HttpClient Internal { get; }

    public static async Task<TestService> StartAsync(
        string service = "sync", string yaml = "", Action<WebApplicationBuilder>? with = null, Action<WebApplication>? map = null, params (string Key, string Value)[] environment)
    {
        var folder = Directory.CreateTempSubdirectory("armada-service");
        var file = Path.Combine(folder.FullName, "homeserver.yaml");
        File.WriteAllText(Path.Combine(folder.FullName, "key"), ConfigGenerator.NewSigningKey());
        File.WriteAllText(file, $"server_name: example.org\nsigning_key_path: key\ndatabase: {{ args: {{ database: none }} }}\n{yaml}\n");
        var variables = environment.ToDictionary(e => e.Key, e => e.Value);
        variables["ARMADA_CONFIG"] = file;
        WebApplicationBuilder builder;
        using (ServiceEnvironment.Use(variables))
        {
            builder = ServiceDefaultsExtensions.CreateService(service, []);
        }

        with?.Invoke(builder);
        var app = builder.Build();
        app.MapServiceDefaults();
        map?.Invoke(app);
        await app.StartAsync();
        return new(app, folder);
    }

    public async ValueTask DisposeAsync()
    {
        Traffic.Dispose();
        Internal.Dispose();
        await App.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}
