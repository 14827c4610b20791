using System.Diagnostics;
using Matrix.Events;
using Matrix.Primitives;

namespace Matrix.EventPersister.Actors;

/// <summary>What became of a command.</summary>
/// <param name="EventId">Of the event that it made, or of the one that was there already.</param>
/// <param name="Certain">Rests on what was committed, so that it needs no look at whether the room was up to date.</param>
internal readonly record struct RoomReply(MatrixError? Error, string? EventId, bool Certain = false)
{
    public static implicit operator RoomReply(MatrixError error) => new(error, null);
    public static RoomReply Of(Appended appended) => new(appended.Error, appended.EventId);
}

/// <summary>
/// What somebody wants of a room. Runs in the room's actor, once or, when another persister was faster, again from the start: it may keep nothing
/// between runs.
/// </summary>
internal abstract class RoomCommand(string sender, CancellationToken cancelled)
{
    private readonly TaskCompletionSource<RoomReply> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string Sender { get; } = sender;
    /// <summary>The request that it is part of: an actor works outside of any.</summary>
    public ActivityContext Trace { get; } = Activity.Current?.Context ?? default;
    /// <summary>Nobody waits for it any more: not begun when it has not been.</summary>
    public bool IsCancelled => cancelled.IsCancellationRequested;
    public Task<RoomReply> Reply => completion.Task;
    /// <summary>Position in stream events of the last event that it made; 0: none. Known with the reply.</summary>
    public long Position { get; private set; }

    /// <summary>State that it will ask for, so that it is read together with the room.</summary>
    public virtual StateKey? FurtherKey => null;

    /// <summary>It has a turn of its own, and when it fails the room is read again.</summary>
    public virtual bool RunsAlone => false;

    /// <summary>Not null: where there is no such room, one of this version begins.</summary>
    public virtual RoomVersion? NewRoomVersion => null;

    public abstract ValueTask<RoomReply> RunAsync(RoomTurn turn, CancellationToken ct);

    /// <summary>What the client hears when there is no such room. Synapse: nobody is in it.</summary>
    public virtual MatrixError UnknownRoom => MatrixError.Forbidden("Unknown room");

    public void Complete(RoomReply reply, long position = 0)
    {
        Position = position;
        completion.TrySetResult(reply);
    }

    public void Fail(Exception e) => completion.TrySetException(e);
    public void Cancel() => completion.TrySetCanceled(cancelled);
}
