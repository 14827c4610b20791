using System.Text.RegularExpressions;

namespace Matrix.ServiceDefaults.Configuration;

/// <summary>Finds what nobody asked for: keys of Synapse without effect here, and keys that nobody knows.</summary>
internal static partial class UnreadKeys
{
    /// <summary>Our own section; its keys are not in Synapse's list.</summary>
    private static readonly string[] Own =
    [
        "armada", "armada.cache_size", "armada.oauth", "armada.outbound_verify_certificates", "armada.password_hash_iterations", "armada.rate_limits_enabled", "armada.room_affinity", "armada.routes", "armada.trace_sampling",
        "armada.well_known_support",
    ];

    public static void Collect(ConfigNode root, List<string> ignored, List<string> warnings) => Visit(root, "", ignored, warnings);

    private static void Visit(ConfigNode node, string path, List<string> ignored, List<string> warnings)
    {
        foreach (var (key, value) in node.Members)
        {
            var full = path.Length == 0 ? key : $"{path}.{key}";
            if (value.WasRead)
            {
                Visit(value, full, ignored, warnings);
                continue;
            }

            var pattern = Index().Replace(full, "[]");
            if (SynapseKeys.IsKnown(pattern))
            {
                if (!ignored.Contains(pattern))
                {
                    ignored.Add(pattern);
                }

                continue;
            }

            var where = value.Line > 0 ? $"{value.Source}, line {value.Line}" : value.Source;
            var nearest = SynapseKeys.Nearest(pattern, Own);
            warnings.Add(nearest is null
                ? $"{full} ({where}) is no known key and has no effect"
                : $"{full} ({where}) is no known key and has no effect; did you mean {nearest}?");
        }

        for (var i = 0; i < node.Items.Count; i++)
        {
            Visit(node.Items[i], $"{path}[{i}]", ignored, warnings);
        }
    }

    [GeneratedRegex(@"\[\d+\]")]
    private static partial Regex Index();
}
