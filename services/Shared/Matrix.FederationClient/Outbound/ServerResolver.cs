using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Matrix.Primitives;

namespace Matrix.FederationClient.Outbound;

/// <summary>Where a server is reached.</summary>
/// <param name="Host">Host to connect to, and the name that its certificate must be for.</param>
/// <param name="HostHeader">Value of the Host header.</param>
public sealed record ServerAddress(string Host, int Port, string HostHeader);

/// <summary>
/// From a server name to an address: IP literals and explicit ports as they are, else the delegation in .well-known, else port 8448.
/// Spec: server-server-api/#resolving-server-names
/// </summary>
public sealed class ServerResolver(HttpMessageInvoker wellKnownHttp, TimeProvider clock)
{
    public const int DefaultPort = 8448;
    private const int MaxWellKnownBytes = 50 * 1024;
    private const int MaxEntries = 10_000;
    private static readonly TimeSpan DefaultLife = TimeSpan.FromHours(24);
    private static readonly TimeSpan LongestLife = TimeSpan.FromHours(48);
    private static readonly TimeSpan FailureLife = TimeSpan.FromHours(1);
    private readonly ConcurrentDictionary<string, Delegation> delegations = new(StringComparer.OrdinalIgnoreCase);

    /// <param name="To">Delegated name; null: the server delegates nothing.</param>
    private sealed record Delegation(string? To, long ExpiresMs);

    public async Task<ServerAddress> ResolveAsync(string serverName, CancellationToken ct)
    {
        if (Direct(serverName) is { } direct) return direct;
        var to = await DelegateAsync(serverName, ct);
        if (to is null) return new ServerAddress(serverName, DefaultPort, serverName);
        return Direct(to) ?? new ServerAddress(to, DefaultPort, to);
    }

    /// <summary>Null for a bare host name, the only kind that may be delegated.</summary>
    private static ServerAddress? Direct(string name)
    {
        var bracket = name.IndexOf(']', StringComparison.Ordinal);
        var colon = name.IndexOf(':', bracket < 0 ? 0 : bracket);
        var host = colon < 0 ? name : name[..colon];
        if (colon >= 0) return new ServerAddress(host, int.Parse(name.AsSpan(colon + 1), System.Globalization.CultureInfo.InvariantCulture), name);
        return bracket >= 0 || IPAddress.TryParse(host, out _) ? new ServerAddress(host, DefaultPort, name) : null;
    }

    private async Task<string?> DelegateAsync(string serverName, CancellationToken ct)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        if (delegations.TryGetValue(serverName, out var known) && known.ExpiresMs > now) return known.To;
        var (to, life) = await AskAsync(serverName, ct);
        if (delegations.Count >= MaxEntries) delegations.Clear();
        delegations[serverName] = new Delegation(to, now + (long)life.TotalMilliseconds);
        return to;
    }

    private async Task<(string? To, TimeSpan Life)> AskAsync(string serverName, CancellationToken ct)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"https://{serverName}/.well-known/matrix/server");
            using var response = await wellKnownHttp.SendAsync(request, ct);
            if (response.StatusCode != HttpStatusCode.OK) return (null, FailureLife);
            var body = await GuardedHttp.ReadBoundedAsync(response.Content, MaxWellKnownBytes, ct);
            if (body is null || Parse(body) is not { } to) return (null, FailureLife);
            var life = response.Headers.CacheControl?.MaxAge ?? DefaultLife;
            return (to, life < LongestLife ? life : LongestLife);
        }
        catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return (null, FailureLife);     // no delegation is no fault: the specification goes on with the server's own name
        }
    }

    private static string? Parse(byte[] body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("m.server", out var to)
                && to.ValueKind == JsonValueKind.String && ServerName.TryParse(to.GetString(), null, out var name) ? name.Value : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
