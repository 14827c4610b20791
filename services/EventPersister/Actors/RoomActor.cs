using System.Threading.Channels;
using Matrix.Crypto;
using Matrix.EventPersister.Commit;
using Matrix.EventPersister.Policy;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Events;

namespace Matrix.EventPersister.Actors;

/// <summary>What every actor works with.</summary>
internal sealed record ActorTools(RoomStorage Storage, ServerIdentity Server, GroupCommitter Committer, DatabaseTruth Truth, PolicyGate Policy, TimeProvider Clock, ILogger Log);

/// <summary>
/// The one place of this process where a room changes: takes what is queued, builds a chain of events, hands it to the committer and waits. Other
/// persisters may do the same for the same room; whoever commits second reloads and builds anew. Costs nothing while idle.
/// </summary>
internal sealed partial class RoomActor(string roomId, ActorTools tools)
{
    private const int MailboxSize = 1_024;
    private const int MaxCommandsPerTurn = 64;
    private const int MaxAttempts = 8;
    private const int MaxTransactions = 512;

    private const int Idle = 0, Running = 1, Retired = 2;

    private readonly Channel<RoomCommand> mailbox = Channel.CreateBounded<RoomCommand>(new BoundedChannelOptions(MailboxSize) { SingleReader = true });
    private readonly Dictionary<(string Device, string Sender, string Txn), string> transactions = [];
    private readonly Queue<(string Device, string Sender, string Txn)> transactionAges = new();
    private readonly RivalTurns rivals = new(tools.Clock);
    private int status;
    private volatile bool stale;
    /// <summary>Position of the last event that was written from here.</summary>
    private long written;
    private RoomState? room;

    public string RoomId => roomId;
    /// <summary>Bytes that the room's state takes, about; 0: not loaded.</summary>
    public long Bytes { get; private set; }
    /// <summary>Ticks of the clock at the last command.</summary>
    public long LastUsed { get; private set; } = tools.Clock.GetTimestamp();

    /// <summary>False: this actor is gone, ask for a new one. Throws when too much is queued.</summary>
    public bool TryPost(RoomCommand command)
    {
        if (!mailbox.Writer.TryWrite(command))
        {
            if (Volatile.Read(ref status) == Retired) return false;
            throw MatrixError.Unavailable("The room has too much to do at the moment.").AsException();
        }
        switch (Interlocked.CompareExchange(ref status, Running, Idle))
        {
            case Idle: ThreadPool.UnsafeQueueUserWorkItem(static a => _ = a.RunAsync(), this, preferLocal: false); return true;
            case Running: return true;
            default: return false;
        }
    }

    /// <summary>Gives up an idle actor; false when it is at work.</summary>
    public bool TryRetire() => Interlocked.CompareExchange(ref status, Retired, Idle) == Idle;

    /// <summary>Another process has moved the room, unless what was written here since builds on that.</summary>
    public void MovedByOther(long position)
    {
        if (position < Volatile.Read(ref written)) return;
        stale = true;
        rivals.OtherMoved();
    }

    /// <summary>Takes over a room that has just been created with this state.</summary>
    public void Adopt(RoomState created)
    {
        if (Interlocked.CompareExchange(ref status, Running, Idle) != Idle) return;
        room = created;
        Bytes = created.Bytes;
        Release();
    }

    private async Task RunAsync()
    {
        var commands = new List<RoomCommand>(4);
        do
        {
            while (true)
            {
                commands.Clear();
                if (mailbox.Reader.TryPeek(out _)) await rivals.YieldAsync();
                while (commands.Count < MaxCommandsPerTurn && mailbox.Reader.TryPeek(out var command))
                {
                    if (command.RunsAlone && commands.Count > 0) break;
                    mailbox.Reader.TryRead(out _);
                    if (command.IsCancelled)
                    {
                        command.Cancel();
                        continue;
                    }
                    commands.Add(command);
                    if (command.RunsAlone) break;
                }
                if (commands.Count == 0) break;
                LastUsed = tools.Clock.GetTimestamp();
                try
                {
                    await WorkAsync(commands);
                }
                catch (Exception e)
                {
                    // What is in memory may hold what was never committed.
                    room = null;
                    foreach (var command in commands) command.Fail(e);
                }
                Bytes = room?.Bytes ?? 0;
            }
        }
        while (!Release());
    }

