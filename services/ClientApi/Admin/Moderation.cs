using Matrix.Primitives;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Storage.Streams;
using Matrix.Web.Auth;

namespace Matrix.ClientApi.Admin;

/// <summary>What administrators do to accounts of this server.</summary>
internal sealed class Moderation(ModerationStore store, IStreamPublisher publisher, HomeserverConfig config)
{
    /// <summary>The account; M_INVALID_PARAM for one of another server, M_NOT_FOUND for none, or one that is closed.</summary>
    public async Task<AccountStateRecord> FindAsync(Requester requester, UserId user, CancellationToken ct)
    {
        requester.RequireAdmin();
        if (user.Server != config.ServerName) throw MatrixError.InvalidParam("User does not belong to the local server.").AsException();
        return await store.FindAsync(user.Value, ct) is { Deactivated: false } account ? account : throw MatrixError.NotFound("User not found.").AsException();
    }

    /// <summary>As <see cref="FindAsync"/>; M_FORBIDDEN for another administrator. Spec: openapi/client-server/admin.yaml</summary>
    public async Task<AccountStateRecord> FindOtherAsync(Requester requester, UserId user, CancellationToken ct)
    {
        var account = await FindAsync(requester, user, ct);
        return user != requester.UserId && account.IsAdmin ? throw MatrixError.Forbidden("That is another administrator.").AsException() : account;
    }

    /// <summary>As <see cref="FindAsync"/>, for changes: nobody changes himself or another administrator.</summary>
    private async Task RequireOtherAsync(Requester requester, UserId user, CancellationToken ct)
    {
        var account = await FindAsync(requester, user, ct);
        if (user == requester.UserId || account.IsAdmin) throw MatrixError.Forbidden("You cannot do that to yourself or to another administrator.").AsException();
    }

    public async Task SetLockedAsync(Requester requester, UserId user, bool locked, CancellationToken ct)
    {
        await RequireOtherAsync(requester, user, ct);
        await publisher.PublishAllAsync(await store.SetLockedAsync(user.Value, locked, ct));
    }

    public async Task SetSuspendedAsync(Requester requester, UserId user, bool suspended, CancellationToken ct)
    {
        await RequireOtherAsync(requester, user, ct);
        await publisher.PublishAllAsync(await store.SetSuspendedAsync(user.Value, suspended, ct));
    }

    public async Task SetShadowBannedAsync(Requester requester, UserId user, bool banned, CancellationToken ct)
    {
        await RequireOtherAsync(requester, user, ct);
        await publisher.PublishAllAsync(await store.SetShadowBannedAsync(user.Value, banned, ct));
    }

    /// <param name="expiresTsMs">Null: never.</param>
    public async Task SetExpiryAsync(Requester requester, UserId user, long? expiresTsMs, CancellationToken ct)
    {
        await FindAsync(requester, user, ct);
        await publisher.PublishAllAsync(await store.SetExpiryAsync(user.Value, expiresTsMs, ct));
    }

    /// <param name="limit">Null: the usual limits.</param>
    public async Task SetOverrideAsync(Requester requester, UserId user, RateOverride? limit, CancellationToken ct)
    {
        await FindAsync(requester, user, ct);
        await publisher.PublishAllAsync(await store.SetOverrideAsync(user.Value, limit, ct));
    }
}
