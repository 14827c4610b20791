using Matrix.Events;
using Matrix.Push.Delivery;
using Matrix.Push.Evaluation;
using Matrix.Replication;
using Matrix.Storage.Events;
using Matrix.Storage.Push;
using Matrix.Web.Following;
using Npgsql;

namespace Matrix.Push;

/// <summary>What the engine reads and decides with.</summary>
internal sealed record PushSources(
    PushInbox Inbox, EventFeed Feed, IStreamSource Source, IStreamFollower Follower, PusherStore Store, RoomAudiences Audiences,
    UserSettingsCache Settings, SenderNames Names, UnreadRooms Unread, EventEvaluator Evaluator);

/// <summary>
/// Follows stream events for the users that are this instance's share. Each pusher has its own saved position, so a user who comes from another
/// instance, or a restart, continues where he was: the engine goes back as far as the pusher that is furthest behind, and every pusher
/// passes over what it has had.
/// </summary>
internal sealed partial class PushEngine(PushSources sources, PusherBoard board, Shard shard, TimeProvider clock, ILogger<PushEngine> log) : BackgroundService
{
    private const int RowsAtOnce = 500;
    /// <summary>Further back than this nobody wants to be told.</summary>
    private const long MaxCatchUp = 100_000;
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan SaveIdleEvery = TimeSpan.FromSeconds(30);
    /// <summary>Receipts that wait; beyond that all is counted anew.</summary>
    private const int MaxEarly = 10_000;
    private readonly List<ReadUpTo> early = [];
    private long at = -1;
    private long shardVersion = -1;
    private long idleSavedAt;

