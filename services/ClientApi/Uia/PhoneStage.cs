using Matrix.ClientApi.Account;
using Matrix.ClientApi.Pages;
using Matrix.ClientApi.ThirdPartyIds;
using Matrix.Primitives;
using Matrix.Storage.Accounts;
using Matrix.Web.RateLimits;

namespace Matrix.ClientApi.Uia;

/// <summary>By a text message with a code, which the server that sent it judges.</summary>
internal sealed class PhoneStage(ThreepidProofs proofs, ThreepidRules rules, RequestTokens tokens, UiaSessionStore sessions, RateLimiter limiter, Pages.Pages pages)
    : ThreepidStage(proofs, rules, tokens, sessions, limiter, pages)
{
    public const string Name = "m.login.msisdn";
    /// <summary>Characters; codes have six digits, mostly.</summary>
    private const int MaxCode = 64;

    public override string Type => Name;
    protected override string Medium => Threepids.Phone;
    protected override string Template => "uia_msisdn.html";

    protected override async Task<string> RequestAsync(string purpose, string address, string secret, long attempt, string returnPath, CancellationToken ct)
    {
        // The page has one field: the number says which country it is of.
        var number = address.StartsWith("00", StringComparison.Ordinal) ? "+" + address[2..] : address;
        if (!number.StartsWith('+') || CallingCodes.CountryOf(string.Concat(number.Where(char.IsAsciiDigit))) is not { } country)
            throw MatrixError.InvalidParam("Begin with + and the code of your country.").AsException();
        return (await Tokens.TextAsync(purpose, country, number, secret, attempt, Proofs.AddressOf(returnPath), ct)).Sid;
    }

    protected override async ValueTask<UiaVerdict> ConfirmAsync(UiaPageRequest request, BegunProof begun, FormBody form, CancellationToken ct)
    {
        // Codes are short: nobody tries many.
        await Limiter.RequireAsync(RateLimitRules.ThirdPartyValidation, null, $"code {begun.Sid}", ct);
        if (form["code"]?.Trim() is { Length: > 0 and <= MaxCode } code) await Proofs.SubmitCodeAsync(begun.Sid, begun.Secret, code, ct);
        return await FindAsync(request, begun, ct) ?? MatrixError.Custom(401, "M_UNAUTHORIZED", "This is not the code of the message.");
    }
}