    /// <summary>False: something was posted meanwhile and nobody else works on it.</summary>
    private bool Release()
    {
        Volatile.Write(ref status, Idle);
        if (!mailbox.Reader.TryPeek(out _)) return true;
        return Interlocked.CompareExchange(ref status, Running, Idle) != Idle;
    }

    private async Task WorkAsync(List<RoomCommand> commands)
    {
        using var span = Diagnostics.StartShared("room turn", commands, static c => c.Trace);
        for (var attempt = 0; attempt < MaxAttempts && commands.Count > 0; attempt++)
        {
            var fresh = stale || room is null;
            if (stale)
            {
                stale = false;
                if (room is not null && !await FollowAsync(room)) room = null;
            }
            if (room is null && !await LoadAsync(commands)) return;
            room!.Trim();
            var turn = new RoomTurn(room, tools.Storage, tools.Server, tools.Clock, tools.Policy);
            var replies = await RunAllAsync(turn, commands);
            if (turn.Events.Count == 0)
            {
                if (!fresh && NeedsProof(commands, replies) && !await tools.Truth.IsAtAsync(room.RoomNid, room.Head))
                {
                    stale = true;
                    continue;
                }
                if (room is { IsNew: true }) room = null;
                CompleteAll(commands, replies, turn, 0);
                return;
            }
            if (await CommitAsync(turn, commands, replies)) return;
            // Two persisters that keep step with each other would keep each other from writing.
            if (attempt > 0) await Task.Delay(TimeSpan.FromMilliseconds(Random.Shared.Next(1, 4 * attempt + 2)), tools.Clock);
        }
        foreach (var command in commands)
            command.Complete(MatrixError.Unavailable("The room is changed by others all the time."));
    }

    /// <summary>Others have moved the room. When they said things only, its state need not be read again. False: it must be.</summary>
    private async Task<bool> FollowAsync(RoomState held) =>
        !held.IsNew && await tools.Storage.Loader.GlanceAsync(roomId, held.EntryNids, CancellationToken.None) is { } glance && held.Follow(glance);

    private async Task<bool> LoadAsync(List<RoomCommand> commands)
    {
        var keys = new List<StateKey>(RoomState.CoreKeys);
        foreach (var command in commands)
        {
            var own = new StateKey(EventTypes.Member, command.Sender);
            if (!keys.Contains(own)) keys.Add(own);
            if (command.FurtherKey is { } further && !keys.Contains(further)) keys.Add(further);
        }
        if (await tools.Storage.Loader.LoadAsync(roomId, keys, CancellationToken.None) is { } loaded)
        {
            room = new RoomState(loaded);
            Diagnostics.Loaded.Add(1);
            // What was looked for and not found is known to be absent, unless somebody moves the room.
            foreach (var key in RoomState.CoreKeys) if (!room.TryGetEntry(key, out _)) room.SetEntry(key, null);
            return true;
        }
        if (commands is [{ NewRoomVersion: { } version }])
        {
            room = new RoomState(await tools.Storage.Numbers.Rooms.NextAsync(CancellationToken.None), roomId, version) { IsNew = true };
            return true;
        }
        foreach (var command in commands) command.Complete(command.UnknownRoom);
        return false;
    }

