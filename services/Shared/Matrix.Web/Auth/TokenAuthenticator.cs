using System.Collections.Concurrent;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Storage.Accounts;
using Matrix.Storage.Streams;
using Microsoft.AspNetCore.Http;

namespace Matrix.Web.Auth;

/// <summary>
/// Turns the bearer token of a request into a <see cref="Requester"/>. Known tokens are cached until stream <c>caches</c> says
/// <c>token:HEX</c> or <c>user:ID</c>; an unknown token always asks the database (never deny from a cache).
/// </summary>
public sealed class TokenAuthenticator(AccessTokenStore store, IStreamPublisher publisher, TimeProvider clock) : IStreamConsumer
{
    private const int MaxEntries = 50_000;
    private readonly ConcurrentDictionary<string, Entry> cache = new(StringComparer.Ordinal);
    private long generation;

    private sealed record Entry(AccessTokenRecord Record, Requester Requester, string HashHex);

    public IReadOnlyCollection<StreamDefinition> Streams { get; } = [Replication.Streams.Caches];

    public ValueTask OnRowsAsync(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> rows)
    {
        Interlocked.Increment(ref generation);
        foreach (var row in rows)
        {
            if (row.Key.StartsWith("token:", StringComparison.Ordinal))
                Remove(e => row.Key.AsSpan(6).SequenceEqual(e.HashHex));
            else if (row.Key.StartsWith("user:", StringComparison.Ordinal))
                Remove(e => row.Key.AsSpan(5).SequenceEqual(e.Record.UserId));
        }
        return ValueTask.CompletedTask;
    }

    private void Remove(Func<Entry, bool> match)
    {
        foreach (var (token, entry) in cache) if (match(entry)) cache.TryRemove(token, out _);
    }

    public ValueTask<Requester> AuthenticateAsync(string token, CancellationToken ct)
    {
        if (cache.TryGetValue(token, out var entry) && !Expired(entry.Record)) return ValueTask.FromResult(entry.Requester);
        return LoadAsync(token, ct);
    }

    private bool Expired(AccessTokenRecord record) =>
        record.ExpiresTsMs is { } at && at <= clock.GetUtcNow().ToUnixTimeMilliseconds();

    private async ValueTask<Requester> LoadAsync(string token, CancellationToken ct)
    {
        var before = Interlocked.Read(ref generation);
        var hash = AccessTokenStore.Hash(token);
        var record = await store.FindAsync(hash, ct);
        if (record is null || record.Deactivated) throw MatrixError.UnknownToken().AsException();
        if (Expired(record)) throw MatrixError.UnknownToken(softLogout: true).AsException();
        if (record.IsFresh) await publisher.PublishAllAsync(await store.MarkUsedAsync(hash, ct));
        var requester = new Requester(new UserId(record.UserId), record.DeviceId, hash, record.IsAdmin, record.IsGuest, record.AppServiceId)
        {
            IsLocked = record.Locked,
            IsSuspended = record.Suspended,
            IsShadowBanned = record.ShadowBanned,
            AccountExpiresTsMs = record.AccountExpiresTsMs,
            RateOverride = record.RateOverride,
            ConsentVersion = record.ConsentVersion,
            UserType = record.UserType,
        };
        if (cache.Count >= MaxEntries) cache.Clear();
        // An invalidation that came in while the row was read wins: the entry is not kept.
        if (Interlocked.Read(ref generation) == before) cache[token] = new Entry(record, requester, Convert.ToHexStringLower(hash));
        return requester;
    }

    /// <summary>The token of a request: Authorization header, else the access_token parameter (deprecated, still in the spec). Null: none.</summary>
    public static string? TokenOf(HttpRequest request)
    {
        string? header = request.Headers.Authorization;
        if (header is not null && header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)) return header[7..].Trim();
        return request.Query.TryGetValue("access_token", out var values) ? values.ToString() : null;
    }
}
