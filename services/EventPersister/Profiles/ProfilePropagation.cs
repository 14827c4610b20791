using System.Text.Json;
using Matrix.EventPersister.Actors;
using Matrix.EventPersister.Sending;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Storage.Profiles;
using Matrix.Storage.Rooms;

namespace Matrix.EventPersister.Profiles;

/// <summary>Writes a changed profile into the member events of the rooms that the user is in.</summary>
internal sealed partial class ProfilePropagation(RoomActors actors, RoomReader rooms, ILogger<ProfilePropagation> log)
{
    private const int RoomsAtOnce = 16;

    public async Task RunAsync(Profile profile, string deviceId, CancellationToken ct)
    {
        var joined = (await rooms.MembershipsOfUserAsync(profile.UserId, ct)).Where(m => m.Membership == Memberships.Join);
        // The profile is changed; that the client goes away does not leave its rooms behind.
        await Parallel.ForEachAsync(joined, new ParallelOptions { MaxDegreeOfParallelism = RoomsAtOnce, CancellationToken = CancellationToken.None },
            async (member, _) =>
            {
                try
                {
                    var reply = await actors.RunAsync(member.RoomId, new ProfileCommand(profile, deviceId));
                    if (reply.Error is { } error) LogRefused(log, member.RoomId, profile.UserId, error.Message);
                }
                catch (Exception e) when (e is not OutOfMemoryException)
                {
                    // One room that cannot be written does not keep the others from it. Synapse: the same.
                    LogFailed(log, e, member.RoomId, profile.UserId);
                }
            });
    }

    private sealed class ProfileCommand(Profile profile, string deviceId) : RoomCommand(profile.UserId, CancellationToken.None)
    {
        public override async ValueTask<RoomReply> RunAsync(RoomTurn turn, CancellationToken ct)
        {
            var member = await turn.GetAsync(new StateKey(EventTypes.Member, profile.UserId), ct);
            if (member is not { Membership: Memberships.Join }) return new RoomReply(null, null);
            using var old = JsonDocument.Parse(member.Content);
            var content = EventContent.Write(w =>
            {
                // What authorised the join does not go on authorising later events.
                EventContent.CopyMembers(w, old.RootElement, "displayname", "avatar_url", "join_authorised_via_users_server", "reason");
                if (profile.DisplayName is { } name) w.WriteString("displayname", name);
                if (profile.AvatarUrl is { } avatar) w.WriteString("avatar_url", avatar);
            });
            return RoomReply.Of(await turn.AppendAsync(new EventIntent(EventTypes.Member, profile.UserId, profile.UserId, content) { DeviceId = deviceId }, ct));
        }
    }

    [LoggerMessage(5020, LogLevel.Information, "Room {RoomId} refused the new profile of {UserId}: {Reason}")]
    private static partial void LogRefused(ILogger log, string roomId, string userId, string reason);
    [LoggerMessage(5021, LogLevel.Warning, "The new profile of {UserId} could not be written into room {RoomId}")]
    private static partial void LogFailed(ILogger log, Exception e, string roomId, string userId);
}
