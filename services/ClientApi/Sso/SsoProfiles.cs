using System.Buffers;
using System.Text.Json;
using Matrix.ClientApi.Sso.Pictures;
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

/// <summary>A user's name and picture here are those that he has at the provider: from the first login, or at each (<c>sso.update_profile_information</c>).</summary>
internal sealed partial class SsoProfiles(
    SsoPictures pictures, ProfileStore profiles, RoomReader rooms, IRoomWriter writer, IStreamPublisher publisher, HomeserverConfig config, ILogger<SsoProfiles> log)
{
    private const int RoomsAtOnce = 16;

    public bool FollowProviders => config.Sso.UpdateProfileInformation;

    public async Task UpdateAsync(UserId user, SsoIdentity identity, CancellationToken ct)
    {
        var avatar = identity.Picture is { } address ? await pictures.StoreAsync(user, address, ct) : null;
        if (avatar is null && identity.DisplayName is not { Length: > 0 }) return;
        var (profile, batches) = await profiles.ChangeAsync(user.Value, p => p with
        {
            DisplayName = identity.DisplayName is { Length: > 0 } name ? name : p.DisplayName,
            AvatarUrl = avatar ?? p.AvatarUrl,
        }, ct);
        if (profile is null || batches.Count == 0) return;
        await publisher.PublishAllAsync(batches);
        var joined = (await rooms.MembershipsOfUserAsync(user.Value, ct)).Where(m => m.Membership == Memberships.Join).Select(m => m.RoomNid).ToList();
        var members = await rooms.CurrentStateAsync(joined, [new StateKey(EventTypes.Member, user.Value)], ct);
        // The profile is changed; that the browser goes away does not leave its rooms behind.
        await Parallel.ForEachAsync(members, new ParallelOptions { MaxDegreeOfParallelism = RoomsAtOnce, CancellationToken = CancellationToken.None },
            async (member, _) => await TellAsync(member, profile));
    }

    private async Task TellAsync(StoredEvent member, Profile profile)
    {
        try
        {
            await writer.SendAsync(new RoomWrite(member.Pdu.RoomId, profile.UserId, [new EventToSend(EventTypes.Member, profile.UserId, With(member.Pdu, profile))]), CancellationToken.None);
        }
        catch (Exception e) when (e is MatrixException or HttpRequestException)
        {
            // One room that cannot be written does not keep the others from it, nor the user from logging in.
            LogNotTold(log, member.Pdu.RoomId, profile.UserId, e.Message);
        }
    }

    /// <summary>The content with another profile; what authorised the join does not go on authorising.</summary>
    private static ReadOnlyMemory<byte> With(Pdu member, Profile profile)
    {
        using var old = JsonDocument.Parse(member.Content);
        var buffer = new ArrayBufferWriter<byte>();
        using (var w = new Utf8JsonWriter(buffer, MatrixResults.WriterOptions))
        {
            w.WriteStartObject();
            foreach (var m in old.RootElement.EnumerateObject())
                if (m.Name is not ("displayname" or "avatar_url" or "join_authorised_via_users_server" or "reason")) m.WriteTo(w);
            if (profile.DisplayName is { } name) w.WriteString("displayname"u8, name);
            if (profile.AvatarUrl is { } avatar) w.WriteString("avatar_url"u8, avatar);
            w.WriteEndObject();
        }
        return buffer.WrittenMemory;
    }

    [LoggerMessage(4040, LogLevel.Warning, "Room {RoomId} does not show the new profile of {UserId}: {Reason}")]
    private static partial void LogNotTold(ILogger log, string roomId, string userId, string reason);
}
