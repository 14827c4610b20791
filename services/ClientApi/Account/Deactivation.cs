using Matrix.Events;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Rooms.Writing;
using Matrix.Storage.Accounts;
using Matrix.Storage.Rooms;
using Matrix.Storage.Streams;

namespace Matrix.ClientApi.Account;

/// <summary>Ends accounts for good. Spec: client-server-api/#post_matrixclientv3accountdeactivate</summary>
internal sealed partial class Deactivation(
    AccountStore accounts, RoomReader rooms, IRoomWriter writer, IStreamPublisher publisher, TimeProvider clock, ILogger<Deactivation> log)
{
    /// <summary>The account is closed first; then its rooms are left, one after the other. A room that cannot be left now is said in the log.</summary>
    public async Task DeactivateAsync(UserId user, bool erase, CancellationToken ct)
    {
        var memberships = await rooms.MembershipsOfUserAsync(user.Value, ct);
        await publisher.PublishAllAsync(await accounts.DeactivateAsync(user.Value, erase, clock.GetUtcNow().ToUnixTimeMilliseconds(), ct));
        // Closed is closed: the client going away does not keep the user in his rooms.
        foreach (var room in memberships.Where(m => m.Membership is Memberships.Join or Memberships.Invite or Memberships.Knock))
            await LeaveAsync(room.RoomId, user);
    }

    private async Task LeaveAsync(string roomId, UserId user)
    {
        try
        {
            await writer.ChangeMembershipAsync(new MembershipWrite(roomId, user.Value, user.Value, "leave"), CancellationToken.None);
        }
        catch (Exception e)
        {
            LogNotLeft(log, e, user.Value, roomId);
        }
    }

    [LoggerMessage(4010, LogLevel.Warning, "Deactivated user {User} could not leave room {Room}")]
    private static partial void LogNotLeft(ILogger log, Exception e, string user, string room);
}
