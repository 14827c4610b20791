using System.Collections.Concurrent;
using System.Net;
using Matrix.Replication;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Matrix.Gateway.Tests.Proxy;

internal sealed record Received(string Method, string Target, string Body, IHeaderDictionary Headers);

/// <summary>An instance behind the gateway: a real server that notes what it gets and answers with its name.</summary>
internal sealed class Service : IAsyncDisposable
{
    private static long starts;
    private readonly WebApplication app;

    private Service(WebApplication app, string name, string service, string group, bool multiplexed)
    {
        this.app = app;
        var (traffic, inside) = (app.Urls.First(), app.Urls.Last());
        if (multiplexed) traffic = traffic.Replace("http:", "h2c:", StringComparison.Ordinal);
        Instance = new(name, service, group, traffic, inside, Interlocked.Increment(ref starts));
    }

    public ServiceInstance Instance { get; }
    public ConcurrentQueue<Received> Requests { get; } = [];

    /// <param name="answer">After the request was read; null: 200 with the instance's name.</param>
    /// <param name="multiplexed">HTTP/2 alone, as Sync; the checks have a listener of their own.</param>
    public static async Task<Service> StartAsync(
        string name, string service, string? group = null, Func<HttpContext, Task>? answer = null, int port = 0, bool multiplexed = false)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(IPAddress.Loopback, port, o => o.Protocols = multiplexed ? HttpProtocols.Http2 : HttpProtocols.Http1);
            if (multiplexed) kestrel.Listen(IPAddress.Loopback, 0, o => o.Protocols = HttpProtocols.Http1);
        });
        var app = builder.Build();
        Service? self = null;
        app.Run(async context =>
        {
            if (context.Request.Path == "/_internal/health/ready") return;
            using var body = new StreamReader(context.Request.Body);
            var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
            self!.Requests.Enqueue(new(context.Request.Method, target, await body.ReadToEndAsync(), new HeaderDictionary(context.Request.Headers.ToDictionary())));
            if (answer is not null) await answer(context);
            else await context.Response.WriteAsync(name);
        });
        await app.StartAsync();
        return self = new(app, name, service, group ?? service, multiplexed);
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await app.StopAsync(now.Token);
        await app.DisposeAsync();
    }
}
