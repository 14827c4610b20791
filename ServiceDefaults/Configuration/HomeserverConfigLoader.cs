namespace Matrix.ServiceDefaults.Configuration;

/// <summary>
/// Reads <c>homeserver.yaml</c>: files, then environment variables over them, then every value checked. Nothing is thrown for a wrong
/// configuration; all faults come back together.
/// </summary>
public static class HomeserverConfigLoader
{
    /// <summary>Reads the files that <c>ARMADA_CONFIG</c> names (separated by colons; a folder means its *.yaml files in order of name).</summary>
    public static LoadedConfig Load(IReadOnlyDictionary<string, string> environment)
    {
        if (!environment.TryGetValue("ARMADA_CONFIG", out var paths) || paths.Length == 0)
        {
            return new(null, [new("", null, null, "is not named: the environment variable ARMADA_CONFIG is empty",
                "ARMADA_CONFIG=/path/to/homeserver.yaml   (./run makes a configuration for a local run and sets this)")], []);
        }

        return LoadFiles(paths.Split(':', StringSplitOptions.RemoveEmptyEntries), environment);
    }

    /// <summary>Later files replace whole top-level keys of earlier ones, as Synapse does with several <c>--config-path</c>.</summary>
    public static LoadedConfig LoadFiles(IReadOnlyList<string> paths, IReadOnlyDictionary<string, string> environment)
    {
        var faults = new List<ConfigFault>();
        var warnings = new List<string>();
        var root = ConfigNode.EmptyMapping("configuration");
        foreach (var path in paths)
        {
            foreach (var file in FilesOf(path, faults))
            {
                if (ReadText(file, faults) is { } text && YamlFile.Parse(text, file, faults, warnings) is { } document)
                {
                    document.Members.ForEach(m => root.Set(m.Key, m.Value));
                }
            }
        }

        if (faults.Count > 0)
        {
            // A file that cannot be read makes every key look missing.
            return new(null, faults, warnings);
        }

        return Read(root, FolderOf(paths), environment, faults, warnings);
    }

    /// <summary>Reads a text, for tests and for whoever checks a configuration before writing it.</summary>
    /// <param name="folder">Relative paths in the text are relative to it.</param>
    public static LoadedConfig LoadText(string yaml, string folder, IReadOnlyDictionary<string, string> environment)
    {
        var faults = new List<ConfigFault>();
        var warnings = new List<string>();
        return YamlFile.Parse(yaml, "homeserver.yaml", faults, warnings) is { } root
            ? Read(root, folder, environment, faults, warnings)
            : new(null, faults, warnings);
    }

    private static LoadedConfig Read(
        ConfigNode root, string folder, IReadOnlyDictionary<string, string> environment, List<ConfigFault> faults, List<string> warnings)
    {
        EnvironmentOverrides.Apply(root, environment, faults);
        var reader = new HomeserverConfigReader(new ConfigSection("", root, faults), folder, environment, warnings);
        var config = reader.Read();
        var ignored = new List<string>();
        UnreadKeys.Collect(root, ignored, warnings);
        return new(faults.Count == 0 ? config with { IgnoredKeys = ignored } : null, faults, warnings)
        {
            NamesDatabase = reader.NamesDatabase,
            NamesRedis = reader.NamesRedis,
        };
    }

    /// <summary>Of the first file: what its relative paths are relative to.</summary>
    private static string FolderOf(IReadOnlyList<string> paths)
    {
        if (paths.Count == 0)
        {
            return Environment.CurrentDirectory;
        }

        var first = Path.GetFullPath(paths[0]);
        return Directory.Exists(first) ? first : Path.GetDirectoryName(first) ?? "/";
    }

    private static IEnumerable<string> FilesOf(string path, List<ConfigFault> faults)
    {
        if (!Directory.Exists(path))
        {
            return [path];
        }

        var files = Directory.GetFiles(path, "*.yaml");
        Array.Sort(files, StringComparer.Ordinal);
        if (files.Length == 0)
        {
            faults.Add(new("", path, null, "is a folder without any .yaml file", "name the file, or put homeserver.yaml there"));
        }

        return files;
    }

    private static string? ReadText(string file, List<ConfigFault> faults)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var missing = e is FileNotFoundException or DirectoryNotFoundException;
            faults.Add(new("", file, null, missing ? "does not exist" : $"cannot be read: {e.Message}",
                missing ? "check the path after --config or in ARMADA_CONFIG" : "make the file readable for the user that runs the server"));
            return null;
        }
    }
}
