using System.Collections.Concurrent;
using Matrix.Replication;
using Matrix.Storage.Ephemeral;

namespace Matrix.ClientApi.Presence;

/// <summary>Last known presence of users, from the stream. Users that are not in it are offline.</summary>
internal sealed class PresenceTracker : IStreamConsumer
{
    private const int MaxUsers = 200_000;
    private readonly ConcurrentDictionary<string, PresenceRow> users = new(StringComparer.Ordinal);

    public IReadOnlyCollection<StreamDefinition> Streams { get; } = [Replication.Streams.Presence];

    public ValueTask OnRowsAsync(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> rows)
    {
        if (from == 0) users.Clear();
        foreach (var row in rows)
        {
            var presence = PresenceRow.Decode(row.Payload.Span);
            // Somebody offline without a message is as somebody unknown.
            if (presence is { Presence: "offline", StatusMsg: null, LastActiveTsMs: 0 } || (users.Count >= MaxUsers && !users.ContainsKey(row.Key)))
                users.TryRemove(row.Key, out _);
            else users[row.Key] = presence;
        }
        return ValueTask.CompletedTask;
    }

    /// <summary>Null: nothing is known, which means offline.</summary>
    public PresenceRow? Find(string userId) => users.GetValueOrDefault(userId);
}
