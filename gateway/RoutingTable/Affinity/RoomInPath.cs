namespace Matrix.Gateway.Routing.Affinity;

internal static class RoomInPath
{
    /// <summary>The room id (or alias, of <c>/join/</c> and <c>/knock/</c>) that a path names, decoded; 0 when it names none that can be read.</summary>
    public static int Write(ReadOnlySpan<char> path, Span<byte> destination)
    {
        var segment = After(path, "/rooms/");
        if (segment.IsEmpty) segment = After(path, "/join/");
        if (segment.IsEmpty) segment = After(path, "/knock/");
        return segment.IsEmpty ? 0 : Math.Max(0, PercentDecoding.Decode(segment, destination));
    }

    private static ReadOnlySpan<char> After(ReadOnlySpan<char> path, string marker)
    {
        var at = path.IndexOf(marker, StringComparison.Ordinal);
        if (at < 0) return default;
        var rest = path[(at + marker.Length)..];
        var slash = rest.IndexOf('/');
        return slash < 0 ? rest : rest[..slash];
    }
}