    /// <summary>Everything up to here was evaluated; -1 before the start.</summary>
    public long Position => Volatile.Read(ref at);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        idleSavedAt = clock.GetTimestamp();
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await StepAsync(stoppingToken);
                await sources.Inbox.WaitAsync(Rest, clock, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e)
            {
                if (e is NpgsqlException) LogSetBack(e.Message);
                else LogFailed(e);
                shardVersion = -1;      // begin again from what is saved
                await Task.Delay(Rest, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        await board.StopAsync();
    }

    private async Task StepAsync(CancellationToken ct)
    {
        if (!sources.Follower.IsReady) return;
        await TakeNewsAsync(ct);
        var to = sources.Follower.Position(Streams.Events);
        while (at < to)
        {
            var page = sources.Feed.Take(at, to, out var until) ?? await sources.Source.ReadAsync(Streams.Events, at, until, RowsAtOnce, ct);
            await EvaluateAsync(page.Rows, ct);
            board.Advance(page.To);
            Volatile.Write(ref at, page.To);
            await TakeNewsAsync(ct);
        }
        if (clock.GetElapsedTime(idleSavedAt) >= SaveIdleEvery)
        {
            idleSavedAt = clock.GetTimestamp();
            await board.SaveAsync(evenIdle: true, ct);
        }
    }

    private async Task TakeNewsAsync(CancellationToken ct)
    {
        var news = sources.Inbox.Take();
        var version = shard.Version;
        if (version != shardVersion)
        {
            await ReloadAsync(null, ct);
            shardVersion = version;
        }
        else if (news.Pushers.Count > 0)
        {
            await ReloadAsync(news.Pushers, ct);
        }
        foreach (var user in news.Settings)
        {
            sources.Settings.Forget(user);
            sources.Unread.Forget(user);
        }
        if (!news.AllReceipts || early.Count > MaxEarly)
        {
            sources.Unread.Clear();
            early.Clear();
        }
        foreach (var receipt in news.Receipts)
        {
            if (!sources.Unread.Knows(receipt.UserId)) continue;
            if (receipt.Position is null) sources.Unread.Forget(receipt.UserId);
            else early.Add(receipt);
        }
        await ReadAsync(ct);
    }

    /// <summary>Receipts for events that have been evaluated; the others wait for theirs.</summary>
    private async Task ReadAsync(CancellationToken ct)
    {
        if (early.Count == 0) return;
        var due = early.FindAll(r => r.Position <= at);
        early.RemoveAll(r => r.Position <= at);
        foreach (var receipt in due) if (await sources.Unread.ReadAsync(receipt, board.Users, at, ct)) await TellCountsAsync(receipt.UserId, at, ct);
    }

    private async ValueTask TellCountsAsync(string userId, long position, CancellationToken ct)
    {
        await sources.Unread.EnsureAsync(userId, board.Users, position, ct);
        board.TellCounts(userId);
    }

    /// <summary>Pushers of some users, or of all when null, as the database has them.</summary>
    private async Task ReloadAsync(IReadOnlyCollection<string>? users, CancellationToken ct)
    {
        await board.SaveAsync(evenIdle: true, ct);
        var owned = (await sources.Store.LoadAsync(users, ct)).Where(p => shard.Owns(p.UserId)).ToList();
        board.Replace(users, owned);
        sources.Audiences.Clear();
        sources.Names.Clear();
        var now = sources.Follower.Position(Streams.Events);
        var back = owned.Select(p => p.LastPos).DefaultIfEmpty(now).Min();
        if (at < 0 || back < at) Volatile.Write(ref at, Math.Max(Math.Min(back, now), now - MaxCatchUp));
    }

    private async Task EvaluateAsync(IReadOnlyList<StreamRow> rows, CancellationToken ct)
    {
        var users = board.Users;
        if (users.Count == 0) return;
        var events = rows.Select(row => EventRow.Decode(row)).ToList();
        await sources.Evaluator.PrepareAsync(events, users, ct);
        foreach (var e in events)
        {
            if (e is { Type: EventTypes.Member, StateKey: { } member }) await TurnAsync(e, member, ct);
            foreach (var move in e.Moves) if (move.Type == EventTypes.Member) sources.Unread.Forget(move.StateKey);
            if (e.Redacts is { } gone)
                foreach (var user in await sources.Unread.RedactedAsync(e.RoomId, gone, users, e.Position, ct)) await TellCountsAsync(user, e.Position, ct);
            if (e.Reads is { } thread && await sources.Unread.ReadAsync(new(e.Sender, e.RoomId, thread, e.Position), users, e.Position, ct))
                await TellCountsAsync(e.Sender, e.Position, ct);
            if (await sources.Evaluator.EvaluateAsync(e, users, ct) is { } evaluated) await TellAsync(evaluated, users, ct);
        }
    }

    /// <summary>A user has come, or gone, or is invited.</summary>
    private async ValueTask TurnAsync(EventRow e, string userId, CancellationToken ct)
    {
        if (!sources.Unread.Knows(userId) || !(e.IsCurrentState || (e.Flags & EventFlags.Outlier) != 0)) return;
        var isInvited = MemberContent.Read(e.Json).Membership == Memberships.Invite
            && !(await sources.Settings.OfAsync([userId], ct))[userId].Ignored.Contains(e.Sender);
        if (sources.Unread.Turned(userId, e.RoomId, e.Position, isInvited)) await TellCountsAsync(userId, e.Position, ct);
    }

    private async Task TellAsync(EvaluatedEvent evaluated, IReadOnlyCollection<string> users, CancellationToken ct)
    {
        foreach (var notified in evaluated.Users)
        {
            var position = evaluated.Row.Position;
            if (!board.Wants(notified.UserId, position)) continue;
            await sources.Unread.EnsureAsync(notified.UserId, users, position, ct);
            if (evaluated.Row.StateKey != notified.UserId) sources.Unread.Notified(notified.UserId, evaluated.Row.RoomId, NoticeOf(evaluated));
            board.Tell(notified.UserId, new Notification(
                position, evaluated.Pdu, notified.Outcome, evaluated.Audience.Name, evaluated.Audience.Alias, evaluated.SenderName,
                evaluated.Row.StateKey == notified.UserId, evaluated.Row.ReceivedTsMs));
        }
    }

    private static UnreadNotice NoticeOf(EvaluatedEvent e) => new(e.Row.Position, e.Row.RoomNid, e.Row.EventId, EventRelation.Read(e.Pdu), e.Audience.ExpiresTsMs(e.Pdu));

    [LoggerMessage(1, LogLevel.Warning, "Pushing pauses: {Reason}")]
    private partial void LogSetBack(string reason);

    [LoggerMessage(2, LogLevel.Error, "Pushing failed and begins again from what is saved")]
    private partial void LogFailed(Exception e);
}
