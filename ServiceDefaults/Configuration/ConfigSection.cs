using System.Globalization;

namespace Matrix.ServiceDefaults.Configuration;

/// <summary>
/// A mapping of the configuration, read key by key. A value that does not fit is noted as a fault and the default is given back, so that one
/// run finds all faults. A missing section reads as an empty one.
/// </summary>
internal sealed class ConfigSection(string path, ConfigNode? node, List<ConfigFault> faults)
{
    public string Path => path;

    public bool Exists => node is not null;

    public string KeyOf(string key) => path.Length == 0 ? key : $"{path}.{key}";

    public bool Has(string key) => node?.Find(key) is { Kind: not ConfigNodeKind.Null };

    public IEnumerable<string> Keys => node?.Members.Select(m => m.Key) ?? [];

    /// <summary>The value, marked as read; null when missing or null.</summary>
    public ConfigNode? Take(string key)
    {
        if (node?.Find(key) is not { } value)
        {
            return null;
        }

        value.WasRead = true;
        return value.Kind == ConfigNodeKind.Null ? null : value;
    }

    public void Fault(string key, string problem, string fix) => Fault(KeyOf(key), node?.Find(key), problem, fix);

    public void Fault(string fullKey, ConfigNode? value, string problem, string fix) => faults.Add(new(
        fullKey, value is null ? null : Show(fullKey, value), value is null ? null : Where(value), problem, fix));

    public ConfigSection Section(string key)
    {
        var value = Take(key);
        if (value is { Kind: not ConfigNodeKind.Mapping })
        {
            Fault(key, "is not a section", $"write the keys of {key} on lines of their own, indented by two spaces");
            value = null;
        }

        return new(KeyOf(key), value, faults);
    }

    public string? Text(string key)
    {
        var value = Take(key);
        if (value is { Kind: not ConfigNodeKind.Scalar })
        {
            Fault(key, "is not a single value", "write one value on the line");
            return null;
        }

        return value?.Text;
    }

    public bool Boolean(string key, bool otherwise)
    {
        if (Text(key) is not { } text)
        {
            return otherwise;
        }

        if (Quantities.TryParseBoolean(text, out var value))
        {
            return value;
        }

        Fault(key, "is neither true nor false", $"{key}: true   or   {key}: false");
        return otherwise;
    }

    public int WholeNumber(string key, int otherwise, int minimum = 0, int maximum = int.MaxValue)
    {
        if (Text(key) is not { } text)
        {
            return otherwise;
        }

        if (!long.TryParse(text.Replace("_", "", StringComparison.Ordinal), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value))
        {
            Fault(key, "is not a whole number", $"{key}: {otherwise}");
            return otherwise;
        }

        if (value < minimum || value > maximum)
        {
            Fault(key, maximum == int.MaxValue ? $"is less than {minimum}" : $"is not between {minimum} and {maximum}",
                $"{key}: {Math.Clamp(otherwise, minimum, maximum)}");
            return otherwise;
        }

        return (int)value;
    }

    public double Number(string key, double otherwise, double minimum = 0, double maximum = double.MaxValue)
    {
        if (Text(key) is not { } text)
        {
            return otherwise;
        }

        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value >= minimum && value <= maximum)
        {
            return value;
        }

        var range = maximum == double.MaxValue ? $"of {Write(minimum)} or more" : $"between {Write(minimum)} and {Write(maximum)}";
        Fault(key, $"is not a number {range}", $"{key}: {Write(otherwise)}");
        return otherwise;
    }

    public TimeSpan Duration(string key, TimeSpan otherwise, string example)
    {
        if (Text(key) is not { } text)
        {
            return otherwise;
        }

        if (Quantities.TryParseDuration(text, out var value))
        {
            return value;
        }

        Fault(key, "is not a duration (a number with s, m, h, d, w or y; without a letter: milliseconds)", $"{key}: {example}");
        return otherwise;
    }

    public long Size(string key, long otherwise, string example)
    {
        if (Text(key) is not { } text)
        {
            return otherwise;
        }

        if (Quantities.TryParseSize(text, out var value))
        {
            return value;
        }

        Fault(key, "is not a size (a number of bytes, or a number with K, M, G or T)", $"{key}: {example}");
        return otherwise;
    }

    /// <summary>Null when missing; a single value counts as a list of one, as Synapse takes it for several keys.</summary>
    public IReadOnlyList<string>? Texts(string key)
    {
        if (Take(key) is not { } value)
        {
            return null;
        }

        if (value.Kind == ConfigNodeKind.Scalar)
        {
            return [value.Text!];
        }

        if (value.Kind != ConfigNodeKind.Sequence || value.Items.Any(i => i.Kind != ConfigNodeKind.Scalar))
        {
            Fault(key, "is not a list of values", $"write {key}: [first, second]   or one  - value  on each line");
            return null;
        }

        value.Items.ForEach(i => i.WasRead = true);
        return [.. value.Items.Select(i => i.Text!)];
    }

    /// <summary>Sections of a list, each under its own key such as <c>listeners[0]</c>; null when missing.</summary>
    public IReadOnlyList<ConfigSection>? Sections(string key)
    {
        if (Take(key) is not { } value)
        {
            return null;
        }

        if (value.Kind != ConfigNodeKind.Sequence || value.Items.Any(i => i.Kind != ConfigNodeKind.Mapping))
        {
            Fault(key, "is not a list of sections", $"begin each entry of {key} with  -  and indent its keys");
            return null;
        }

        value.Items.ForEach(i => i.WasRead = true);
        return [.. value.Items.Select((item, i) => new ConfigSection($"{KeyOf(key)}[{i}]", item, faults))];
    }

    /// <summary>Everything below counts as read: the value is taken as it is.</summary>
    public ConfigNode? TakeWhole(string key)
    {
        var value = Take(key);
        MarkRead(value);
        return value;

        static void MarkRead(ConfigNode? node)
        {
            if (node is null)
            {
                return;
            }

            node.WasRead = true;
            node.Items.ForEach(MarkRead);
            node.Members.ForEach(m => MarkRead(m.Value));
        }
    }

    private static string Write(double number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Where(ConfigNode value) => value.Line > 0 ? $"{value.Source}, line {value.Line}" : $"environment variable {value.Source}";

    private static string Show(string fullKey, ConfigNode value) => value.Kind switch
    {
        ConfigNodeKind.Null => "null",
        ConfigNodeKind.Sequence => "[...]",
        ConfigNodeKind.Mapping => "{...}",
        _ when SynapseKeys.IsSecret(fullKey) => "(hidden)",
        _ => value.IsQuoted ? $"\"{value.Text}\"" : value.Text!,
    };
}
