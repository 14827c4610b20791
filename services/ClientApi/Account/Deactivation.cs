using Matrix.ClientApi.ThirdPartyIds;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Rooms.Writing;
using Matrix.Storage.Accounts;
using Matrix.Storage.Streams;

namespace Matrix.ClientApi.Account;

/// <summary>Ends accounts for good. Spec: client-server-api/#post_matrixclientv3accountdeactivate</summary>
internal sealed class Deactivation(
    AccountStore accounts, DeactivationStore pending, RoomDepartures departures, IdentityServers identityServers, IStreamPublisher publisher, TimeProvider clock)
{
    /// <summary>
    /// The account is closed first, together with a note that its rooms are to be left; then they are left. What cannot be left now, or not before this
    /// process ends, a duty of Background leaves by that note. False: an address could not be unbound at its identity server.
    /// </summary>
    /// <param name="identityServer">Where addresses are unbound; null: where they were bound.</param>
    public async Task<bool> DeactivateAsync(UserId user, bool erase, CancellationToken ct, string? identityServer = null)
    {
        var unbound = await identityServers.UnbindAllAsync(user, identityServer, ct);
        // From here on nothing is cancelled: the client going away does not keep the user in his rooms.
        await publisher.PublishAllAsync(await accounts.DeactivateAsync(user.Value, erase, clock.GetUtcNow().ToUnixTimeMilliseconds(), CancellationToken.None));
        if (await departures.LeaveAllAsync(user, CancellationToken.None)) await pending.DoneAsync(user.Value, CancellationToken.None);
        return unbound;
    }
}
