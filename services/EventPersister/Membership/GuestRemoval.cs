using System.Text.Json;
using Matrix.EventPersister.Actors;
using Matrix.Storage.Profiles;

namespace Matrix.EventPersister.Membership;

/// <summary>Guests leave a room that no longer lets them in. Spec: client-server-api/#guest-access, server behaviour</summary>
internal sealed partial class GuestRemoval(RoomActors actors, ILogger<GuestRemoval> log)
{
    /// <summary>After such an event was set.</summary>
    public async Task AfterAsync(string roomId, JsonElement guestAccess)
    {
        if (guestAccess.TryGetProperty("guest_access", out var access) && access.ValueKind == JsonValueKind.String && access.ValueEquals("can_join")) return;
        // The room is closed to them: that the client goes away does not leave them in it.
        foreach (var guest in await actors.Tools.Storage.Loader.JoinedGuestsAsync(roomId, CancellationToken.None))
        {
            try
            {
                // Synapse: each leaves by himself, nobody kicks.
                var request = new MembershipRequest(MembershipAction.Leave, guest, guest, Profile.Empty(guest));
                var reply = await actors.RunAsync(roomId, new MembershipCommand(request, CancellationToken.None));
                if (reply.Error is { } error) LogRefused(log, roomId, guest, error.Message);
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                LogFailed(log, e, roomId, guest);
            }
        }
    }

    [LoggerMessage(5030, LogLevel.Warning, "Room {RoomId} did not let its guest {UserId} leave: {Reason}")]
    private static partial void LogRefused(ILogger log, string roomId, string userId, string reason);
    [LoggerMessage(5031, LogLevel.Warning, "Guest {UserId} could not be taken out of room {RoomId}")]
    private static partial void LogFailed(ILogger log, Exception e, string roomId, string userId);
}
