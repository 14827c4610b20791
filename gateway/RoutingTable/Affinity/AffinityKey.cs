using System.Text;

namespace Matrix.Gateway.Routing.Affinity;

/// <summary>What of a request decides among the instances of its group.</summary>
/// <param name="path">Raw, without the query.</param>
/// <param name="query">Raw, without the question mark.</param>
/// <param name="authorization">The header's value.</param>
/// <param name="clientAddress">Null when it is not known.</param>
public readonly ref struct RequestFacts(ReadOnlySpan<char> path, ReadOnlySpan<char> query, string? authorization, string? clientAddress)
{
    public ReadOnlySpan<char> Path { get; } = path;
    public ReadOnlySpan<char> Query { get; } = query;
    public string? Authorization { get; } = authorization;
    public string? ClientAddress { get; } = clientAddress;
}

public static class AffinityKey
{
    /// <summary>Room and user ids have at most 255 bytes; what is longer has no key.</summary>
    public const int MaxBytes = 512;

    /// <summary>Writes the key in UTF-8; 0 when the request has none.</summary>
    public static int Write(AffinityKind kind, in RequestFacts facts, Span<byte> destination) => kind switch
    {
        AffinityKind.User => AccessToken.WriteKey(AccessToken.Of(facts.Authorization, facts.Query), facts.Query, destination),
        AffinityKind.Room => RoomInPath.Write(facts.Path, destination),
        AffinityKind.Origin => XMatrixOrigin.Write(facts.Authorization, destination),
        AffinityKind.Address when facts.ClientAddress is { } address && Encoding.UTF8.TryGetBytes(address, destination, out var n) => n,
        _ => 0,
    };

    /// <summary>The key as text, or null.</summary>
    public static string? Text(AffinityKind kind, in RequestFacts facts)
    {
        Span<byte> key = stackalloc byte[MaxBytes];
        var n = Write(kind, facts, key);
        return n == 0 ? null : Encoding.UTF8.GetString(key[..n]);
    }
}
