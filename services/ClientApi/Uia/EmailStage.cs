using Matrix.ClientApi.Account;
using Matrix.ClientApi.Pages;
using Matrix.ClientApi.ThirdPartyIds;
using Matrix.Primitives;
using Matrix.Storage.Accounts;
using Matrix.Web.RateLimits;

namespace Matrix.ClientApi.Uia;

/// <summary>By a mail with a link, which leads back to the page.</summary>
internal sealed class EmailStage(ThreepidProofs proofs, ThreepidRules rules, RequestTokens tokens, UiaSessionStore sessions, RateLimiter limiter, Pages.Pages pages)
    : ThreepidStage(proofs, rules, tokens, sessions, limiter, pages)
{
    public const string Name = "m.login.email.identity";
    public override string Type => Name;
    protected override string Medium => Threepids.Email;
    protected override string Template => "uia_email.html";

    protected override Task<string> RequestAsync(string purpose, string address, string secret, long attempt, string returnPath, CancellationToken ct) =>
        Tokens.MailAsync(purpose, address, secret, attempt, Proofs.AddressOf(returnPath), ct);

    protected override async ValueTask<UiaVerdict> ConfirmAsync(UiaPageRequest request, BegunProof begun, FormBody form, CancellationToken ct) =>
        await FindAsync(request, begun, ct) ?? MatrixError.Custom(401, "M_UNAUTHORIZED", "The link in the mail has not been opened yet.");

    /// <summary>The link of the mail brings the browser back here, with everything done.</summary>
    public override async ValueTask<UiaVerdict?> ReturnAsync(UiaPageRequest request, CancellationToken ct) =>
        BegunIn(request) is { } begun ? await FindAsync(request, begun, ct) : null;
}
