using Matrix.Crypto;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.AccountData;

namespace Matrix.EventPersister.Membership;

/// <summary>Who may not be invited, whatever the room says: what its users have set, and what server notices need.</summary>
internal sealed class InviteRules(InvitePermissions permissions, HomeserverConfig config, ServerIdentity server)
{
    /// <summary>The user whom server notices come from; null: there are none. Nobody turns his invites down.</summary>
    public string? NoticesUser { get; } = config.ServerNotices is { } notices ? UserId.Of(notices.Localpart, server.ServerName).Value : null;

    /// <summary>M_INVITE_BLOCKED when one of them wants no invites. Users of other servers are asked there.</summary>
    public async ValueTask RequireAsync(string sender, IReadOnlyCollection<string> invited, CancellationToken ct)
    {
        if (invited.Count == 0 || sender == NoticesUser) return;
        // Synapse: the same.
        if (NoticesUser is not null && invited.Contains(NoticesUser)) throw MatrixError.Forbidden("Cannot invite this user").AsException();
        if (await permissions.FirstBlockingAsync(invited, ct) is { } unwilling) throw MatrixError.InviteBlocked(unwilling).AsException();
    }
}
