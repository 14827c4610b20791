using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Microsoft.Extensions.Logging;

namespace Matrix.ServiceTests.Secrets;

/// <summary>Everything that would leave a process as log or trace, at the finest level.</summary>
internal sealed class RecordedTelemetry : ILoggerProvider
{
    private readonly ConcurrentQueue<string> lines = new();
    private readonly ActivityListener listener;

    public RecordedTelemetry()
    {
        // As ServiceDefaults has it wherever traces are exported.
        AppContext.SetSwitch("Microsoft.AspNetCore.Hosting.SuppressActivityOpenTelemetryData", false);
        listener = new ActivityListener
        {
            ShouldListenTo = _ => true,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = Record,
        };
        ActivitySource.AddActivityListener(listener);
    }

    public IReadOnlyCollection<string> All => lines;

    private void Record(Activity activity)
    {
        var text = new StringBuilder($"span {activity.Source.Name} {activity.OperationName} {activity.DisplayName} {activity.StatusDescription}");
        foreach (var (name, value) in activity.TagObjects) text.Append(' ').Append(name).Append('=').Append(value);
        foreach (var (name, value) in activity.Baggage) text.Append(' ').Append(name).Append('=').Append(value);
        foreach (var e in activity.Events)
        {
            text.Append(' ').Append(e.Name);
            foreach (var (name, value) in e.Tags) text.Append(' ').Append(name).Append('=').Append(value);
        }
        lines.Enqueue(text.ToString());
    }

    public ILogger CreateLogger(string categoryName) => new Lines(lines, categoryName);
    public void Dispose() => listener.Dispose();

    private sealed class Lines(ConcurrentQueue<string> lines, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull
        {
            lines.Enqueue($"scope {category} {Fields(state)}");
            return null;
        }

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue($"log {category} {formatter(state, exception)} {Fields(state)} {exception}");

        private static string Fields<TState>(TState state) =>
            state is IEnumerable<KeyValuePair<string, object?>> fields ? string.Join(' ', fields.Select(f => $"{f.Key}={f.Value}")) : state?.ToString() ?? "";
    }
}
