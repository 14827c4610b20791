using System.Buffers;
using System.Collections.Immutable;
using Matrix.Primitives;

namespace Matrix.Events;

/// <summary>The <c>event_fields</c> of a filter: which properties of an event a client wants. Spec: client-server-api/#filtering</summary>
public sealed class EventFields
{
    private sealed class Node
    {
        /// <summary>Null: the whole value is wanted.</summary>
        public Dictionary<string, Node>? Children;
    }

    private readonly Node _root = new() { Children = new(StringComparer.Ordinal) };

    /// <summary>Dot-separated paths, dots of names escaped.</summary>
    public EventFields(ImmutableArray<string> paths)
    {
        Paths = paths;
        foreach (var path in paths)
        {
            var node = _root;
            var names = PropertyPath.Split(path);
            for (var i = 0; i < names.Length && node.Children is { } children; i++)
            {
                var last = i == names.Length - 1;
                if (!children.TryGetValue(names[i], out var child))
                    children[names[i]] = child = new Node { Children = last ? null : new(StringComparer.Ordinal) };
                if (last) child.Children = null;
                node = child;
            }
        }
    }

    public ImmutableArray<string> Paths { get; }

    /// <summary>Writes an event in client form (as <see cref="ClientEvent"/> writes it) with the wanted properties alone.</summary>
    public void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> clientEvent) => Write(output, clientEvent, _root);

    private static void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> json, Node node)
    {
        var writer = new MemberWriter(output);
        foreach (var member in new CanonicalObject(json))
        {
            if (Child(node, member.Name) is not { } child) continue;
            if (child.Children is null)
            {
                writer.Text(member.Text);
            }
            else if (CanonicalValue.IsObject(member.Value))
            {
                writer.Text(member.Text[..^member.ValueLength]);
                Write(output, member.Value, child);
            }
        }
        writer.End();
    }

    private static Node? Child(Node node, ReadOnlySpan<byte> name)
    {
        foreach (var (wanted, child) in node.Children!)
        {
            if (Utf8Text.Equal(name, wanted)) return child;
        }
        return null;
    }
}
