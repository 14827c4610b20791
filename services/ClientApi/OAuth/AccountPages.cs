using System.Globalization;
using Matrix.ClientApi.Account;
using Matrix.ClientApi.Pages;
using Matrix.ClientApi.Sso;
using Matrix.Primitives;
using Matrix.Storage.Accounts;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.OAuth;

/// <summary>Where users look after their accounts. Spec: client-server-api/#oauth-20-account-management</summary>
internal static class AccountPages
{
    private const string Path = OwnPaths.Root + "account";
    public const string ResetKeys = "org.matrix.cross_signing_reset";
    public static readonly string[] Actions = ["org.matrix.devices_list", "org.matrix.device_view", "org.matrix.device_delete", "org.matrix.account_deactivate", ResetKeys];

    public static void MapAccountPages(this ClientRoutes routes)
    {
        routes.Map("GET", Path, Show).Anonymous().Named("account_page");
        routes.Map("POST", Path + "/end_session", EndSession).Anonymous().Named("account_end_session");
        routes.Map("POST", Path + "/deactivate", Deactivate).Anonymous().Named("account_deactivate");
        routes.Map("POST", Path + "/reset_keys", Reset).Anonymous().Named("account_reset_keys");
    }

    private static Task<IResult> Show(
        string? action, [Microsoft.AspNetCore.Mvc.FromQuery(Name = "device_id")] string? deviceId, string? session, Browser browser, WebLogin web, DeviceStore devices, OAuthAddresses addresses, Pages.Pages pages, CancellationToken ct) =>
        LoginPageEndpoints.Run(pages, addresses, async () =>
        {
            var own = $"{Path}?action={Uri.EscapeDataString(action ?? "")}{(deviceId is { Length: < 256 } ? $"&device_id={Uri.EscapeDataString(deviceId)}" : "")}";
            if (session is { Length: < 256 }) own += $"&session={Uri.EscapeDataString(session)}";
            if (await web.FindAsync(browser, ct) is not { } login) return web.ToLogin(OwnPaths.IsOwn(own) ? own : Path);
            var values = new Dictionary<string, object?> { ["user_id"] = login.UserId, ["csrf"] = browser.FormToken() };
            switch (action)
            {
                case "org.matrix.account_deactivate" or "account_deactivate":
                    return web.IsFresh(login) ? pages.Show("account_deactivate.html", values) : web.ToLogin($"{Path}?action=org.matrix.account_deactivate", again: true);
                case ResetKeys or "cross_signing_reset":
                    if (!web.IsFresh(login)) return web.ToLogin(OwnPaths.IsOwn(own) ? own : Path, again: true);
                    values["session"] = session;
                    return pages.Show("account_reset_keys.html", values);
                case "org.matrix.device_view" or "session_view" or "org.matrix.session_view" or "org.matrix.device_delete" or "session_end" or "org.matrix.session_end":
                    if (deviceId is null || await devices.FindAsync(login.UserId, deviceId, ct) is not { } device) break;
                    foreach (var (name, value) in Describe(device)) values[name] = value;
                    values["confirm"] = !action.EndsWith("view", StringComparison.Ordinal);
                    return pages.Show("account_device.html", values);
            }
            values["devices"] = (await devices.ListAsync(login.UserId, ct)).Select(object? (d) => Describe(d)).ToList();
            return pages.Show("account.html", values);
        });

    private static Task<IResult> EndSession(FormBody form, Browser browser, WebLogin web, Sessions sessions, OAuthAddresses addresses, Pages.Pages pages, CancellationToken ct) =>
        LoginPageEndpoints.Run(pages, addresses, async () =>
        {
            browser.RequireOwnForm(form);
            if (await web.FindAsync(browser, ct) is not { } session) return web.ToLogin(Path);
            await sessions.LogOutAsync(new UserId(session.UserId), [form["device_id"] ?? ""], ct);
            return new SeeOther(addresses.Of("account"));
        });

    private static Task<IResult> Deactivate(FormBody form, Browser browser, WebLogin web, Deactivation deactivation, OAuthAddresses addresses, Pages.Pages pages, CancellationToken ct) =>
        LoginPageEndpoints.Run(pages, addresses, async () =>
        {
            browser.RequireOwnForm(form);
            if (await web.FindAsync(browser, ct) is not { } session || !web.IsFresh(session)) return web.ToLogin($"{Path}?action=org.matrix.account_deactivate", again: true);
            if (form["user_id"] != session.UserId || form["confirm"] != "true") throw new PageException(400, "M_INVALID_PARAM", "Tick the box to say that you mean it.");
            await deactivation.DeactivateAsync(new UserId(session.UserId), form["erase"] == "true", ct);
            await web.EndAsync(browser, ct);
            return pages.Show("oauth_done.html", new Dictionary<string, object?> { ["title"] = "Your account is closed", ["text"] = "Nobody can log in to it any more. You can close this page." });
        });

    private static Task<IResult> Reset(FormBody form, Browser browser, WebLogin web, UiaSessionStore uia, OAuthAddresses addresses, Pages.Pages pages, CancellationToken ct) =>
        LoginPageEndpoints.Run(pages, addresses, async () =>
        {
            browser.RequireOwnForm(form);
            var session = form["session"] ?? "";
            if (await web.FindAsync(browser, ct) is not { } login || !web.IsFresh(login))
                return web.ToLogin($"{Path}?action={ResetKeys}&session={Uri.EscapeDataString(session)}", again: true);
            if (form["user_id"] != login.UserId || form["confirm"] != "true") throw new PageException(400, "M_INVALID_PARAM", "Tick the box to say that you mean it.");
            if (!await OAuthStage.CompleteAsync(uia, session, login.UserId, ct))
                throw new PageException(400, "M_INVALID_PARAM", "Your app did not ask for this, or too long ago. Go back to it and begin again.");
            return pages.Show("oauth_done.html", new Dictionary<string, object?>
            {
                ["title"] = "Your app may go on", ["text"] = "It can set up a new identity for you now. You can close this page.", ["is_stage"] = true,
            });
        });

    private static Dictionary<string, object?> Describe(DeviceRecord device) => new()
    {
        ["device_id"] = device.DeviceId,
        ["name"] = device.DisplayName is { Length: > 0 } name ? name : device.DeviceId,
        ["last_seen"] = device.LastSeenTsMs is { } ts ? DateTimeOffset.FromUnixTimeMilliseconds(ts).ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture) : null,
        ["last_seen_ip"] = device.LastSeenIp,
        ["link"] = $"account?action=org.matrix.device_view&device_id={Uri.EscapeDataString(device.DeviceId)}",
    };
}
