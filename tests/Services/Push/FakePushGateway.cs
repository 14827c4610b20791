using System.Text.Json;
using System.Threading.Channels;
using Matrix.Testing.Specification;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Matrix.ServiceTests.Push;

/// <summary>A push gateway that keeps what it gets, and answers as it is told.</summary>
public sealed class FakePushGateway : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly Channel<JsonElement> received = Channel.CreateUnbounded<JsonElement>();

    private readonly SentRequests sent = new();

    private FakePushGateway(WebApplication app) => this.app = app;

    public string Url { get; private set; } = "";
    /// <summary>Status of the next answers, one each; 200 when there are none left.</summary>
    public Queue<int> Statuses { get; } = new();
    public List<string> Rejected { get; } = [];
    public int Count { get; private set; }

    public static async Task<FakePushGateway> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var gateway = new FakePushGateway(app);
        gateway.sent.Watch(app);
        app.MapPost("/_matrix/push/v1/notify", gateway.NotifyAsync);
        await app.StartAsync();
        gateway.Url = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First() + "/_matrix/push/v1/notify";
        return gateway;
    }

    private async Task NotifyAsync(HttpContext context)
    {
        using var document = await JsonDocument.ParseAsync(context.Request.Body);
        int status;
        lock (Statuses)
        {
            Count++;
            status = Statuses.TryDequeue(out var s) ? s : 200;
        }
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(JsonSerializer.Serialize(new { rejected = Rejected }));
        await received.Writer.WriteAsync(document.RootElement.GetProperty("notification").Clone());
    }

    /// <summary>The next notification.</summary>
    public async Task<JsonElement> NextAsync() => await received.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(20));

    /// <summary>The next one about an event; counts alone are passed over.</summary>
    public async Task<JsonElement> NextEventAsync()
    {
        while (true)
        {
            var next = await NextAsync();
            if (next.TryGetProperty("event_id", out _)) return next;
        }
    }

    public bool HasMore => received.Reader.TryPeek(out _);

    public async ValueTask DisposeAsync()
    {
        await app.DisposeAsync();
        sent.Dispose();
    }
}
