using System.Text.Json;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Profiles;
using Matrix.Storage.Streams;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.EventPersister.Profiles;

/// <summary>Profiles. They stand here, with what creates events, because a change goes into the rooms. Spec: client-server-api/#profiles</summary>
internal static class ProfileEndpoints
{
    public static void MapProfiles(this ClientRoutes routes)
    {
        const ClientVersions All = ClientVersions.ApiV1R0V3Unstable;
        routes.Get(All, "/profile/{userId}", Get).OptionalAuth().AllowGuests().Named("get_profile");
        routes.Get(All, "/profile/{userId}/{keyName}", GetField).OptionalAuth().AllowGuests().Named("get_profile_field");
        routes.Put(All, "/profile/{userId}/{keyName}", PutField).AllowGuests().Named("set_profile_field").BodyLimit(128 * 1024);
        routes.Delete(All, "/profile/{userId}/{keyName}", DeleteField).AllowGuests().Named("delete_profile_field");
    }

    private static async Task<IResult> Get(string userId, Requester? requester, ProfileAccess access, CancellationToken ct) =>
        MatrixResults.Object(await access.AllAsync(await access.RequireAsync(userId, requester, ct), ct));

    private static async Task<IResult> GetField(string userId, string keyName, Requester? requester, ProfileAccess access, CancellationToken ct)
    {
        ProfileFields.CheckKey(keyName);
        var value = await access.FieldAsync(await access.RequireAsync(userId, requester, ct), keyName, ct);
        // Synapse: the two oldest fields are there, if empty, whenever the user is.
        if (value is null && keyName is (ProfileFields.DisplayName or ProfileFields.AvatarUrl)) return MatrixResults.Empty;
        if (value is null) throw MatrixError.NotFound("No such profile field").AsException();
        return MatrixResults.Object(w =>
        {
            w.WritePropertyName(keyName);
            w.WriteRawValue(value, skipInputValidation: true);
        });
    }

    private static async Task<IResult> PutField(
        string userId, string keyName, Requester requester, JsonBody body, ProfileChanges changes, AvatarRules avatars, HomeserverConfig config, CancellationToken ct)
    {
        Authorise(userId, keyName, requester);
        if (!body.AsObject().TryGetProperty(keyName, out var value)) throw MatrixError.MissingParam($"Missing '{keyName}' parameter").AsException();
        if (keyName == ProfileFields.AvatarUrl && value.ValueKind == JsonValueKind.String) await avatars.RequireAsync(value.GetString(), ct);
        await changes.ApplyAsync(userId, requester, p => ProfileFields.With(Changeable(p, keyName, requester, config), keyName, value), ct);
        return MatrixResults.Empty;
    }

    private static async Task<IResult> DeleteField(string userId, string keyName, Requester requester, ProfileChanges changes, HomeserverConfig config, CancellationToken ct)
    {
        Authorise(userId, keyName, requester);
        await changes.ApplyAsync(userId, requester, p => ProfileFields.Without(Changeable(p, keyName, requester, config), keyName), ct);
        return MatrixResults.Empty;
    }

    /// <summary>Synapse: what users may not change they may still set once, and administrators may change it.</summary>
    private static Profile Changeable(Profile profile, string key, Requester requester, HomeserverConfig config)
    {
        var isFixed = key switch
        {
            ProfileFields.DisplayName => !config.Accounts.Profiles.SetDisplayName && profile.DisplayName is not null,
            ProfileFields.AvatarUrl => !config.Accounts.Profiles.SetAvatarUrl && profile.AvatarUrl is not null,
            _ => false,
        };
        return isFixed && !requester.IsAdmin ? throw MatrixError.Forbidden($"Changing '{key}' is disabled on this server").AsException() : profile;
    }

    private static void Authorise(string userId, string keyName, Requester requester)
    {
        if (!requester.IsAdmin) requester.RequireSelf(new UserId(userId), "Cannot change the profile of another user.");
        ProfileFields.CheckKey(keyName);
        if (requester.IsGuest && keyName != ProfileFields.DisplayName)
            throw MatrixError.Custom(403, "M_GUEST_ACCESS_FORBIDDEN", "Guests change their display name only").AsException();
    }
}

/// <summary>Changes profiles, and the member events that show them.</summary>
internal sealed class ProfileChanges(ProfileStore store, IStreamPublisher publisher, ProfilePropagation propagation)
{
    public async Task ApplyAsync(string userId, Requester requester, Func<Profile, Profile> change, CancellationToken ct)
    {
        Profile? before = null;
        var (after, batches) = await store.ChangeAsync(userId, p => change(before = p), ct);
        if (after is null) throw MatrixError.NotFound("User does not exist").AsException();
        await publisher.PublishAllAsync(batches);
        if (before!.DisplayName != after.DisplayName || before.AvatarUrl != after.AvatarUrl) await propagation.RunAsync(after, requester.DeviceId, ct);
    }
}
