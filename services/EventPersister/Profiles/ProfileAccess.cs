using System.Text;
using System.Text.Json;
using Matrix.Crypto;
using Matrix.FederationClient.Profiles;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Profiles;
using Matrix.Storage.Spaces;
using Matrix.Web.Auth;

namespace Matrix.EventPersister.Profiles;

/// <summary>Reads profiles for those who may: of our users, and of others at their servers. Spec: client-server-api/#profiles</summary>
internal sealed class ProfileAccess(ProfileStore store, RemoteProfiles remote, RoomFactsReader rooms, ServerIdentity server, HomeserverConfig config)
{
    /// <summary>The user, if whoever asks may know his profile; M_MISSING_TOKEN, M_FORBIDDEN.</summary>
    public async Task<UserId> RequireAsync(string userId, Requester? requester, CancellationToken ct)
    {
        if (!UserId.TryParse(userId, null, out var user)) throw MatrixError.InvalidParam($"'{userId}' is not a user id").AsException();
        var rules = config.Accounts.Profiles;
        if (!rules.RequireAuth && !rules.SharedRoomsOnly) return user;
        if (requester is null) throw MatrixError.MissingToken().AsException();
        // Synapse: one's own profile is always there, and administrators are no exception.
        if (rules.SharedRoomsOnly && user != requester.UserId && (await rooms.MutualAsync(requester.UserId.Value, user.Value, ct)).Count == 0)
            throw MatrixError.Forbidden("Profile isn't available").AsException();
        return user;
    }

    /// <summary>Writes all fields; M_NOT_FOUND.</summary>
    public async Task<Action<Utf8JsonWriter>> AllAsync(UserId user, CancellationToken ct)
    {
        if (!server.IsMine(user.Value))
        {
            var json = await AskAsync(user, null, ct);
            return w =>
            {
                foreach (var member in new CanonicalObject(json))
                {
                    if (!IsSound(member.Name, member.Value)) continue;
                    w.WritePropertyName(member.Name);
                    w.WriteRawValue(member.Value, skipInputValidation: true);
                }
            };
        }
        var profile = await FindAsync(user, ct);
        return w => ProfileFields.WriteAll(w, profile);
    }

    /// <summary>Raw JSON of a field; null: not set. M_NOT_FOUND: there is no such user.</summary>
    public async Task<byte[]?> FieldAsync(UserId user, string key, CancellationToken ct)
    {
        if (server.IsMine(user.Value)) return ProfileFields.Value(await FindAsync(user, ct), key);
        var json = await AskAsync(user, key, ct);
        var name = Encoding.UTF8.GetBytes(key);
        return new CanonicalObject(json).TryGet(name, out var value) && IsSound(name, value) ? value.ToArray() : null;
    }

    // The specification has one answer for who is unknown and for a server that does not answer; Synapse has 502 for the latter.
    private async Task<byte[]> AskAsync(UserId user, string? field, CancellationToken ct) => await remote.FindAsync(user, field, ct) ?? throw NotFound();

    /// <summary>Other servers may tell what they like: fields whose type is known are left out unless they have it.</summary>
    private static bool IsSound(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value) =>
        value[0] == '"' || !(name.SequenceEqual("displayname"u8) || name.SequenceEqual("avatar_url"u8) || name.SequenceEqual("m.tz"u8));

    private async Task<Profile> FindAsync(UserId user, CancellationToken ct) => await store.FindAsync(user.Value, ct) ?? throw NotFound();

    private static MatrixException NotFound() => MatrixError.NotFound("Profile was not found").AsException();
}
