using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Rooms;
using Microsoft.Extensions.Logging;

namespace Matrix.Rooms.Writing;

/// <summary>Takes a user out of his rooms.</summary>
public sealed partial class RoomDepartures(RoomReader rooms, IRoomWriter writer, ILogger<RoomDepartures> log)
{
    /// <summary>
    /// Leaves every room that the user has joined, turns down invites and takes back knocks, one after the other. False: one could not be left now, which is said in
    /// the log.
    /// </summary>
    public async Task<bool> LeaveAllAsync(UserId user, CancellationToken ct)
    {
        var all = true;
        foreach (var room in await rooms.MembershipsOfUserAsync(user.Value, ct))
            if (room.Membership is Memberships.Join or Memberships.Invite or Memberships.Knock) all &= await LeaveAsync(room.RoomId, user, ct);
        return all;
    }

    private async Task<bool> LeaveAsync(string roomId, UserId user, CancellationToken ct)
    {
        try
        {
            await writer.ChangeMembershipAsync(new MembershipWrite(roomId, user.Value, user.Value, "leave"), ct);
            return true;
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            LogNotLeft(log, e, user.Value, roomId);
            return false;
        }
    }

    [LoggerMessage(4010, LogLevel.Warning, "User {User} could not leave room {Room}")]
    private static partial void LogNotLeft(ILogger log, Exception e, string user, string room);
}
