using Matrix.Web.Auth;
using System.Text.Json;
using Matrix.Events;
using Matrix.ServiceDefaults;
using Matrix.Web.Json;
using Matrix.Web.Routing;

namespace Matrix.ClientApi.Capabilities;

/// <summary>Spec: client-server-api/#capabilities-negotiation</summary>
internal static class CapabilitiesEndpoints
{
    public static void MapCapabilities(this ClientRoutes routes) =>
        routes.Get(ClientVersions.R0V3Unstable, "/capabilities", Get).AllowGuests().Named("get_capabilities");

    private static IResult Get(Requester requester, HomeserverConfig config) => MatrixResults.Object(w =>
    {
        w.WriteStartObject("capabilities"u8);
        w.WriteStartObject("m.room_versions"u8);
        w.WriteString("default"u8, config.DefaultRoomVersion);
        w.WriteStartObject("available"u8);
        foreach (var version in RoomVersions.All) w.WriteString(version.Id, version.Stable ? "stable"u8 : "unstable"u8);
        w.WriteEndObject();
        w.WriteEndObject();
        var accounts = config.Accounts;
        // MSC4140, under both names.
        foreach (var name in (ReadOnlySpan<string>)["m.delayed_events", "org.matrix.msc4140.delayed_events"])
        {
            if (config.MaxEventDelay == TimeSpan.Zero) break;
            w.WriteStartObject(name);
            w.WriteNumber("max_delay_ms"u8, (long)config.MaxEventDelay.TotalMilliseconds);
            w.WriteNumber("max_scheduled"u8, HomeserverConfig.MaxScheduledEvents);
            w.WriteEndObject();
        }
        Switch(w, "m.change_password", accounts.Passwords.ReauthEnabled);
        Switch(w, "m.set_displayname", accounts.Profiles.SetDisplayName);
        Switch(w, "m.set_avatar_url", accounts.Profiles.SetAvatarUrl);
        w.WriteStartObject("m.profile_fields"u8);
        w.WriteBoolean("enabled"u8, true);
        if (!accounts.Profiles.SetDisplayName || !accounts.Profiles.SetAvatarUrl)
        {
            w.WriteStartArray("disallowed"u8);
            if (!accounts.Profiles.SetDisplayName) w.WriteStringValue("displayname"u8);
            if (!accounts.Profiles.SetAvatarUrl) w.WriteStringValue("avatar_url"u8);
            w.WriteEndArray();
        }
        w.WriteEndObject();
        Switch(w, "m.3pid_changes", accounts.Enable3pidChanges);
        Switch(w, "m.get_login_token", accounts.LoginTokens.Enabled);
        Switch(w, "m.forget_forced_upon_leave", false);
        if (requester.IsAdmin)
        {
            // Spec: client-server-api/#account-moderation; told to those who may.
            w.WriteStartObject("m.account_moderation"u8);
            w.WriteBoolean("lock"u8, true);
            w.WriteBoolean("suspend"u8, true);
            w.WriteEndObject();
        }
        w.WriteEndObject();
    });

    private static void Switch(Utf8JsonWriter w, string capability, bool enabled)
    {
        w.WriteStartObject(capability);
        w.WriteBoolean("enabled"u8, enabled);
        w.WriteEndObject();
    }
}
