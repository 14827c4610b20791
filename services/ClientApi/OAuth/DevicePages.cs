using Matrix.ClientApi.Pages;
using Matrix.ClientApi.Sso;
using Matrix.Storage.OAuth;
using Matrix.Web.RateLimits;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.OAuth;

/// <summary>Where a user agrees to a device that shows him a code. Spec: client-server-api/#device-authorisation-flow</summary>
internal static class DevicePages
{
    private const string Path = OwnPaths.Root + "device";

    public static void MapDevicePages(this ClientRoutes routes)
    {
        routes.Map("GET", Path, Show).Anonymous().Named("oauth_device_page");
        routes.Map("POST", Path, Decide).Anonymous().Named("oauth_device");
    }

    private static Task<IResult> Show(
        [Microsoft.AspNetCore.Mvc.FromQuery(Name = "user_code")] string? userCode, Browser browser, WebLogin web, DeviceCodeStore devices, OAuthClients clients, RateLimiter limiter, OAuthAddresses addresses, Pages.Pages pages, CancellationToken ct) =>
        LoginPageEndpoints.Run(pages, addresses, async () =>
        {
            var code = Canonical(userCode);
            if (await web.FindAsync(browser, ct) is not { } session) return web.ToLogin(code is null ? Path : $"{Path}?user_code={code}");
            // Codes are short: nobody tries many.
            if (code is not null) await limiter.RequireLeftAsync(RateLimitRules.LoginFailedAttempts, $"device {session.UserId}", ct);
            var waiting = code is null ? null : await devices.FindAsync(code, ct);
            var client = waiting is null ? null : await clients.FindAsync(waiting.ClientId, ct);
            if (code is not null && waiting is null) await limiter.CountAsync(RateLimitRules.LoginFailedAttempts, $"device {session.UserId}", ct);
            return pages.Show("oauth_device.html", new Dictionary<string, object?>
            {
                ["user_code"] = code is null ? null : $"{code[..4]}-{code[4..]}",
                ["client_name"] = client?.Name,
                ["client_host"] = client is null ? null : new Uri(client.Uri).Host,
                ["device_id"] = waiting is null ? null : OAuthScope.Read(waiting.Scope)?.DeviceId,
                ["error"] = userCode is not null && client is null ? "There is no device with this code. It may have expired." : null,
                ["user_id"] = session.UserId,
                ["csrf"] = browser.FormToken(),
            });
        });

    private static Task<IResult> Decide(FormBody form, Browser browser, WebLogin web, DeviceCodeStore devices, OAuthAddresses addresses, Pages.Pages pages, CancellationToken ct) =>
        LoginPageEndpoints.Run(pages, addresses, async () =>
        {
            browser.RequireOwnForm(form);
            if (await web.FindAsync(browser, ct) is not { } session) return web.ToLogin(Path);
            var allow = form["decision"] == "allow";
            if (form["user_id"] != session.UserId || Canonical(form["user_code"]) is not { } code || !await devices.DecideAsync(code, allow ? session.UserId : null, ct))
                throw new PageException(400, "invalid_session", "There is no device with this code any more.");
            return pages.Show("oauth_done.html", new Dictionary<string, object?>
            {
                ["title"] = allow ? "Your device is connected" : "Nothing was connected",
                ["text"] = allow ? "Go back to your device: it will go on by itself." : "You can close this page.",
            });
        });

    /// <summary>As people type it: with or without dashes, in any case. Null: it cannot be one.</summary>
    private static string? Canonical(string? code)
    {
        var letters = new string([.. (code ?? "").Where(char.IsAsciiLetter)]).ToUpperInvariant();
        return letters.Length == 8 && code!.Length < 20 ? letters : null;
    }
}
