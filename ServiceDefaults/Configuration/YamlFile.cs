using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Matrix.ServiceDefaults.Configuration;

/// <summary>Reads YAML into <see cref="ConfigNode"/>s from the parser's events: no reflection, and every value knows its line.</summary>
internal static class YamlFile
{
    /// <summary>An empty document gives an empty mapping; a document that is no mapping, or no YAML at all, is a fault and gives null.</summary>
    public static ConfigNode? Parse(string text, string source, List<ConfigFault> faults, List<string> warnings)
    {
        try
        {
            var parser = new Parser(new StringReader(text));
            parser.Consume<StreamStart>();
            if (!parser.TryConsume<DocumentStart>(out _))
            {
                return ConfigNode.EmptyMapping(source);
            }

            var node = new Reader(parser, source, warnings).Read("");
            switch (node.Kind)
            {
                case ConfigNodeKind.Mapping:
                    return node;
                case ConfigNodeKind.Null:
                    return ConfigNode.EmptyMapping(source);
                default:
                    faults.Add(new("", null, $"{source}, line {node.Line}", "is not a list of keys with values",
                        "begin the file with a line such as  server_name: example.org"));
                    return null;
            }
        }
        catch (YamlException e)
        {
            faults.Add(new("", null, $"{source}, line {e.Start.Line}, column {e.Start.Column}", $"is not valid YAML: {LastSentence(e)}",
                "mend the line; indentation counts, and a value with  : # { [ * &  needs quotes"));
            return null;
        }
    }

    /// <summary>A value in an environment variable: <c>[a, b]</c> and <c>{a: b}</c> are YAML, everything else is the text itself.</summary>
    public static ConfigNode ParseValue(string text, string source)
    {
        var trimmed = text.AsSpan().Trim();
        if (trimmed.StartsWith("[") || trimmed.StartsWith("{"))
        {
            try
            {
                var parser = new Parser(new StringReader(text));
                parser.Consume<StreamStart>();
                parser.Consume<DocumentStart>();
                return new Reader(parser, source, []).Read("");
            }
            catch (YamlException)
            {
                // A password may well begin with a bracket.
                return ConfigNode.FromText(text, source);
            }
        }

        return ConfigNode.FromText(text, source);
    }

    private static string LastSentence(YamlException e) => (e.InnerException?.Message ?? e.Message).ReplaceLineEndings(" ");

    private sealed class Reader(Parser parser, string source, List<string> warnings)
    {
        private readonly Dictionary<string, ConfigNode> _anchors = [];

        public ConfigNode Read(string path)
        {
            if (parser.TryConsume<AnchorAlias>(out var alias))
            {
                return _anchors.TryGetValue(alias.Value.Value, out var known)
                    ? known
                    : throw new YamlException(alias.Start, alias.End, $"nothing is named &{alias.Value.Value}");
            }

            if (parser.TryConsume<Scalar>(out var scalar))
            {
                var isPlain = scalar.Style == ScalarStyle.Plain;
                var isNull = isPlain && scalar.Value is ("" or "~" or "null" or "Null" or "NULL");
                return Keep(scalar.Anchor, new()
                {
                    Kind = isNull ? ConfigNodeKind.Null : ConfigNodeKind.Scalar,
                    Text = scalar.Value,
                    IsQuoted = !isPlain,
                    Line = (int)scalar.Start.Line,
                    Source = source,
                });
            }

            if (parser.TryConsume<SequenceStart>(out var sequence))
            {
                var node = Keep(sequence.Anchor, new() { Kind = ConfigNodeKind.Sequence, Line = (int)sequence.Start.Line, Source = source });
                while (!parser.TryConsume<SequenceEnd>(out _))
                {
                    node.Items.Add(Read($"{path}[{node.Items.Count}]"));
                }

                return node;
            }

            var mapping = parser.Consume<MappingStart>();
            var result = Keep(mapping.Anchor, new() { Kind = ConfigNodeKind.Mapping, Line = (int)mapping.Start.Line, Source = source });
            while (!parser.TryConsume<MappingEnd>(out _))
            {
                var key = parser.Consume<Scalar>();
                var keyPath = path.Length == 0 ? key.Value : $"{path}.{key.Value}";
                var value = Read(keyPath);
                if (key is { Value: "<<", Style: ScalarStyle.Plain })
                {
                    foreach (var (name, merged) in value.Members)
                    {
                        if (result.Find(name) is null)
                        {
                            result.Set(name, merged);
                        }
                    }

                    continue;
                }

                if (result.Find(key.Value) is { } earlier)
                {
                    warnings.Add($"{keyPath} is written twice in {source}, lines {earlier.Line} and {value.Line}: the last one counts");
                }

                result.Set(key.Value, value);
            }

            return result;
        }

        private ConfigNode Keep(AnchorName anchor, ConfigNode node)
        {
            if (!anchor.IsEmpty)
            {
                _anchors[anchor.Value] = node;
            }

            return node;
        }
    }
}
