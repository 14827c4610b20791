using System.Collections.Concurrent;
using System.Net;
using Matrix.Crypto;
using Matrix.FederationClient.Outbound;
using Matrix.Primitives;
using Matrix.Storage.Federation;
using Microsoft.Extensions.Logging;

namespace Matrix.FederationClient.Keys;

/// <summary>Where verification keys are found.</summary>
public interface IKeyRing
{
    /// <summary>The key, when it is valid at <paramref name="atMs"/>; null when there is none such to be had.</summary>
    ValueTask<byte[]?> FindAsync(string server, string keyId, long atMs, CancellationToken ct);
}

/// <summary>
/// Verification keys of servers: memory, then the database, then the server itself. One question to a server at a time, and a server that has
/// just been asked is left in peace for a moment, whatever its answer was.
/// </summary>
public sealed partial class KeyRing(ServerIdentity identity, ServerKeyStore store, FederationHttp http, TimeProvider clock, ILogger<KeyRing> log) : IKeyRing
{
    private const int MaxAnswerBytes = 256 * 1024;
    private const int MaxEntries = 50_000;
    /// <summary>However long a server says that its keys are valid. Spec: server-server-api/#publishing-keys</summary>
    private static readonly TimeSpan LongestTrust = TimeSpan.FromDays(7);
    private static readonly TimeSpan Peace = TimeSpan.FromSeconds(5);
    private readonly ConcurrentDictionary<(string Server, string KeyId), VerifyKey> known = new();
    private readonly ConcurrentDictionary<string, Fetch> fetches = new(StringComparer.Ordinal);

    private sealed record Fetch(Lazy<Task> Work, long StartedMs);

    /// <summary>The key, when it is valid at <paramref name="atMs"/> (for a request: now); null when there is none such to be had.</summary>
    public async ValueTask<byte[]?> FindAsync(string server, string keyId, long atMs, CancellationToken ct)
    {
        if (server == identity.ServerName) return keyId == identity.Key.KeyId ? identity.Key.PublicKey : null;
        if (Cached(server, keyId, atMs) is { } cached) return cached;
        if (await store.FindAsync(server, keyId, ct) is { } row)
        {
            Remember(server, new VerifyKey(row.KeyId, row.PublicKey, row.ValidUntilTsMs));
            if (row.ValidUntilTsMs >= atMs) return row.PublicKey;
        }
        await FetchOnceAsync(server).WaitAsync(ct);
        return Cached(server, keyId, atMs);
    }

    private byte[]? Cached(string server, string keyId, long atMs) =>
        known.TryGetValue((server, keyId), out var key) && key.ValidUntilTsMs >= atMs ? key.PublicKey : null;

    private void Remember(string server, VerifyKey key)
    {
        if (known.Count >= MaxEntries) known.Clear();
        known[(server, key.KeyId)] = key;
    }

    /// <summary>Not cancelled with its first caller: others wait for the same answer.</summary>
    private Task FetchOnceAsync(string server)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var fetch = fetches.AddOrUpdate(server,
            _ => NewFetch(server, now),
            (_, old) => old.Work.Value.IsCompleted && now - old.StartedMs >= Peace.TotalMilliseconds ? NewFetch(server, now) : old);
        if (fetches.Count > MaxEntries) foreach (var (name, old) in fetches) if (old.Work.Value.IsCompleted) fetches.TryRemove(name, out _);
        return fetch.Work.Value;
    }

    private Fetch NewFetch(string server, long now) => new(new Lazy<Task>(() => FetchAsync(server)), now);

    private async Task FetchAsync(string server)
    {
        if (!ServerName.TryParse(server, null, out _)) return;
        try
        {
            var answer = await http.GetPlainAsync(server, "/_matrix/key/v2/server", MaxAnswerBytes, CancellationToken.None);
            if (answer.Status != HttpStatusCode.OK || answer.Body is null || ServerKeysDocument.Read(answer.Body, server, identity.Ed25519) is not { } document)
            {
                LogNoKeys(server, $"status {(int)answer.Status}, or keys that it did not sign");
                return;
            }
            await KeepAsync(document);
        }
        catch (FederationUnreachableException e)
        {
            LogNoKeys(server, e.Message);
        }
    }

    private async Task KeepAsync(ServerKeysDocument document)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var latest = now + (long)LongestTrust.TotalMilliseconds;
        var keys = document.Keys.Select(k => k with { ValidUntilTsMs = Math.Min(k.ValidUntilTsMs, latest) }).ToList();
        await store.UpsertAsync(document.ServerName,
            keys.Select(k => new ServerKeyRecord(document.ServerName, k.KeyId, k.PublicKey, k.ValidUntilTsMs, now)).ToList(), now, CancellationToken.None);
        foreach (var key in keys) Remember(document.ServerName, key);
    }

    [LoggerMessage(1, LogLevel.Warning, "No keys of {Server}: {Reason}")]
    private partial void LogNoKeys(string server, string reason);
}
