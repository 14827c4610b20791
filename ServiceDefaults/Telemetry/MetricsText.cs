using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Matrix.ServiceDefaults.Telemetry;

/// <summary>Everything that the process measures, in Prometheus' text format. Our own meters are always listened to, the platform's on request.</summary>
internal sealed class MetricsText : IDisposable
{
    private static readonly double[] Bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
    private readonly ConcurrentDictionary<Instrument, ConcurrentDictionary<string, Series>> _instruments = new();
    private readonly MeterListener _listener = new();
    private readonly string _instance;

    public MetricsText(InstanceIdentity identity, HomeserverConfig config)
    {
        _instance = $"service=\"{identity.Service}\",instance=\"{identity.Name}\"";
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            var isOwn = instrument.Meter.Name.StartsWith("Armada", StringComparison.Ordinal);
            // Observed only when somebody reads, so it costs nothing otherwise.
            var isRuntime = instrument.Meter.Name == "System.Runtime" && instrument.IsObservable;
            if (isOwn || isRuntime || config.EnableMetrics)
            {
                _instruments.TryAdd(instrument, new());
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<byte>((i, v, tags, _) => Record(i, v, tags));
        _listener.SetMeasurementEventCallback<short>((i, v, tags, _) => Record(i, v, tags));
        _listener.SetMeasurementEventCallback<int>((i, v, tags, _) => Record(i, v, tags));
        _listener.SetMeasurementEventCallback<long>((i, v, tags, _) => Record(i, v, tags));
        _listener.SetMeasurementEventCallback<float>((i, v, tags, _) => Record(i, v, tags));
        _listener.SetMeasurementEventCallback<double>(Record);
        _listener.SetMeasurementEventCallback<decimal>((i, v, tags, _) => Record(i, (double)v, tags));
        _listener.Start();
    }

    public string Write()
    {
        _listener.RecordObservableInstruments();
        var text = new StringBuilder(16 << 10);
        foreach (var (instrument, all) in _instruments.OrderBy(i => i.Key.Name, StringComparer.Ordinal))
        {
            if (!all.IsEmpty)
            {
                Write(text, instrument, all);
            }
        }

        return text.ToString();
    }

    public void Dispose() => _listener.Dispose();

    private void Write(StringBuilder text, Instrument instrument, ConcurrentDictionary<string, Series> all)
    {
        var isHistogram = IsHistogram(instrument);
        var isCounter = IsCounter(instrument);
        var name = NameOf(instrument, isCounter);
        if (instrument.Description is { Length: > 0 } description)
        {
            text.Append("# HELP ").Append(name).Append(' ').Append(description.ReplaceLineEndings(" ").Replace("\\", "\\\\", StringComparison.Ordinal)).Append('\n');
        }

        text.Append("# TYPE ").Append(name).Append(isHistogram ? " histogram\n" : isCounter ? " counter\n" : " gauge\n");
        foreach (var (tags, series) in all.OrderBy(s => s.Key, StringComparer.Ordinal))
        {
            var labels = tags.Length == 0 ? _instance : $"{_instance},{tags}";
            lock (series)
            {
                if (!isHistogram)
                {
                    text.Append(name).Append('{').Append(labels).Append("} ").Append(Number(series.Value)).Append('\n');
                    continue;
                }

                long below = 0;
                for (var i = 0; i < Bounds.Length; i++)
                {
                    below += series.Buckets![i];
                    text.Append(name).Append("_bucket{").Append(labels).Append(",le=\"").Append(Number(Bounds[i])).Append("\"} ").Append(below).Append('\n');
                }

                text.Append(name).Append("_bucket{").Append(labels).Append(",le=\"+Inf\"} ").Append(series.Count).Append('\n');
                text.Append(name).Append("_sum{").Append(labels).Append("} ").Append(Number(series.Value)).Append('\n');
                text.Append(name).Append("_count{").Append(labels).Append("} ").Append(series.Count).Append('\n');
            }
        }
    }

    private void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags) => Record(instrument, value, tags, null);

    private void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags, object? state)
    {
        if (!_instruments.TryGetValue(instrument, out var all))
        {
            return;
        }

        var series = all.GetOrAdd(LabelsOf(tags), static (_, histogram) => new(histogram), IsHistogram(instrument));
        lock (series)
        {
            if (series.Buckets is { } buckets)
            {
                series.Count++;
                series.Value += value;
                var bound = Array.BinarySearch(Bounds, value);
                bound = bound < 0 ? ~bound : bound;
                if (bound < buckets.Length)
                {
                    buckets[bound]++;
                }
            }
            else
            {
                // Observable instruments report totals, the others changes.
                series.Value = instrument.IsObservable || IsGauge(instrument) ? value : series.Value + value;
            }
        }
    }

    private static string LabelsOf(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (tags.IsEmpty)
        {
            return "";
        }

        var text = new StringBuilder();
        foreach (var (key, value) in tags)
        {
            if (text.Length > 0)
            {
                text.Append(',');
            }

            AppendName(text, key);
            text.Append("=\"");
            foreach (var c in Convert.ToString(value, CultureInfo.InvariantCulture) ?? "")
            {
                _ = c switch
                {
                    '"' => text.Append("\\\""),
                    '\\' => text.Append("\\\\"),
                    '\n' => text.Append("\\n"),
                    _ => text.Append(c),
                };
            }

            text.Append('"');
        }

        return text.ToString();
    }

    private static string NameOf(Instrument instrument, bool isCounter)
    {
        var text = new StringBuilder();
        AppendName(text, instrument.Name);
        var unit = instrument.Unit switch
        {
            "s" => "_seconds",
            "ms" => "_milliseconds",
            "By" => "_bytes",
            _ => "",
        };
        if (!text.ToString().EndsWith(unit, StringComparison.Ordinal))
        {
            text.Append(unit);
        }

        if (isCounter && !text.ToString().EndsWith("_total", StringComparison.Ordinal))
        {
            text.Append("_total");
        }

        return text.ToString();
    }

    private static void AppendName(StringBuilder text, string name)
    {
        foreach (var c in name)
        {
            text.Append(char.IsAsciiLetterOrDigit(c) ? c : '_');
        }
    }

    private static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static bool IsHistogram(Instrument instrument) => KindOf(instrument) == typeof(Histogram<>);

    private static bool IsCounter(Instrument instrument) => KindOf(instrument) is { } kind && (kind == typeof(Counter<>) || kind == typeof(ObservableCounter<>));

    private static bool IsGauge(Instrument instrument) => KindOf(instrument) == typeof(Gauge<>);

    private static Type? KindOf(Instrument instrument)
    {
        for (var type = instrument.GetType(); type is not null; type = type.BaseType)
        {
            if (type.IsGenericType)
            {
                return type.GetGenericTypeDefinition();
            }
        }

        return null;
    }

    private sealed class Series(bool isHistogram)
    {
        public readonly long[]? Buckets = isHistogram ? new long[Bounds.Length] : null;
        public double Value;
        public long Count;
    }
}
