using System.Globalization;
using System.Security.Cryptography;
using Matrix.ClientApi.Account;
using Matrix.ClientApi.Mail;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Storage.Streams;

namespace Matrix.ClientApi.AccountValidity;

/// <summary>Mails that ask users to renew their accounts, and the links in them.</summary>
internal sealed class Renewals(
    AccountRenewalStore store, ThreepidStore addresses, IMailer mailer, MailTemplates mails, Pages.Pages pages, IStreamPublisher publisher,
    HomeserverConfig config, TimeProvider clock)
{
    private const string Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    /// <summary>Links that are older than that are forgotten when the next one is made.</summary>
    private static readonly TimeSpan LinksKept = TimeSpan.FromDays(365);
    private const int AtOnce = 50;
    private const int BegunAtOnce = 1000;
    private readonly AccountsConfig accounts = config.Accounts;
    /// <summary>No account is without an end: looked for once, new ones have one from the beginning.</summary>
    private bool allEnd;
    private long Now => clock.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Accounts end, and users can be asked.</summary>
    public bool AreMailed => accounts is { AccountValidity: not null, RenewAt: not null } && mailer.IsEnabled;

    /// <summary>Asks those whose accounts end soon; how many there were. Fewer than there may be are done at once.</summary>
    public async Task<int> SendDueAsync(CancellationToken ct)
    {
        if (accounts.AccountValidity is not { } period) return 0;
        var begun = allEnd ? 0 : await store.BeginAsync(Now + (long)period.TotalMilliseconds, BegunAtOnce, ct);
        allEnd |= begun < BegunAtOnce;
        if (!AreMailed) return begun;
        var due = await store.ClaimAsync(Now, Now + (long)accounts.RenewAt!.Value.TotalMilliseconds, AtOnce, ct);
        foreach (var account in due)
        {
            try
            {
                await SendAsync(account, ct);
            }
            catch
            {
                await store.UnclaimAsync(account.UserId, CancellationToken.None);
                throw;
            }
        }
        return begun + due.Count;
    }

    public async Task SendAsync(string userId, CancellationToken ct) =>
        await SendAsync(await store.FindAsync(userId, ct) ?? throw MatrixError.Unknown(400, "This account does not end.").AsException(), ct);

    /// <summary>To every mail address of the user, each with the same link; without one there is nobody to write to.</summary>
    private async Task SendAsync(EndingAccount account, CancellationToken ct)
    {
        var to = (await addresses.ListAsync(account.UserId, ct)).Where(a => a.Medium == Threepids.Email).Select(a => a.Address).ToList();
        if (to.Count == 0) return;
        var token = RandomNumberGenerator.GetString(Letters, 32);
        await store.AddAsync(AccessTokenStore.Hash(token), account.UserId, Now, Now - (long)LinksKept.TotalMilliseconds, ct);
        var link = $"{config.PublicBaseUrl ?? $"https://{config.ServerName}/"}_matrix/client/unstable/account_validity/renew?token={token}";
        var values = new Dictionary<string, object?>
        {
            ["url"] = link, ["display_name"] = account.DisplayName ?? account.UserId, ["expiration_ts"] = account.ExpiresTsMs, ["ends"] = Date(account.ExpiresTsMs),
        };
        foreach (var address in to) await mailer.SendAsync(mails.Write("notice_expiry", address, accounts.RenewSubject, link, values), ct);
    }

    /// <summary>What the link of a mail leads to.</summary>
    public async Task<IResult> RenewAsync(string? token, CancellationToken ct)
    {
        var until = clock.GetUtcNow() + (accounts.AccountValidity ?? throw MatrixError.Unrecognized().AsException());
        var result = string.IsNullOrEmpty(token) ? new(null, false, []) : await store.RenewAsync(AccessTokenStore.Hash(token), until.ToUnixTimeMilliseconds(), Now, ct);
        await publisher.PublishAllAsync(result.Batches);
        if (result.ExpiresTsMs is not { } expires) return pages.Show("invalid_token.html", new Dictionary<string, object?>(), 404);
        return pages.Show(result.IsFirst ? "account_renewed.html" : "account_previously_renewed.html",
            new Dictionary<string, object?> { ["expiration_ts"] = expires, ["ends"] = Date(expires) });
    }

    private static string Date(long tsMs) => DateTimeOffset.FromUnixTimeMilliseconds(tsMs).ToString("d MMMM yyyy", CultureInfo.InvariantCulture);
}
