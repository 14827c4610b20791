namespace Matrix.ServiceDefaults.Configuration;

/// <summary>What reading the configuration gave.</summary>
/// <param name="Config">Null when there are faults.</param>
/// <param name="Warnings">Sentences for the log: keys that nobody knows, keys written twice, risky settings.</param>
public sealed record LoadedConfig(HomeserverConfig? Config, IReadOnlyList<ConfigFault> Faults, IReadOnlyList<string> Warnings)
{
    /// <summary>The database is named in a file or in the environment; otherwise a local run brings its own.</summary>
    public bool NamesDatabase { get; init; }
    /// <summary>Same for Redis.</summary>
    public bool NamesRedis { get; init; }
}
