using System.Text.Json;
using Matrix.ClientApi.Account;
using Matrix.ClientApi.Mail;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Web.Json;
using Matrix.Web.RateLimits;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.ThirdPartyIds;

/// <summary>Beginning the proof of an address. Spec: openapi/client-server/administrative_contact.yaml, registration.yaml, password_management.yaml</summary>
internal static class RequestTokenEndpoints
{
    public static void MapRequestTokens(this ClientRoutes routes)
    {
        foreach (var (path, name, purpose) in (ReadOnlySpan<(string, string, string)>)
        [
            ("/register", "register", ProofPurpose.Register), ("/account/3pid", "add", ProofPurpose.Add), ("/account/password", "reset", ProofPurpose.Reset),
        ])
        {
            routes.Post(ClientVersions.R0V3Unstable, path + "/email/requestToken",
                    (JsonBody body, RequestTokens tokens, CancellationToken ct) => tokens.ByMailAsync(purpose, body.AsObject(), ct))
                .Anonymous().Named($"request_{name}_email_token").RateLimited(RateLimitRules.ThirdPartyValidation);
            routes.Post(ClientVersions.R0V3Unstable, path + "/msisdn/requestToken",
                    (JsonBody body, RequestTokens tokens, CancellationToken ct) => tokens.ByPhoneAsync(purpose, body.AsObject(), ct))
                .Anonymous().Named($"request_{name}_msisdn_token").RateLimited(RateLimitRules.ThirdPartyValidation);
        }
    }
}

/// <summary>One request for a token by mail or text message.</summary>
internal sealed class RequestTokens(
    ThreepidProofs proofs, ThreepidStore addresses, ThreepidRules rules, MsisdnDelegate phones, IMailer mailer, RateLimiter limiter, HomeserverConfig config)
{
    public async Task<IResult> ByMailAsync(string purpose, JsonElement request, CancellationToken ct)
    {
        Require(Threepids.Email, purpose);
        var secret = ThreepidProofs.SecretOf(request);
        var attempt = AttemptOf(request);
        var next = ThreepidRules.CheckNextLink(request.StringOrNull("next_link"));
        return Sid(await MailAsync(purpose, request.RequiredString("email"), secret, attempt, next, ct));
    }

    public async Task<IResult> ByPhoneAsync(string purpose, JsonElement request, CancellationToken ct)
    {
        Require(Threepids.Phone, purpose);
        var secret = ThreepidProofs.SecretOf(request);
        var attempt = AttemptOf(request);
        var next = ThreepidRules.CheckNextLink(request.StringOrNull("next_link"));
        var (sid, submit) = await TextAsync(purpose, request.RequiredString("country"), request.RequiredString("phone_number"), secret, attempt, next, ct);
        return MatrixResults.Object(w =>
        {
            w.WriteString("sid"u8, sid);
            if (submit is not null) w.WriteString("submit_url"u8, submit);
        });
    }

    /// <summary>Whether addresses of this kind can be proved here at all; M_THREEPID_MEDIUM_NOT_SUPPORTED, M_FORBIDDEN.</summary>
    public void Require(string medium, string purpose)
    {
        if (medium == Threepids.Email ? !mailer.IsEnabled : !phones.IsEnabled)
            throw MatrixError.Custom(400, "M_THREEPID_MEDIUM_NOT_SUPPORTED",
                medium == Threepids.Email ? "This homeserver does not send mail." : "Telephone numbers are not supported by this homeserver.").AsException();
        if (purpose == ProofPurpose.Register && (!config.EnableRegistration || (medium == Threepids.Phone && config.Accounts.DisableMsisdnRegistration)))
            throw MatrixError.Forbidden("Registration has been disabled").AsException();
    }

    /// <summary>Sends a mail; the id of the proof.</summary>
    /// <param name="attempt">One that was answered before sends nothing.</param>
    public async Task<string> MailAsync(string purpose, string email, string secret, long attempt, string? next, CancellationToken ct)
    {
        var address = purpose == ProofPurpose.Reset
            ? Threepids.Canonical(Threepids.Email, email) ?? throw MatrixError.InvalidParam("Unable to parse the address").AsException()
            : rules.Check(Threepids.Email, email);
        await limiter.RequireAsync(RateLimitRules.ThirdPartyValidation, null, address, ct);
        if (await IsRefusedAsync(purpose, Threepids.Email, address, ct)) return ThreepidProofs.NewId();
        return await proofs.BeginAsync(new ThreepidRequest(Threepids.Email, address, secret, purpose, attempt, next), ct);
    }

    /// <summary>Sends a text message; the id of the proof, and where the delegate wants its code (null: it does not say).</summary>
    public async Task<(string Sid, string? SubmitUrl)> TextAsync(
        string purpose, string country, string number, string secret, long attempt, string? next, CancellationToken ct)
    {
        var canonical = Threepids.Msisdn(country, number) ?? throw MatrixError.InvalidParam("Unable to parse phone number").AsException();
        if (purpose != ProofPurpose.Reset) rules.Check(Threepids.Phone, canonical);
        await limiter.RequireAsync(RateLimitRules.ThirdPartyValidation, null, canonical, ct);
        if (await IsRefusedAsync(purpose, Threepids.Phone, canonical, ct)) return (ThreepidProofs.NewId(), null);
        var answer = await phones.RequestAsync(country, number, secret, attempt, next, ct);
        return (answer.StringOrNull("sid")!, answer.StringOrNull("submit_url"));
    }

    /// <summary>True: the client is told that all is well, and nothing is sent to prove it (request_token_inhibit_3pid_errors).</summary>
    private async Task<bool> IsRefusedAsync(string purpose, string medium, string address, CancellationToken ct)
    {
        var known = await addresses.OwnerAsync(medium, address, ct) is not null;
        if (known == (purpose == ProofPurpose.Reset)) return false;
        if (!config.Accounts.InhibitThreepidErrors)
            throw (known
                ? MatrixError.Custom(400, "M_THREEPID_IN_USE", "The address is already in use")
                : MatrixError.Custom(400, "M_THREEPID_NOT_FOUND", "The address was not found")).AsException();
        if (known && medium == Threepids.Email) await proofs.TellInUseAsync(address, ct);
        return true;
    }

    private static long AttemptOf(JsonElement request) =>
        request.IntOrNull("send_attempt") ?? throw MatrixError.MissingParam("Missing 'send_attempt' parameter").AsException();

    private static IResult Sid(string sid) => MatrixResults.Object(w => w.WriteString("sid"u8, sid));
}
