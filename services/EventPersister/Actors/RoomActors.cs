using System.Collections.Concurrent;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Events;

namespace Matrix.EventPersister.Actors;

/// <summary>
/// The actors of this process, in a memory budget: when it is exceeded the rooms that were used longest ago go. Follows the stream of events to
/// learn what other persisters do to rooms that are held here.
/// </summary>
internal sealed class RoomActors : IStreamConsumer
{
    /// <summary>Commands between two looks at the budget.</summary>
    private const int CheckEvery = 256;

    private readonly ConcurrentDictionary<string, RoomActor> actors = new(StringComparer.Ordinal);
    /// <summary>Half of the process's budget, the rest belongs to readers and to what is on its way.</summary>
    private readonly long budget;
    private readonly ActorTools tools;
    private readonly Lock trimming = new();
    private int posts;

    public RoomActors(ActorTools tools, HomeserverConfig config)
    {
        (this.tools, budget) = (tools, config.CacheBudgetBytes / 2);
        Diagnostics.ObserveRooms(() => actors.Count);
    }

    public ActorTools Tools => tools;
    public int Count => actors.Count;

    public IReadOnlyCollection<StreamDefinition> Streams { get; } = [Replication.Streams.Events];

    /// <summary>Runs a command in its room; its reply, or the exception that kept it from having one.</summary>
    public async Task<RoomReply> RunAsync(string roomId, RoomCommand command)
    {
        while (!actors.GetOrAdd(roomId, static (id, t) => new RoomActor(id, t), tools).TryPost(command))
        {
            // The actor was given up between the look-up and the post.
            actors.TryRemove(roomId, out _);
        }
        if (Interlocked.Increment(ref posts) % CheckEvery == 0) Trim();
        return await command.Reply;
    }

    /// <summary>A room that was created here keeps what its creation has in memory.</summary>
    public void Adopt(RoomState created) => actors.GetOrAdd(created.RoomId, static (id, t) => new RoomActor(id, t), tools).Adopt(created);

    public ValueTask OnRowsAsync(StreamDefinition stream, long from, long to, IReadOnlyList<StreamRow> rows)
    {
        foreach (var row in rows)
        {
            if (actors.TryGetValue(row.Key, out var actor) && !tools.Storage.Numbers.Events.IsOurs(EventRow.EventNidOf(row))) actor.MovedByOther(row.Position);
        }
        return ValueTask.CompletedTask;
    }

    /// <summary>Gives rooms up, coldest first, until the rest fits; rooms that turned out not to exist always go.</summary>
    public void Trim()
    {
        if (!trimming.TryEnter()) return;
        try
        {
            long sum = 0;
            foreach (var (id, actor) in actors)
            {
                sum += actor.Bytes;
                if (actor.Bytes == 0) Retire(id, actor);
            }
            if (sum <= budget) return;
            foreach (var (id, actor) in actors.OrderBy(a => a.Value.LastUsed))
            {
                var bytes = actor.Bytes;
                if (!Retire(id, actor)) continue;
                if ((sum -= bytes) <= budget * 9 / 10) return;
            }
        }
        finally
        {
            trimming.Exit();
        }
    }

    private bool Retire(string id, RoomActor actor) => actor.TryRetire() && actors.TryRemove(new KeyValuePair<string, RoomActor>(id, actor));
}
