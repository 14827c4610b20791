using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Matrix.Gateway.Tests.Proxy;

public sealed class AccessLogTests
{
    private sealed class Lines : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<string> Of { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
        public bool IsEnabled(LogLevel logLevel) => true;
        public void Dispose() { }
        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Of.Enqueue(formatter(state, exception));
    }

    private static async Task<string[]> LinesAsync(int every, int requests)
    {
        var lines = new Lines();
        await using var clientApi = await Service.StartAsync("clientapi-1", "clientapi");
        await using var gateway = await TestGateway.StartAsync(options: new() { AccessLogEvery = every }, services: [clientApi]);
        gateway.Services.GetRequiredService<ILoggerFactory>().AddProvider(lines);
        for (var i = 0; i < requests; i++) await gateway.GetTextAsync("/_matrix/client/versions?access_token=secret");
        await gateway.GetTextAsync("/health");      // on the same connection: the requests before it are over
        return [.. lines.Of.Where(l => l.Contains("/_matrix/client/versions", StringComparison.Ordinal) && !l.Contains("HTTP/1.1", StringComparison.Ordinal))];
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 4)]
    [InlineData(2, 2)]
    public async Task Every_nth_request_is_written_without_its_query(int every, int expected)
    {
        var lines = await LinesAsync(every, 4);
        Assert.Equal(expected, lines.Length);
        Assert.All(lines, l => Assert.Matches(@"^127\.0\.0\.1 GET /_matrix/client/versions 200 client_read clientapi [0-9.]+ ms$", l));
    }
}
