namespace Matrix.ServiceDefaults.Configuration;

/// <summary>Which keys Synapse knows (synapse-keys.txt), for telling "has no effect here" from "is misspelt".</summary>
internal static class SynapseKeys
{
    private static readonly Lazy<HashSet<string>> Known = new(Load);

    /// <param name="pattern">Full key with list indexes written as <c>[]</c>.</param>
    public static bool IsKnown(string pattern)
    {
        var known = Known.Value;
        if (known.Contains(pattern))
        {
            return true;
        }

        // instance_map.*.port and the like: any name below a section that has free names.
        var dot = pattern.LastIndexOf('.');
        return dot > 0 && known.Contains(pattern[..dot] + ".*");
    }

    /// <summary>The known key of the same section that <paramref name="pattern"/> was probably meant to be; null when nothing is near.</summary>
    public static string? Nearest(string pattern, IEnumerable<string> own)
    {
        var dot = pattern.LastIndexOf('.');
        var section = dot < 0 ? "" : pattern[..(dot + 1)];
        var name = pattern[section.Length..];
        var best = (Distance: Math.Max(2, name.Length / 3) + 1, Name: (string?)null);
        foreach (var candidate in Known.Value.Concat(own).Order(StringComparer.Ordinal))
        {
            if (candidate.StartsWith(section, StringComparison.Ordinal) && candidate.IndexOfAny(['.', '[', '*'], section.Length) < 0)
            {
                var distance = Distance(name, candidate[section.Length..]);
                if (distance < best.Distance)
                {
                    best = (distance, candidate);
                }
            }
        }

        return best.Name;
    }

    public static bool IsSecret(string key)
    {
        var name = key[(key.LastIndexOf('.') + 1)..];
        return !name.EndsWith("_path", StringComparison.Ordinal)
            && (name.Contains("password", StringComparison.Ordinal) || name.Contains("secret", StringComparison.Ordinal)
                || name.Contains("pass", StringComparison.Ordinal) || name is "pepper" or "private_key" or "key");
    }

    /// <summary>Edits (insert, remove, replace, swap of neighbours) from one word to the other.</summary>
    internal static int Distance(string a, string b)
    {
        var d = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
        {
            d[i, 0] = i;
        }

        for (var j = 0; j <= b.Length; j++)
        {
            d[0, j] = j;
        }

        for (var i = 1; i <= a.Length; i++)
        {
            for (var j = 1; j <= b.Length; j++)
            {
                var replace = d[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                d[i, j] = Math.Min(replace, Math.Min(d[i - 1, j], d[i, j - 1]) + 1);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
                }
            }
        }

        return d[a.Length, b.Length];
    }

    private static HashSet<string> Load()
    {
        using var stream = typeof(SynapseKeys).Assembly.GetManifestResourceStream("synapse-keys.txt")!;
        using var reader = new StreamReader(stream);
        var keys = new HashSet<string>(StringComparer.Ordinal);
        while (reader.ReadLine() is { } line)
        {
            if (line.Length > 0 && line[0] != '#')
            {
                keys.Add(line);
            }
        }

        return keys;
    }
}
