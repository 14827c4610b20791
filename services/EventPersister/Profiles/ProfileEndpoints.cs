using System.Text.Json;
using Matrix.Crypto;
using Matrix.Primitives;
using Matrix.Replication;
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

    private static async Task<IResult> Get(string userId, ProfileStore store, ServerIdentity server, CancellationToken ct)
    {
        var profile = await FindAsync(userId, store, server, ct);
        return MatrixResults.Object(w => ProfileFields.WriteAll(w, profile));
    }

    private static async Task<IResult> GetField(string userId, string keyName, ProfileStore store, ServerIdentity server, CancellationToken ct)
    {
        ProfileFields.CheckKey(keyName);
        var value = ProfileFields.Value(await FindAsync(userId, store, server, ct), keyName);
        // Synapse: the two oldest fields are there, if empty, whenever the user is.
        if (value is null && keyName is (ProfileFields.DisplayName or ProfileFields.AvatarUrl)) return MatrixResults.Empty;
        if (value is null) throw MatrixError.NotFound("No such profile field").AsException();
        return MatrixResults.Object(w =>
        {
            w.WritePropertyName(keyName);
            w.WriteRawValue(value, skipInputValidation: true);
        });
    }

    private static async Task<IResult> PutField(string userId, string keyName, Requester requester, JsonBody body, ProfileChanges changes, CancellationToken ct)
    {
        Authorise(userId, keyName, requester);
        if (!body.AsObject().TryGetProperty(keyName, out var value)) throw MatrixError.MissingParam($"Missing '{keyName}' parameter").AsException();
        await changes.ApplyAsync(userId, requester, p => ProfileFields.With(p, keyName, value), ct);
        return MatrixResults.Empty;
    }

    private static async Task<IResult> DeleteField(string userId, string keyName, Requester requester, ProfileChanges changes, CancellationToken ct)
    {
        Authorise(userId, keyName, requester);
        await changes.ApplyAsync(userId, requester, p => ProfileFields.Without(p, keyName), ct);
        return MatrixResults.Empty;
    }

    private static void Authorise(string userId, string keyName, Requester requester)
    {
        if (!requester.IsAdmin) requester.RequireSelf(new UserId(userId), "Cannot change the profile of another user.");
        ProfileFields.CheckKey(keyName);
        if (requester.IsGuest && keyName != ProfileFields.DisplayName)
            throw MatrixError.Custom(403, "M_GUEST_ACCESS_FORBIDDEN", "Guests change their display name only").AsException();
    }

    private static async Task<Profile> FindAsync(string userId, ProfileStore store, ServerIdentity server, CancellationToken ct)
    {
        if (!UserId.TryParse(userId, null, out var user)) throw MatrixError.InvalidParam($"'{userId}' is not a user id").AsException();
        var profile = server.IsMine(user.Value) ? await store.FindAsync(user.Value, ct) : null;
        return profile ?? throw MatrixError.NotFound("Profile was not found").AsException();
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