    /// <summary>Runs the commands one after the other; what is refused leaves no trace. A command that fails is answered and taken out.</summary>
    private async Task<List<RoomReply>> RunAllAsync(RoomTurn turn, List<RoomCommand> commands)
    {
        var replies = new List<RoomReply>(commands.Count);
        for (var i = 0; i < commands.Count; i++)
        {
            var mark = turn.Here;
            try
            {
                var reply = Repeated(turn, commands[i]) ?? await RunAsync(commands[i], turn);
                if (reply.Error is not null)
                {
                    turn.RollBack(mark);
                    reply = await RefuseAsync(commands[i], reply);
                }
                replies.Add(reply);
            }
            catch (Exception e)
            {
                if (commands[i].RunsAlone) room = null;
                else turn.RollBack(mark);
                commands[i].Fail(e);
                commands.RemoveAt(i--);
            }
        }
        return replies;
    }

    private static async ValueTask<RoomReply> RunAsync(RoomCommand command, RoomTurn turn)
    {
        try
        {
            return await command.RunAsync(turn, CancellationToken.None);
        }
        catch (MatrixException e)
        {
            return e.Error;
        }
    }

    /// <summary>What may not be now may have been allowed when the client said it first, to another process or before a restart.</summary>
    private async ValueTask<RoomReply> RefuseAsync(RoomCommand command, RoomReply reply) =>
        command is ITransactional { TxnId: { } txn } send
        && await tools.Truth.EventOfTransactionAsync(new TransactionKey(command.Sender, send.DeviceId ?? "", roomId, txn)) is { } known
            ? new RoomReply(null, known, Certain: true) : reply;

    private static bool NeedsProof(List<RoomCommand> commands, List<RoomReply> replies)
    {
        for (var i = 0; i < commands.Count; i++) if (!replies[i].Certain) return true;
        return false;
    }

    /// <summary>False: to be tried again, with the commands that are left.</summary>
    private async Task<bool> CommitAsync(RoomTurn turn, List<RoomCommand> commands, List<RoomReply> replies)
    {
        var newRoom = turn.Room.IsNew ? new NewRoom(roomId, turn.Room.Version.Id, IsPublic: false, Alias: null, Creator: "") : null;
        var commit = await turn.SealAsync(newRoom, CancellationToken.None);
        var outcome = await tools.Committer.CommitAsync(commit);
        switch (outcome.Kind)
        {
            case CommitKind.Committed:
                turn.Advance(commit);
                Volatile.Write(ref written, Math.Max(written, outcome.To));
                rivals.Wrote();
                Remember(turn);
                CompleteAll(commands, replies, turn, outcome.To);
                return true;
            case CommitKind.HeadMoved:
                if (turn.TryUndo()) stale = true;
                else room = null;
                Diagnostics.Rebuilt.Add(1);
                rivals.OtherMoved();
                LogMoved(tools.Log, roomId);
                return false;
            case CommitKind.TransactionKnown:
                room = null;
                foreach (var (key, eventId) in outcome.Known!) if (key.RoomId == roomId) Remember((key.DeviceId, key.UserId, key.TxnId), eventId);
                return false;
            case CommitKind.RoomTaken:
                room = null;
                return false;
            default:
                throw new InvalidOperationException($"A room that exists cannot end as {outcome.Kind}.");
        }
    }

    private static void CompleteAll(List<RoomCommand> commands, List<RoomReply> replies, RoomTurn turn, long to)
    {
        for (var i = 0; i < commands.Count; i++) commands[i].Complete(replies[i], PositionOf(replies[i], turn, to));
    }

    private static long PositionOf(RoomReply reply, RoomTurn turn, long to)
    {
        if (to == 0 || reply.EventId is null) return 0;
        var events = turn.Events;
        for (var i = events.Count - 1; i >= 0; i--)
        {
            if (events[i].Pdu.EventId == reply.EventId) return to;
            if (events[i].Place == EventPlace.Stream) to--;
        }
        return 0;
    }

    [LoggerMessage(5001, LogLevel.Debug, "Room {RoomId} was moved by another persister; its events are built anew")]
    private static partial void LogMoved(ILogger log, string roomId);
}
