namespace Matrix.FederationClient.DeviceKeys;

/// <summary>Why a server told nothing.</summary>
/// <param name="Status">Of its answer; 503 without one, 502 for one that was none.</param>
/// <param name="Code">The error code of its answer, when it has one.</param>
public sealed record RemoteFailure(int Status, string Message, string? Code = null);

/// <summary>What other servers told of their users' keys. A server that could not be asked stands in <see cref="Failures"/> with the reason.</summary>
public sealed record RemoteKeys
{
    /// <summary>By user and device, canonical JSON.</summary>
    public Dictionary<string, Dictionary<string, byte[]>> Devices { get; } = new(StringComparer.Ordinal);
    /// <summary>By user, canonical JSON.</summary>
    public Dictionary<string, byte[]> MasterKeys { get; } = new(StringComparer.Ordinal);
    public Dictionary<string, byte[]> SelfSigningKeys { get; } = new(StringComparer.Ordinal);
    public Dictionary<string, RemoteFailure> Failures { get; } = new(StringComparer.Ordinal);
}

/// <summary>One-time keys that other servers gave.</summary>
public sealed record RemoteClaims
{
    /// <summary>By user, device, and algorithm with key id: canonical JSON.</summary>
    public Dictionary<string, Dictionary<string, Dictionary<string, byte[]>>> Keys { get; } = new(StringComparer.Ordinal);
    public Dictionary<string, RemoteFailure> Failures { get; } = new(StringComparer.Ordinal);
}

/// <summary>Keys of users of other servers, asked for there. Spec: server-server-api/#end-to-end-encryption</summary>
public interface IRemoteKeys
{
    /// <param name="wishes">Users of other servers; an empty list: all devices of the user.</param>
    /// <param name="timeout">For all servers together.</param>
    Task<RemoteKeys> QueryAsync(IReadOnlyDictionary<string, IReadOnlyList<string>> wishes, TimeSpan timeout, CancellationToken ct);

    /// <param name="wishes">Algorithm by user of another server and device.</param>
    /// <param name="timeout">For all servers together.</param>
    Task<RemoteClaims> ClaimAsync(IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> wishes, TimeSpan timeout, CancellationToken ct);
}
