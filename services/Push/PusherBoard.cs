using Matrix.Push.Delivery;
using Matrix.Push.Evaluation;
using Matrix.Replication;
using Matrix.Storage.Push;
using Matrix.Storage.Pushers;
using Matrix.Storage.Streams;
using Npgsql;

namespace Matrix.Push;

/// <summary>The pushers that this instance serves, and the saving of their positions.</summary>
internal sealed partial class PusherBoard(
    PusherStore store, PusherSettingsStore settings, IStreamPublisher publisher, UnreadRooms unread, DeliveryContext delivery)
{
    /// <summary>At shutdown, for notifications that are under way.</summary>
    private static readonly TimeSpan LastDelivery = TimeSpan.FromSeconds(5);
    private readonly Lock gate = new();
    private readonly SemaphoreSlim saving = new(1, 1);
    private readonly Dictionary<string, List<(PusherState Saved, PusherQueue Queue)>> byUser = new(StringComparer.Ordinal);
    private int saveWanted;

    /// <summary>All who have pushers here.</summary>
    public IReadOnlyCollection<string> Users => userSet;
    private HashSet<string> userSet = new(StringComparer.Ordinal);

    /// <summary>Takes the database's word for the pushers of some users; of all when null. What stayed the same goes on undisturbed.</summary>
    public void Replace(IReadOnlyCollection<string>? ofUsers, IReadOnlyList<PusherState> pushers)
    {
        lock (gate)
        {
            var before = (ofUsers ?? [.. byUser.Keys]).Where(byUser.ContainsKey).ToDictionary(u => u, u => byUser[u], StringComparer.Ordinal);
            foreach (var user in before.Keys) byUser.Remove(user);
            foreach (var pusher in pushers)
            {
                var kept = before.GetValueOrDefault(pusher.UserId)?.Find(p => IsSame(p.Saved, pusher) && !p.Queue.IsRejected);
                if (kept is { Queue: not null } same) before[pusher.UserId].Remove(same);
                else if (PusherAddress.Read(pusher) is { } address) kept = (pusher, new PusherQueue(address, pusher, delivery, u => unread.Count(u) ?? 1, Changed));
                else continue;
                if (!byUser.TryGetValue(pusher.UserId, out var list)) byUser[pusher.UserId] = list = [];
                list.Add(kept.Value);
            }
            foreach (var (_, queue) in before.Values.SelectMany(l => l)) queue.Stop();
            userSet = new HashSet<string>(byUser.Keys, StringComparer.Ordinal);
        }
    }

    private static bool IsSame(PusherState a, PusherState b) =>
        a.AppId == b.AppId && a.Pushkey == b.Pushkey && a.UserId == b.UserId && a.CreatedTsMs == b.CreatedTsMs && a.Data.AsSpan().SequenceEqual(b.Data);

    public bool Wants(string userId, long position) => Queues(userId).Any(q => q.Wants(position));

    public void Tell(string userId, Notification notification)
    {
        foreach (var queue in Queues(userId)) if (queue.Wants(notification.Position)) queue.Add(notification);
    }

    public void TellCounts(string userId)
    {
        foreach (var queue in Queues(userId)) queue.AddCounts();
    }

    public void Advance(long position)
    {
        foreach (var queue in All()) queue.Advance(position);
    }

    private List<PusherQueue> Queues(string userId)
    {
        lock (gate) return byUser.TryGetValue(userId, out var list) ? [.. list.Select(p => p.Queue)] : [];
    }

    private List<PusherQueue> All()
    {
        lock (gate) return [.. byUser.Values.SelectMany(l => l).Select(p => p.Queue)];
    }

    /// <summary>A delivery succeeded or failed. Saving gathers what happens while another saving is under way.</summary>
    private void Changed(PusherQueue queue)
    {
        if (Interlocked.Exchange(ref saveWanted, 1) == 0) _ = Task.Run(SaveWantedAsync);
    }

    private async Task SaveWantedAsync()
    {
        try
        {
            await SaveAsync(evenIdle: false, CancellationToken.None);
        }
        catch (NpgsqlException e)
        {
            LogNotSaved(delivery.Log, e.Message);       // the next change, or the next idle saving, saves it
        }
    }

    public async Task SaveAsync(bool evenIdle, CancellationToken ct)
    {
        await saving.WaitAsync(ct);
        try
        {
            Interlocked.Exchange(ref saveWanted, 0);
            var all = All();
            var unsaved = all.Select(q => (Queue: q, State: q.Unsaved(evenIdle)!)).Where(u => u.State is not null).ToList();
            await store.SaveAsync([.. unsaved.Select(u => u.State)], ct);
            foreach (var (queue, state) in unsaved) queue.Saved(state);
            foreach (var rejected in all.Where(q => q.IsRejected)) await RemoveAsync(rejected, ct);
        }
        finally
        {
            saving.Release();
        }
    }

    private async Task RemoveAsync(PusherQueue queue, CancellationToken ct)
    {
        var address = queue.Address;
        LogRejected(delivery.Log, address.AppId, address.UserId);
        await publisher.PublishAllAsync(await settings.DeleteAsync(address.UserId, address.AppId, address.Pushkey, ct));
    }

    public async Task StopAsync()
    {
        await Task.WhenAll(All().Select(q => q.FinishAsync(LastDelivery)));
        try
        {
            await SaveAsync(evenIdle: true, CancellationToken.None);
        }
        catch (NpgsqlException e)
        {
            LogNotSaved(delivery.Log, e.Message);       // what was delivered may be delivered again
        }
    }

    [LoggerMessage(3, LogLevel.Warning, "Positions of pushers were not saved: {Reason}")]
    private static partial void LogNotSaved(ILogger log, string reason);

    [LoggerMessage(4, LogLevel.Information, "The gateway rejected the push key of {App} of {User}: the pusher is removed")]
    private static partial void LogRejected(ILogger log, string app, string user);
}
