using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Web.Auth;

namespace Matrix.ClientApi.Account;

/// <summary>Whether the server has room for one more session. Spec: client-server-api/#common-error-codes (M_RESOURCE_LIMIT_EXCEEDED)</summary>
internal sealed class UsageGate(UsageStore store, HomeserverConfig config, TimeProvider clock)
{
    /// <summary>Synapse: a month of thirty days.</summary>
    public static readonly TimeSpan Month = TimeSpan.FromDays(30);

    private readonly UsageConfig usage = config.Usage;

    /// <summary>Who has an account and wants a session.</summary>
    public async ValueTask RequireAsync(UserId user, CancellationToken ct)
    {
        if (usage is { DisabledMessage: null, MaxMonthlyUsers: null }) return;
        var known = await AskAsync(user.Value, ct);
        if (usage.DisabledMessage is not null && !known.IsAdmin) throw UsageRules.Disabled(usage).AsException();
        if (known.Active >= usage.MaxMonthlyUsers && !known.IsLetIn) throw UsageRules.Full(usage).AsException();
    }

    /// <summary>Who wants an account.</summary>
    public async ValueTask RequireForNewAsync(bool isGuest, IReadOnlyList<ProvedAddress> addresses, CancellationToken ct)
    {
        if (usage.DisabledMessage is not null) throw UsageRules.Disabled(usage).AsException();
        if (isGuest || usage.MaxMonthlyUsers is not { } most || addresses.Any(a => usage.Reserved.Any(r => r.Medium == a.Medium && r.Address == a.Address))) return;
        if ((await AskAsync(null, ct)).Active >= most) throw UsageRules.Full(usage).AsException();
    }

    /// <summary>More than which the server refuses new sessions is reached.</summary>
    public async Task<bool> IsFullAsync(CancellationToken ct) => usage.MaxMonthlyUsers is { } most && (await AskAsync(null, ct)).Active >= most;

    private Task<UsageRecord> AskAsync(string? user, CancellationToken ct)
    {
        var now = clock.GetUtcNow();
        return store.AskAsync(
            user, (now - Month).ToUnixTimeMilliseconds(), (long)usage.Trial.TotalMilliseconds, now.ToUnixTimeMilliseconds(),
            [.. usage.Reserved.Select(r => (r.Medium, r.Address))], ct);
    }
}
