namespace Matrix.FederationClient.DeviceKeys;

/// <summary>What other servers told of their users' keys. A server that could not be asked stands in <see cref="Failures"/> with the reason.</summary>
public sealed record RemoteKeys
{
    /// <summary>By user and device, canonical JSON.</summary>
    public Dictionary<string, Dictionary<string, byte[]>> Devices { get; } = new(StringComparer.Ordinal);
    /// <summary>By user, canonical JSON.</summary>
    public Dictionary<string, byte[]> MasterKeys { get; } = new(StringComparer.Ordinal);
    public Dictionary<string, byte[]> SelfSigningKeys { get; } = new(StringComparer.Ordinal);
    public Dictionary<string, string> Failures { get; } = new(StringComparer.Ordinal);
}

/// <summary>One-time keys that other servers gave.</summary>
public sealed record RemoteClaims
{
    /// <summary>By user, device, and algorithm with key id: canonical JSON.</summary>
    public Dictionary<string, Dictionary<string, Dictionary<string, byte[]>>> Keys { get; } = new(StringComparer.Ordinal);
    public Dictionary<string, string> Failures { get; } = new(StringComparer.Ordinal);
}

/// <summary>Keys of users of other servers: known here, or asked for. Spec: server-server-api/#end-to-end-encryption</summary>
public interface IRemoteKeys
{
    /// <param name="wishes">Users of other servers; an empty list: all devices of the user.</param>
    Task<RemoteKeys> QueryAsync(IReadOnlyDictionary<string, IReadOnlyList<string>> wishes, TimeSpan timeout, CancellationToken ct);

    /// <param name="wishes">Algorithm by user of another server and device.</param>
    Task<RemoteClaims> ClaimAsync(IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> wishes, TimeSpan timeout, CancellationToken ct);
}

/// <summary>Where nobody can be asked: every server is a failure.</summary>
public sealed class NoRemoteKeys : IRemoteKeys
{
    private const string Reason = "Federation is not available.";

    public Task<RemoteKeys> QueryAsync(IReadOnlyDictionary<string, IReadOnlyList<string>> wishes, TimeSpan timeout, CancellationToken ct)
    {
        var keys = new RemoteKeys();
        foreach (var user in wishes.Keys) keys.Failures[ServerOf(user)] = Reason;
        return Task.FromResult(keys);
    }

    public Task<RemoteClaims> ClaimAsync(
        IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> wishes, TimeSpan timeout, CancellationToken ct)
    {
        var claims = new RemoteClaims();
        foreach (var user in wishes.Keys) claims.Failures[ServerOf(user)] = Reason;
        return Task.FromResult(claims);
    }

    private static string ServerOf(string userId) => userId[(userId.IndexOf(':', StringComparison.Ordinal) + 1)..];
}
