using Matrix.Storage.Accounts;
using Matrix.Storage.Upkeep;

namespace Matrix.Background.Duties;

/// <summary>Deletes rows of one table that are older than they need to be.</summary>
/// <param name="age">How long rows are kept.</param>
/// <param name="delete">Deletes rows from before a time (milliseconds), at most so many.</param>
internal sealed class ExpiryDuty(string name, TimeSpan interval, TimeSpan age, Func<long, int, CancellationToken, Task<int>> delete, TimeProvider clock)
    : IBackgroundDuty
{
    private const int Portion = 5000;

    public string Name { get; } = name;
    public TimeSpan Interval { get; } = interval;

    public async Task<int> RunAsync(CancellationToken ct)
    {
        var deleted = await delete(clock.GetUtcNow().ToUnixTimeMilliseconds() - (long)age.TotalMilliseconds, Portion, ct);
        return deleted < Portion ? 0 : deleted;
    }

    public static IEnumerable<IBackgroundDuty> All(UpkeepStore store, RegistrationTokenStore tokens, TimeProvider clock) =>
    [
        // Kept a while after they expired: their owners are told to log in again softly, which an unknown token would not.
        new ExpiryDuty("expire_access_tokens", TimeSpan.FromMinutes(10), TimeSpan.FromDays(30), store.DeleteExpiredTokensAsync, clock),
        // Synapse: transaction ids of sends are remembered for a day, too.
        new ExpiryDuty("expire_event_txns", TimeSpan.FromMinutes(15), TimeSpan.FromDays(1), store.DeleteEventTxnsAsync, clock),
        new ExpiryDuty("expire_client_txns", TimeSpan.FromMinutes(15), TimeSpan.FromDays(1), store.DeleteClientTxnsAsync, clock),
        new ExpiryDuty("expire_registration_nonces", TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(5), store.DeleteNoncesAsync, clock),
        new ExpiryDuty("expire_uia_sessions", TimeSpan.FromMinutes(15), TimeSpan.FromDays(2), store.DeleteUiaSessionsAsync, clock),
        new ExpiryDuty("expire_refresh_tokens", TimeSpan.FromMinutes(10), TimeSpan.FromDays(30), store.DeleteRefreshTokensAsync, clock),
        new ExpiryDuty("expire_registration_token_uses", TimeSpan.FromMinutes(15), TimeSpan.FromDays(2), tokens.ExpireUsesAsync, clock),
        new ExpiryDuty("expire_address_proofs", TimeSpan.FromMinutes(15), TimeSpan.FromDays(1), store.DeleteThreepidSessionsAsync, clock),
        new ExpiryDuty("expire_instances", TimeSpan.FromMinutes(1), default, (_, _, ct) => store.DeleteStaleInstancesAsync(TimeSpan.FromMinutes(10), ct), clock),
    ];
}
