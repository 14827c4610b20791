using System.Buffers;
using System.Text.Json;
using Matrix.Events;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Rooms.Writing;
using Matrix.ServiceDefaults;
using Matrix.Storage.Events;
using Matrix.Storage.Profiles;
using Matrix.Storage.Rooms;
using Matrix.Storage.Streams;
using Matrix.Web.Json;

namespace Matrix.ClientApi.Sso;

/// <summary>A user's name here follows his name at the provider, at each login (<c>sso.update_profile_information</c>).</summary>
internal sealed partial class SsoProfiles(
    ProfileStore profiles, RoomReader rooms, IRoomWriter writer, IStreamPublisher publisher, HomeserverConfig config, ILogger<SsoProfiles> log)
{
    private const int RoomsAtOnce = 16;

    public bool FollowProviders => config.Sso.UpdateProfileInformation;

    public async Task UpdateAsync(UserId user, SsoIdentity identity, CancellationToken ct)
    {
        if (identity.DisplayName is not { Length: > 0 } name) return;
        var (_, batches) = await profiles.ChangeAsync(user.Value, p => p.DisplayName == name ? p : p with { DisplayName = name }, ct);
        if (batches.Count == 0) return;
        await publisher.PublishAllAsync(batches);
        var joined = (await rooms.MembershipsOfUserAsync(user.Value, ct)).Where(m => m.Membership == Memberships.Join).Select(m => m.RoomNid).ToList();
        var members = await rooms.CurrentStateAsync(joined, [new StateKey(EventTypes.Member, user.Value)], ct);
        // The profile is changed; that the browser goes away does not leave its rooms behind.
        await Parallel.ForEachAsync(members, new ParallelOptions { MaxDegreeOfParallelism = RoomsAtOnce, CancellationToken = CancellationToken.None },
            async (member, _) => await TellAsync(member, user, name));
    }

    private async Task TellAsync(StoredEvent member, UserId user, string name)
    {
        try
        {
            await writer.SendAsync(new RoomWrite(member.Pdu.RoomId, user.Value, [new EventToSend(EventTypes.Member, user.Value, With(member.Pdu, name))]), CancellationToken.None);
        }
        catch (Exception e) when (e is MatrixException or HttpRequestException)
        {
            // One room that cannot be written does not keep the others from it, nor the user from logging in.
            LogNotTold(log, member.Pdu.RoomId, user.Value, e.Message);
        }
    }

    /// <summary>The content with another name; what authorised the join does not go on authorising.</summary>
    private static ReadOnlyMemory<byte> With(Pdu member, string name)
    {
        using var old = JsonDocument.Parse(member.Content);
        var buffer = new ArrayBufferWriter<byte>();
        using (var w = new Utf8JsonWriter(buffer, MatrixResults.WriterOptions))
        {
            w.WriteStartObject();
            foreach (var m in old.RootElement.EnumerateObject())
                if (m.Name is not ("displayname" or "join_authorised_via_users_server" or "reason")) m.WriteTo(w);
            w.WriteString("displayname"u8, name);
            w.WriteEndObject();
        }
        return buffer.WrittenMemory;
    }

    [LoggerMessage(4040, LogLevel.Warning, "Room {RoomId} does not show the new name of {UserId}: {Reason}")]
    private static partial void LogNotTold(ILogger log, string roomId, string userId, string reason);
}
