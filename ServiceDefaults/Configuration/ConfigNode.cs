namespace Matrix.ServiceDefaults.Configuration;

internal enum ConfigNodeKind
{
    Null,
    Scalar,
    Sequence,
    Mapping,
}

/// <summary>A piece of the configuration and where it came from. Mutable only while files and environment are laid over each other.</summary>
internal sealed class ConfigNode
{
    public required ConfigNodeKind Kind { get; init; }
    /// <summary>Text of a scalar, as written.</summary>
    public string? Text { get; init; }
    /// <summary>A quoted scalar is always text; a plain one may be a number, a boolean or null.</summary>
    public bool IsQuoted { get; init; }
    /// <summary>Line in the file, from 1; 0 for an environment variable.</summary>
    public int Line { get; init; }
    /// <summary>File name or name of the environment variable.</summary>
    public required string Source { get; init; }
    public List<ConfigNode> Items { get; } = [];
    /// <summary>In the order of the file: faults are reported in that order.</summary>
    public List<KeyValuePair<string, ConfigNode>> Members { get; } = [];
    /// <summary>Somebody asked for this value. What nobody asked for is reported.</summary>
    public bool WasRead { get; set; }

    public ConfigNode? Find(string key)
    {
        foreach (var member in Members)
        {
            if (member.Key == key)
            {
                return member.Value;
            }
        }

        return null;
    }

    public void Set(string key, ConfigNode value)
    {
        for (var i = 0; i < Members.Count; i++)
        {
            if (Members[i].Key == key)
            {
                Members[i] = new(key, value);
                return;
            }
        }

        Members.Add(new(key, value));
    }

    public static ConfigNode EmptyMapping(string source) => new() { Kind = ConfigNodeKind.Mapping, Source = source };

    public static ConfigNode FromText(string text, string source) =>
        new() { Kind = ConfigNodeKind.Scalar, Text = text, Source = source };
}
