using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Matrix.Replication.Rpc;

/// <summary>Headers of <c>/_internal/rpc</c>.</summary>
public static class InternalHeaders
{
    public const string Secret = "armada-secret";
    /// <summary>Positions that the answer is based on, such as <c>events=12,caches=3</c>: the caller waits for them before it reads its own caches.</summary>
    public const string Positions = "armada-positions";

    /// <summary>Says that the answer of this request rests on <paramref name="position"/>. May be called for several streams; the highest counts.</summary>
    public static void AddPosition(this HttpResponse response, StreamDefinition stream, long position)
    {
        var positions = Parse(response.Headers[Positions].ToString());
        var at = positions.FindIndex(p => p.Stream == stream);
        if (at < 0) positions.Add((stream, position));
        else positions[at] = (stream, Math.Max(positions[at].Position, position));
        response.Headers[Positions] = Format(positions);
    }

    internal static string Format(IReadOnlyList<(StreamDefinition Stream, long Position)> positions)
    {
        var text = new StringBuilder();
        foreach (var (stream, position) in positions)
        {
            if (text.Length > 0) text.Append(',');
            text.Append(stream.Name).Append('=').Append(position.ToString(CultureInfo.InvariantCulture));
        }
        return text.ToString();
    }

    /// <summary>Streams that this release does not know are left out.</summary>
    internal static List<(StreamDefinition Stream, long Position)> Parse(string? header)
    {
        var positions = new List<(StreamDefinition, long)>();
        foreach (var part in (header ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var equals = part.IndexOf('=');
            if (equals > 0 && Streams.Find(part[..equals]) is { } stream
                && long.TryParse(part.AsSpan(equals + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var position))
            {
                positions.Add((stream, position));
            }
        }
        return positions;
    }
}
