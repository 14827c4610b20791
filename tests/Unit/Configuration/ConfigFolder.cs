using Matrix.ServiceDefaults;
using Matrix.ServiceDefaults.Configuration;

namespace Matrix.Unit.Configuration;

/// <summary>A folder with a signing key, in which a configuration text is read.</summary>
public sealed class ConfigFolder : IDisposable
{
    /// <summary>The shortest configuration without faults.</summary>
    public const string Minimal = """
        server_name: example.org
        signing_key_path: key
        database: { args: { database: synapse, host: db } }

        """;

    public ConfigFolder()
    {
        Path = Directory.CreateTempSubdirectory("armada-config").FullName;
        Write("key", ConfigGenerator.NewSigningKey());
    }

    public string Path { get; }

    public void Write(string file, string text) => File.WriteAllText(System.IO.Path.Combine(Path, file), text);

    public string Read(string file) => File.ReadAllText(System.IO.Path.Combine(Path, file));

    public LoadedConfig Load(string yaml, params (string Key, string Value)[] environment) =>
        HomeserverConfigLoader.LoadText(yaml, Path, environment.ToDictionary(e => e.Key, e => e.Value));

    /// <summary>The minimal configuration with more after it.</summary>
    public HomeserverConfig With(string yaml, params (string Key, string Value)[] environment)
    {
        var loaded = Load(Minimal + yaml, environment);
        Assert.Empty(loaded.Faults);
        return loaded.Config!;
    }

    /// <summary>What is wrong with the minimal configuration with more after it, as the terminal shows it.</summary>
    public string FaultsWith(string yaml, params (string Key, string Value)[] environment)
    {
        var loaded = Load(Minimal + yaml, environment);
        Assert.Null(loaded.Config);
        return ConfigFault.Format(loaded.Faults).Replace(Path, "/etc/armada", StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
