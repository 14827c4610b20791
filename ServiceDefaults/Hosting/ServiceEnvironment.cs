using System.Collections;

namespace Matrix.ServiceDefaults;

/// <summary>The environment variables of this process. A test that starts services in its own process lays others over them for its flow of calls.</summary>
public static class ServiceEnvironment
{
    private static readonly AsyncLocal<IReadOnlyDictionary<string, string>?> Overlay = new();

    /// <summary>Environment variables, with those of <see cref="Use"/> over them.</summary>
    public static IReadOnlyDictionary<string, string> Current
    {
        get
        {
            var all = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables())
            {
                all[(string)entry.Key] = (string?)entry.Value ?? "";
            }

            foreach (var (key, value) in Overlay.Value ?? new Dictionary<string, string>())
            {
                all[key] = value;
            }

            return all;
        }
    }

    /// <summary>Until the result is disposed, services created by this flow of calls see these variables.</summary>
    public static IDisposable Use(IReadOnlyDictionary<string, string> variables)
    {
        var before = Overlay.Value;
        Overlay.Value = variables;
        return new Restore(before);
    }

    private sealed class Restore(IReadOnlyDictionary<string, string>? before) : IDisposable
    {
        public void Dispose() => Overlay.Value = before;
    }
}
