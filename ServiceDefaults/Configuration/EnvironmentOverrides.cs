namespace Matrix.ServiceDefaults.Configuration;

/// <summary>
/// Lays environment variables over the files: <c>ARMADA__database__args__cp_max=20</c>, <c>ARMADA__listeners__0__port=8448</c>. A name that is
/// written in capitals throughout is lowered, because some tools know no others.
/// </summary>
internal static class EnvironmentOverrides
{
    public const string Prefix = "ARMADA__";

    public static void Apply(ConfigNode root, IReadOnlyDictionary<string, string> environment, List<ConfigFault> faults)
    {
        foreach (var (name, value) in environment.OrderBy(e => e.Key, StringComparer.Ordinal))
        {
            if (!name.StartsWith(Prefix, StringComparison.Ordinal) || name.Length == Prefix.Length)
            {
                continue;
            }

            var segments = name[Prefix.Length..].Split("__");
            for (var i = 0; i < segments.Length; i++)
            {
                if (!segments[i].Any(char.IsLower))
                {
                    segments[i] = segments[i].ToLowerInvariant();
                }
            }

            Place(root, segments, YamlFile.ParseValue(value, name), faults);
        }
    }

    private static void Place(ConfigNode root, string[] segments, ConfigNode value, List<ConfigFault> faults)
    {
        var node = root;
        for (var i = 0; i < segments.Length; i++)
        {
            var isLast = i == segments.Length - 1;
            if (node.Kind == ConfigNodeKind.Sequence)
            {
                if (!int.TryParse(segments[i], out var index) || index < 0 || index > node.Items.Count)
                {
                    faults.Add(new(string.Join('.', segments[..i]), segments[i], $"environment variable {value.Source}",
                        $"is not an index of a list of {node.Items.Count}", "count from 0; one more than the last adds an entry"));
                    return;
                }

                if (index == node.Items.Count)
                {
                    node.Items.Add(ConfigNode.EmptyMapping(value.Source));
                }

                if (isLast)
                {
                    node.Items[index] = value;
                    return;
                }

                node.Items[index] = AsContainer(node.Items[index], value.Source);
                node = node.Items[index];
                continue;
            }

            if (isLast)
            {
                node.Set(segments[i], value);
                return;
            }

            var child = AsContainer(node.Find(segments[i]), value.Source, isList: segments[i + 1] == "0");
            node.Set(segments[i], child);
            node = child;
        }
    }

    private static ConfigNode AsContainer(ConfigNode? node, string source, bool isList = false) =>
        node is { Kind: ConfigNodeKind.Mapping or ConfigNodeKind.Sequence }
            ? node
            : new() { Kind = isList ? ConfigNodeKind.Sequence : ConfigNodeKind.Mapping, Source = source };
}
