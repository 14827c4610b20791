using System.Collections.Immutable;
using Matrix.Events;
using Matrix.Replication;
using Matrix.Storage.Accounts;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Matrix.Rooms;

/// <summary>
/// Users of this server who were deactivated with <c>erase</c>: read once, then kept by stream caches (<c>erased:ID</c>). Nobody comes back from it. The set
/// holds each erased account once and nothing else: a row is written with the account's own change alone, never for an id that is no account, and other
/// servers' users have no part in it. So it is as large as that column of <c>users</c>, some 100 bytes an account; all of it, because who is missing would be
/// shown what he has taken away. Spec: client-server-api/#post_matrixclientv3accountdeactivate
/// </summary>
public sealed class ErasedUsers(ErasedUserReader reader, IStreamFollower follower) : IStreamConsumer
{
    private const string Prefix = "erased:";
    private ImmutableHashSet<string> known = ImmutableHashSet.Create<string>(StringComparer.Ordinal);
    private volatile bool isLoaded;

    public IReadOnlyCollection<StreamDefinition> Streams { get; } = [Replication.Streams.Caches];

    public ValueTask OnRowsAsync(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> rows)
    {
        foreach (var row in rows)
            if (row.Key.StartsWith(Prefix, StringComparison.Ordinal)) ImmutableInterlocked.Update(ref known, (set, user) => set.Add(user), row.Key[Prefix.Length..]);
        return ValueTask.CompletedTask;
    }

    /// <summary>All of them. Nothing is asked for once they are known.</summary>
    public ValueTask<ImmutableHashSet<string>> AllAsync(CancellationToken ct) =>
        isLoaded ? ValueTask.FromResult(Volatile.Read(ref known)) : new(LoadAsync(ct));

    private async Task<ImmutableHashSet<string>> LoadAsync(CancellationToken ct)
    {
        // Who is not there when it is read comes with a row, if rows come already.
        var follows = follower.IsReady;
        var users = await reader.AllAsync(ct);
        ImmutableInterlocked.Update(ref known, (set, more) => set.Union(more), users);
        isLoaded |= follows;
        return Volatile.Read(ref known);
    }

    /// <summary>
    /// What erasure takes away: what the user has said, and his name and picture. What he made of the room (its name, who may do what) is the room's, and stays
    /// whole: whoever joins could not use it otherwise.
    /// </summary>
    public static bool Takes(string type, string? stateKey, string sender) => stateKey is null || (type == EventTypes.Member && stateKey == sender);
}

public static class ErasedUsersServices
{
    /// <summary>Once for a process, however many of its services ask.</summary>
    public static IServiceCollection AddErasedUsers(this IServiceCollection services)
    {
        if (services.Any(s => s.ServiceType == typeof(ErasedUsers))) return services;
        services.TryAddSingleton<ErasedUserReader>();
        services.AddSingleton<ErasedUsers>();
        return services.AddSingleton<IStreamConsumer>(p => p.GetRequiredService<ErasedUsers>());
    }
}
