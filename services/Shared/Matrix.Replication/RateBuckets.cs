namespace Matrix.Replication;

/// <summary>What a bucket gave.</summary>
/// <param name="Taken">Tokens; 0: none were there, or none were asked for.</param>
/// <param name="RetryAfterMs">When none is there: how long until there is one.</param>
public readonly record struct BucketAnswer(int Taken, long RetryAfterMs);

/// <summary>Token buckets that all instances share. There is none in the monolith: one process needs nobody to share with.</summary>
public interface IRateBuckets
{
    /// <summary>
    /// Takes up to <paramref name="most"/> tokens from a bucket that fills at a rate and holds at most <paramref name="burst"/>; with 0 it only looks.
    /// Null: the transport is away.
    /// </summary>
    ValueTask<BucketAnswer?> TakeAsync(string key, double perSecond, int burst, int most, CancellationToken ct);
}
