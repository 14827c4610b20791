using System.Buffers.Binary;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Aspire.Hosting.Running;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Aspire.Hosting.Dashboard;

/// <summary>The service that the dashboard asks for resources: gRPC over clear-text HTTP/2, framed by hand.</summary>
internal sealed class ResourceServiceHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly Orchestrator _orchestrator;
    private readonly string _title;
    private readonly byte[] _key;

    private ResourceServiceHost(WebApplication app, Orchestrator orchestrator, string title, string key)
    {
        _app = app;
        _orchestrator = orchestrator;
        _title = title;
        _key = Encoding.UTF8.GetBytes(key);
    }

    public static async Task<ResourceServiceHost> StartAsync(DashboardSetup setup, Orchestrator orchestrator, string title)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, setup.ResourceServicePort, listen => listen.Protocols = HttpProtocols.Http2);
        });
        var app = builder.Build();
        var host = new ResourceServiceHost(app, orchestrator, title, setup.ResourceServiceKey);
        app.Run(host.HandleAsync);
        await app.StartAsync(CancellationToken.None);
        return host;
    }

    public async ValueTask DisposeAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await _app.StopAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _app.DisposeAsync();
    }

    private async Task HandleAsync(HttpContext context)
    {
        var response = context.Response;
        response.ContentType = "application/grpc";
        var given = Encoding.UTF8.GetBytes(context.Request.Headers["x-resource-service-api-key"].ToString());
        if (!CryptographicOperations.FixedTimeEquals(given, _key))
        {
            Finish(response, 16, "wrong key");
            return;
        }

        try
        {
            var method = context.Request.Path.Value!.Split('/')[^1];
            var request = method == "WatchInteractions" ? [] : await ReadAsync(context.Request.Body, context.RequestAborted);
            switch (method)
            {
                case "GetApplicationInformation":
                    await WriteAsync(response, m => ResourceMessages.ApplicationInformation(m, _title));
                    break;
                case "WatchResources":
                    await WatchResourcesAsync(response, context.RequestAborted);
                    break;
                case "WatchResourceConsoleLogs":
                    await WatchLogsAsync(request, response, context.RequestAborted);
                    break;
                case "ExecuteResourceCommand":
                    var fault = Execute(request);
                    await WriteAsync(response, m => ResourceMessages.CommandResult(m, fault));
                    break;
                case "WatchInteractions":
                    // Never asks anything; the call stays open for as long as the dashboard likes.
                    await response.Body.FlushAsync(context.RequestAborted);
                    await Task.Delay(Timeout.Infinite, context.RequestAborted);
                    break;
                default:
                    Finish(response, 12, $"{method} is not offered");
                    return;
            }

            Finish(response, 0, null);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException)
        {
            // The dashboard has left.
            context.Abort();
        }
    }

    private async Task WatchResourcesAsync(HttpResponse response, CancellationToken ct)
    {
        var version = _orchestrator.Changes.Version;
        var known = _orchestrator.Resources.Select(r => r.View).ToArray();
        await WriteAsync(response, m => ResourceMessages.Initial(m, known));
        while (true)
        {
            await _orchestrator.Changes.WaitAsync(version, ct);
            version = _orchestrator.Changes.Version;
            var now = _orchestrator.Resources.Select(r => r.View).ToArray();
            var changed = now.Where((view, i) => !ReferenceEquals(view, known[i])).ToArray();
            known = now;
            if (changed.Length > 0)
            {
                await WriteAsync(response, m => ResourceMessages.Upserts(m, changed));
            }
        }
    }

    private async Task WatchLogsAsync(byte[] request, HttpResponse response, CancellationToken ct)
    {
        var (name, noFollow) = ReadLogsRequest(request);
        if (Find(name) is not { } resource)
        {
            return;
        }

        var last = 0;
        while (true)
        {
            var version = resource.Log.Changes.Version;
            var lines = resource.Log.After(last);
            if (lines.Count > 0)
            {
                last = lines[^1].Number;
                await WriteAsync(response, m => ResourceMessages.LogLines(m, lines));
            }
            else
            {
                await response.Body.FlushAsync(ct);
            }

            if (noFollow)
            {
                return;
            }

            await resource.Log.Changes.WaitAsync(version, ct);
        }
    }

    private string? Execute(byte[] request)
    {
        var (command, name) = ReadCommandRequest(request);
        if (Find(name) is not { } resource)
        {
            return $"There is no resource {name}.";
        }

        ResourceCommand? wanted = command switch
        {
            ResourceMessages.Start => ResourceCommand.Start,
            ResourceMessages.Stop => ResourceCommand.Stop,
            ResourceMessages.Restart => ResourceCommand.Restart,
            _ => null,
        };
        return wanted is { } w && resource.TryCommand(w) ? null : $"{name} cannot do {command} now.";
    }

    private ManagedResource? Find(string name) => _orchestrator.Resources.FirstOrDefault(r => r.View.Id == name);

    private static (string Name, bool NoFollow) ReadLogsRequest(byte[] request)
    {
        var (name, noFollow) = ("", false);
        var reader = new ProtoReader(request);
        while (reader.Read())
        {
            switch (reader.Field)
            {
                case 1: name = reader.Text; break;
                case 2: noFollow = reader.Number != 0; break;
                default: break;
            }
        }

        return (name, noFollow);
    }

    private static (string Command, string Name) ReadCommandRequest(byte[] request)
    {
        var (command, name) = ("", "");
        var reader = new ProtoReader(request);
        while (reader.Read())
        {
            switch (reader.Field)
            {
                case 1: command = reader.Text; break;
                case 2: name = reader.Text; break;
                default: break;
            }
        }

        return (command, name);
    }

    /// <summary>A gRPC message is a compression flag, a length of four bytes, and the bytes.</summary>
    private static async Task<byte[]> ReadAsync(Stream body, CancellationToken ct)
    {
        var head = new byte[5];
        await body.ReadExactlyAsync(head, ct);
        var message = new byte[BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(1))];
        await body.ReadExactlyAsync(message, ct);
        return message;
    }

    private static async Task WriteAsync(HttpResponse response, Action<ProtoWriter> write)
    {
        var message = new ProtoWriter();
        write(message);
        var head = new byte[5];
        BinaryPrimitives.WriteUInt32BigEndian(head.AsSpan(1), (uint)message.Written.Length);
        var ct = response.HttpContext.RequestAborted;
        await response.Body.WriteAsync(head, ct);
        await response.Body.WriteAsync(message.Written, ct);
        await response.Body.FlushAsync(ct);
    }

    private static void Finish(HttpResponse response, int status, string? message)
    {
        response.AppendTrailer("grpc-status", status.ToString(System.Globalization.CultureInfo.InvariantCulture));
        if (message is not null)
        {
            response.AppendTrailer("grpc-message", Uri.EscapeDataString(message));
        }
    }
}
