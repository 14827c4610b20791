using System.Collections.Concurrent;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Web.AppServices;
using Matrix.Web.Auth;

namespace Matrix.Web.RateLimits;

/// <summary>
/// Token buckets, shared by all instances where there is a Redis; each process has its own while Redis is away, and in the monolith.
/// </summary>
/// <remarks>
/// What it costs: a process takes as many tokens at once as the bucket gains in a second (a quarter of the bucket at most) and uses them up without
/// asking again. A sender at the rate that a limit allows therefore asks Redis about once a second, whatever that rate is: 50 messages a second
/// are one round trip in fifty, of some 60 microseconds. Only those whose limit is below two a second ask each time, and they may not ask often. Who has
/// been refused is refused here, without asking, until the time that he was told. Leased tokens that are not used within a second are lost,
/// which makes a limit stricter by a second's worth at most.
/// </remarks>
public sealed class RateLimiter
{
    private const int MaxBuckets = 100_000;
    private const long LeaseMs = 1000;
    /// <summary>A limit of no tokens a second is one of a burst a day.</summary>
    private const double SlowestPerSecond = 1.0 / 86_400;

    private readonly HomeserverConfig config;
    private readonly IRateBuckets? shared;
    private readonly HashSet<string> unlimitedServices;
    private readonly TimeProvider clock;
    private readonly ConcurrentDictionary<string, LocalBucket> buckets = new(StringComparer.Ordinal);

    public RateLimiter(HomeserverConfig config, TimeProvider clock, IEnumerable<IRateBuckets> shared, IEnumerable<AppServiceRegistrations> services)
    {
        this.config = config;
        this.clock = clock;
        this.shared = shared.FirstOrDefault();
        unlimitedServices = [.. services.SelectMany(s => s.All).Where(s => !s.IsRateLimited).Select(s => s.Id)];
    }

    public bool IsEnabled => config.RateLimitsEnabled;

    /// <summary>Takes a token of the user who asks; M_LIMIT_EXCEEDED when there is none.</summary>
    public ValueTask RequireAsync(RateLimitRule rule, Requester requester, CancellationToken ct) => RequireAsync(rule, requester, requester.UserId.Value, ct);

    /// <summary>
    /// Takes a token of somebody or something else (an address, a room, the user who is invited); who is exempt takes nothing. <paramref name="requester"/> null:
    /// nobody is exempt.
    /// </summary>
    public ValueTask RequireAsync(RateLimitRule rule, Requester? requester, string subject, CancellationToken ct) =>
        requester is { IsAdmin: true } && rule.ForAdmins is { } own && own.Limit(config.RateLimits) is not null ? RequireAsync(own, requester, subject, ct)
        : LimitFor(rule, requester) is { } limit ? ThrowAsync(TakeAsync(Key(rule, subject), limit, 1, ct)) : ValueTask.CompletedTask;

    /// <summary>As <see cref="RequireAsync(RateLimitRule, Requester?, string, CancellationToken)"/>, but takes nothing: whether there is a token.</summary>
    public ValueTask RequireLeftAsync(RateLimitRule rule, string subject, CancellationToken ct) =>
        LimitFor(rule, null) is { } limit ? ThrowAsync(TakeAsync(Key(rule, subject), limit, 0, ct)) : ValueTask.CompletedTask;

    /// <summary>Takes a token if there is one.</summary>
    public async ValueTask CountAsync(RateLimitRule rule, string subject, CancellationToken ct)
    {
        if (LimitFor(rule, null) is { } limit) await TakeAsync(Key(rule, subject), limit, 1, ct);
    }

    private static string Key(RateLimitRule rule, string subject) => $"{rule.Name}:{subject}";

    private static async ValueTask ThrowAsync(ValueTask<long> taking)
    {
        var wait = await taking;
        if (wait > 0) throw MatrixError.LimitExceeded(wait).AsException();
    }

    /// <summary>Null: no limit applies.</summary>
    private RateLimit? LimitFor(RateLimitRule rule, Requester? requester)
    {
        if (!config.RateLimitsEnabled || rule.Limit(config.RateLimits) is not { } limit) return null;
        if (requester?.AppServiceId is { } service && unlimitedServices.Contains(service)) return null;
        if (requester?.RateOverride is { } set)
        {
            // Synapse: an override of nothing exempts from every limit, any other one stands in for rc_message.
            if (set is { MessagesPerSecond: 0 }) return null;
            if (rule.Name == RateLimitRules.Message.Name) limit = new RateLimit(set.MessagesPerSecond, Math.Max(1, set.BurstCount));
        }
        return new RateLimit(Math.Max(limit.PerSecond, SlowestPerSecond), limit.BurstCount);
    }

    /// <summary>0: a token was taken, or is there when none was wanted. Otherwise milliseconds until there is one.</summary>
    private async ValueTask<long> TakeAsync(string key, RateLimit limit, int tokens, CancellationToken ct)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var bucket = BucketOf(key, now, limit.PerSecond);
        if (shared is null) return bucket.Take(limit, tokens, now);
        if (bucket.EmptyForMs(now) is > 0 and var empty) return empty;
        if (tokens > 0 && bucket.TryUseLease(now)) return 0;
        var wanted = tokens == 0 ? 0 : Math.Clamp((int)limit.PerSecond, 1, Math.Max(1, limit.BurstCount / 4));
        if (wanted <= 1) return await AskAsync(shared, key, bucket, limit, wanted, now, ct);
        await bucket.Leasing.WaitAsync(ct);
        try
        {
            if (bucket.EmptyForMs(now) is > 0 and var meanwhile) return meanwhile;
            return bucket.TryUseLease(now) ? 0 : await AskAsync(shared, key, bucket, limit, wanted, now, ct);
        }
        finally
        {
            bucket.Leasing.Release();
        }
    }

    private static async ValueTask<long> AskAsync(IRateBuckets shared, string key, LocalBucket bucket, RateLimit limit, int wanted, long now, CancellationToken ct)
    {
        if (await shared.TakeAsync(key, limit.PerSecond, limit.BurstCount, wanted, ct) is not { } answer) return bucket.Take(limit, Math.Min(1, wanted), now);
        if (answer.RetryAfterMs > 0)
        {
            bucket.Empty(now + answer.RetryAfterMs);
            return answer.RetryAfterMs;
        }
        if (answer.Taken > 1) bucket.Lease(answer.Taken - 1, now, now + LeaseMs);
        return 0;
    }

    private LocalBucket BucketOf(string key, long now, double perSecond)
    {
        if (buckets.TryGetValue(key, out var known)) return known;
        if (buckets.Count >= MaxBuckets)
        {
            foreach (var (name, bucket) in buckets) if (bucket.IsIdle(now, perSecond)) buckets.TryRemove(name, out _);
            // So many at once are an attack by as many addresses; what is forgotten here is still known where it is shared.
            if (buckets.Count >= MaxBuckets) buckets.Clear();
        }
        return buckets.GetOrAdd(key, _ => new LocalBucket());
    }
}
