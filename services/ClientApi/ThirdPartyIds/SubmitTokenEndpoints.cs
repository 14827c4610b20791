using Matrix.ClientApi.Pages;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.ThirdPartyIds;

/// <summary>Where the links of mails lead. Synapse: the same paths.</summary>
internal static class SubmitTokenEndpoints
{
    public static void MapSubmitTokens(this ClientRoutes routes)
    {
        foreach (var (purpose, name) in (ReadOnlySpan<(string, string)>)[(ProofPurpose.Register, "registration"), (ProofPurpose.Add, "address")])
            routes.Map("GET", $"/_matrix/client/unstable/{purpose}/email/submit_token",
                    (string? token, string? client_secret, string? sid, SubmitTokens tokens, CancellationToken ct) => tokens.SubmitAsync(purpose, token, client_secret, sid, ct))
                .Anonymous().Named($"submit_{name}_email_token");
        // A page first: programs that read mail open its links, and a reset is more than a proof.
        routes.Map("GET", "/_synapse/client/password_reset/email/submit_token",
            (string? token, string? client_secret, string? sid, SubmitTokens tokens) => tokens.ConfirmReset(token, client_secret, sid))
            .Anonymous().Named("confirm_password_reset_email_token");
        routes.Map("POST", "/_synapse/client/password_reset/email/submit_token",
            (FormBody form, SubmitTokens tokens, CancellationToken ct) => tokens.SubmitAsync(ProofPurpose.Reset, form["token"], form["client_secret"], form["sid"], ct))
            .Anonymous().Named("submit_password_reset_email_token");
    }
}

/// <summary>What browsers see that open the links of mails.</summary>
internal sealed class SubmitTokens(ThreepidProofs proofs, Pages.Pages pages)
{
    public IResult ConfirmReset(string? token, string? secret, string? sid) => pages.Show("password_reset_confirmation.html",
        new Dictionary<string, object?> { ["token"] = token ?? "", ["client_secret"] = secret ?? "", ["sid"] = sid ?? "" });

    public async Task<IResult> SubmitAsync(string purpose, string? token, string? secret, string? sid, CancellationToken ct)
    {
        var (proved, next) = token is null || secret is null || sid is null
            ? (false, null) : await proofs.SubmitAsync(purpose, sid, secret, token, ct);
        if (!proved) return pages.Error(400, "invalid_token", "This link is not valid, or no longer. Ask for another mail and open the link that is in it.");
        // Checked when it was given: a web address, chosen by the client that began the proof.
        return next is not null ? new Found(next) : pages.Show("threepid_validated.html", new Dictionary<string, object?> { ["is_reset"] = purpose == ProofPurpose.Reset });
    }
}
