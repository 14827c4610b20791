using Matrix.ClientApi.Pages;
using Matrix.Primitives;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.RateLimits;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.AccountValidity;

/// <summary>Users make their accounts last longer. Synapse: the same paths; no part of the specification.</summary>
internal static class RenewalEndpoints
{
    public static void MapRenewals(this ClientRoutes routes)
    {
        routes.Post(ClientVersions.R0V3Unstable, "/account_validity/send_mail", SendMail).Named("send_account_validity_mail");
        routes.Get(ClientVersions.R0V3Unstable, "/account_validity/renew", (string? token, Renewals renewals, Pages.Pages pages, CancellationToken ct) =>
            pages.GuardAsync(() => renewals.RenewAsync(token, ct))).Anonymous().Named("renew_account");
    }

    private static async Task<IResult> SendMail(Requester requester, Renewals renewals, RateLimiter limiter, CancellationToken ct)
    {
        if (!renewals.AreMailed) throw MatrixError.Custom(403, "M_FORBIDDEN", "Account renewal via email is disabled on this server.").AsException();
        await limiter.RequireAsync(RateLimitRules.ThirdPartyValidation, requester, ct);
        await renewals.SendAsync(requester.UserId.Value, ct);
        return MatrixResults.Empty;
    }
}
