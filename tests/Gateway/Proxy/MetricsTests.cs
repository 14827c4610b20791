using System.Diagnostics.Metrics;
using Matrix.Gateway.Proxy;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace Matrix.Gateway.Tests.Proxy;

public sealed class MetricsTests
{
    [Fact]
    public async Task Requests_are_counted_and_timed_by_class_and_service()
    {
        await using var clientApi = await Service.StartAsync("clientapi-1", "clientapi");
        await using var gateway = await TestGateway.StartAsync(options: new() { WaitForInstance = TimeSpan.Zero }, services: [clientApi]);
        var measured = new System.Collections.Concurrent.ConcurrentBag<string>();
        using var listener = new MeterListener();
        var ours = gateway.Services.GetRequiredService<IMeterFactory>();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Name == GatewayMetrics.MeterName && ReferenceEquals(instrument.Meter.Scope, ours)) l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((i, n, tags, _) => measured.Add($"{i.Name} {n} {string.Join(' ', tags.ToArray().Select(t => t.Value))}"));
        listener.SetMeasurementEventCallback<double>((i, n, tags, _) => measured.Add($"{i.Name} {(n is > 0 and < 20 ? "s" : n)} {string.Join(' ', tags.ToArray().Select(t => t.Value))}"));
        listener.Start();

        await gateway.GetTextAsync("/_matrix/client/versions");
        (await gateway.Client.GetAsync("/_matrix/client/v3/sync")).Dispose();

        // The measuring comes after the answer is on its way: the next answer on the same connection follows it.
        await gateway.GetTextAsync("/health");
        listener.RecordObservableInstruments();
        Assert.Contains("armada.gateway.requests 1 client_read clientapi 2xx", measured);
        Assert.Contains("armada.gateway.duration s client_read clientapi", measured);
        Assert.Contains("armada.gateway.requests 1 initial_sync sync 5xx", measured);
        Assert.Contains("armada.gateway.unserved 1 initial_sync sync", measured);
    }
}
