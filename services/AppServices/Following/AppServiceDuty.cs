using Matrix.Crypto;
using Matrix.Replication;
using Matrix.Storage.Events;
using Matrix.Storage.Following;
using Matrix.Web.AppServices;
using Matrix.Web.Following;
using Npgsql;

namespace Matrix.AppServices.Following;

/// <summary>
/// What one application service has been told of, as a saved position. Nothing is sent yet: the position says where the sending of transactions
/// will begin, and the metrics how much of it there would have been.
/// </summary>
internal sealed class AppServiceDuty(AppServiceRegistration registration, Shard shard, ServerIdentity identity, AppServiceMetrics metrics) : IFollowingDuty
{
    public string Reader { get; } = "appservices:" + registration.Id;
    public IReadOnlyList<StreamDefinition> Streams { get; } = [Replication.Streams.Events];
    public bool IsMine => shard.Owns(registration.Id);

    /// <summary>A new service is told of what happens from now on.</summary>
    public Task RebuildAsync(CancellationToken ct) => Task.CompletedTask;

    public bool Concerns(StreamDefinition stream, StreamRow row) => IsInteresting(EventRow.Decode(row));

    public Task ApplyAsync(NpgsqlTransaction tx, StreamDefinition stream, IReadOnlyList<StreamRow> rows, CancellationToken ct)
    {
        metrics.Interesting(registration.Id, rows.Count);
        return Task.CompletedTask;
    }

    /// <summary>By what the event itself names: its room, its sender, its target. Members and aliases of the room come with the sending.</summary>
    private bool IsInteresting(EventRow e) =>
        registration.IsInterestedInRoom(e.RoomId)
        || (identity.IsMine(e.Sender) && registration.IsInterestedInUser(e.Sender))
        || (e is { Type: "m.room.member", StateKey: { } target } && identity.IsMine(target) && registration.IsInterestedInUser(target));
}
