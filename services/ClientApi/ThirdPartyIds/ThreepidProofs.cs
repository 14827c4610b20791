using System.Security.Cryptography;
using System.Text.Json;
using Matrix.ClientApi.Account;
using Matrix.ClientApi.Mail;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Accounts;
using Matrix.Web.Json;

namespace Matrix.ClientApi.ThirdPartyIds;

/// <summary>What an address is proved for. The words stand in links and in the database.</summary>
internal static class ProofPurpose
{
    public const string Add = "add_threepid";
    public const string Register = "registration";
    public const string Reset = "password_reset";
}

/// <summary>
/// Proofs that somebody owns an address: by mail from here, by text message through the server that account_threepid_delegates names.
/// Spec: client-server-api/#adding-account-administrative-contact-information
/// </summary>
internal sealed class ThreepidProofs(
    ThreepidSessionStore sessions, IMailer mailer, MailTemplates templates, MsisdnDelegate phones, HomeserverConfig config, TimeProvider clock)
{
    private const string Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    private const int MaxSecret = 255;
    private long Now => clock.GetUtcNow().ToUnixTimeMilliseconds();

    public static string NewId() => RandomNumberGenerator.GetString(Letters, 16);

    /// <summary>For a proof that we begin in the place of a client: 254 bits.</summary>
    public static string NewSecret() => RandomNumberGenerator.GetString(Letters, 43);

    /// <summary>Spec: openapi/client-server/definitions/request_token.yaml: 0-9 a-z A-Z . = _ -, at most 255.</summary>
    public static string SecretOf(JsonElement request)
    {
        var secret = request.StringOrNull("client_secret") ?? request.StringOrNull("clientSecret") ?? request.RequiredString("client_secret");
        return secret.Length is > 0 and <= MaxSecret && secret.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '=' or '_' or '-')
            ? secret : throw MatrixError.InvalidParam("Invalid client_secret parameter").AsException();
    }

    /// <summary>Sends a mail unless this attempt had its mail; the id of the session.</summary>
    public async Task<string> BeginAsync(ThreepidRequest request, CancellationToken ct)
    {
        var email = config.Accounts.Email!;
        var token = RandomNumberGenerator.GetString(Letters, 32);
        var (sid, send) = await sessions.BeginAsync(
            request, NewId(), AccessTokenStore.Hash(token), Now, Now + (long)email.TokenLifetime.TotalMilliseconds, ct);
        if (!send) return sid;
        var (name, subject) = request.Purpose switch
        {
            ProofPurpose.Register => ("registration", email.ValidationSubject),
            ProofPurpose.Reset => ("password_reset", email.PasswordResetSubject),
            _ => ("add_threepid", email.ValidationSubject),
        };
        await mailer.SendAsync(templates.Write(name, request.Address, subject, LinkTo(request, sid, token)), ct);
        return sid;
    }

    /// <summary>To somebody whose address a stranger wanted to use. Synapse: the same mail.</summary>
    public Task TellInUseAsync(string address, CancellationToken ct) =>
        mailer.SendAsync(templates.Write("already_in_use", address, config.Accounts.Email!.ValidationSubject, null), ct);

    private string LinkTo(ThreepidRequest request, string sid, string token)
    {
        // Synapse: its paths; a reset is confirmed on a page, since programs that read mail open links.
        var path = request.Purpose == ProofPurpose.Reset ? "_synapse/client/password_reset" : $"_matrix/client/unstable/{request.Purpose}";
        return $"{AddressOf($"/{path}/email/submit_token")}?token={token}&client_secret={Uri.EscapeDataString(request.ClientSecret)}&sid={sid}";
    }

    /// <summary>The whole address of a path of ours.</summary>
    public string AddressOf(string path) => (config.PublicBaseUrl ?? $"https://{config.ServerName}/").TrimEnd('/') + path;

    public Task<(bool Proved, string? NextLink)> SubmitAsync(string purpose, string sid, string secret, string token, CancellationToken ct) =>
        sessions.SubmitAsync(sid, secret, purpose, AccessTokenStore.Hash(token), Now, ct);

    /// <summary>The address that a client's credentials prove; null: none. By mail, else by text message.</summary>
    public Task<ProvedAddress?> FindAsync(JsonElement credentials, string medium, string[] purposes, CancellationToken ct) =>
        FindAsync(credentials.RequiredString("sid"), SecretOf(credentials), medium, purposes, ct);

    public Task<ProvedAddress?> FindAsync(string sid, string secret, string medium, string[] purposes, CancellationToken ct) =>
        medium == Threepids.Phone ? phones.FindValidatedAsync(sid, secret, ct) : sessions.FindValidatedAsync(sid, secret, purposes, Now, ct);

    /// <summary>The code of a text message; whether it was right is asked with <c>FindAsync</c>.</summary>
    public Task SubmitCodeAsync(string sid, string secret, string code, CancellationToken ct) => phones.SubmitAsync(sid, secret, code, ct);

    /// <summary>As above for whoever does not say which medium it was.</summary>
    public async Task<ProvedAddress?> FindAnyAsync(JsonElement credentials, string purpose, CancellationToken ct) =>
        await FindAsync(credentials, Threepids.Email, [purpose], ct)
        ?? (phones.IsEnabled ? await FindAsync(credentials, Threepids.Phone, [purpose], ct) : null);
}
