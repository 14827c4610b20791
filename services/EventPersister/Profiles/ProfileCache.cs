using System.Collections.Concurrent;
using Matrix.Crypto;
using Matrix.EventPersister.Membership;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Profiles;

namespace Matrix.EventPersister.Profiles;

/// <summary>Profiles of this server's users for member events, until stream <c>caches</c> says <c>profile:ID</c> or <c>user:ID</c>.</summary>
internal sealed class ProfileCache(ProfileStore store, ServerIdentity server, HomeserverConfig config) : IStreamConsumer
{
    private const int MaxEntries = 20_000;
    private readonly ConcurrentDictionary<string, Profile> cache = new(StringComparer.Ordinal);
    private long generation;

    public IReadOnlyCollection<StreamDefinition> Streams { get; } = [Replication.Streams.Caches];

    public ValueTask OnRowsAsync(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> rows)
    {
        Interlocked.Increment(ref generation);
        foreach (var row in rows)
        {
            if (row.Key.StartsWith("profile:", StringComparison.Ordinal)) cache.TryRemove(row.Key[8..], out _);
            else if (row.Key.StartsWith("user:", StringComparison.Ordinal)) cache.TryRemove(row.Key[5..], out _);
        }
        return ValueTask.CompletedTask;
    }

    /// <summary>What a member event shows of its user. Synapse: <c>include_profile_data_on_invite</c></summary>
    public ValueTask<Profile> ForAsync(MembershipAction action, string userId, CancellationToken ct) =>
        action is MembershipAction.Invite && !config.Accounts.Profiles.OnInvite ? new(Profile.Empty(userId)) : GetAsync(userId, ct);

    /// <summary>Empty for users of other servers and for those that do not exist.</summary>
    public async ValueTask<Profile> GetAsync(string userId, CancellationToken ct)
    {
        if (!server.IsMine(userId)) return Profile.Empty(userId);
        if (cache.TryGetValue(userId, out var known)) return known;
        var before = Interlocked.Read(ref generation);
        var profile = await store.FindAsync(userId, ct) ?? Profile.Empty(userId);
        if (cache.Count >= MaxEntries) cache.Clear();
        // An invalidation that came in while the row was read wins: the entry is not kept.
        if (Interlocked.Read(ref generation) == before) cache[userId] = profile;
        return profile;
    }
}
