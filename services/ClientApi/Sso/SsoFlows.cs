using System.Text.Json;
using Matrix.ClientApi.Account;
using Matrix.ClientApi.OAuth;
using Matrix.ClientApi.Sso.Cas;
using Matrix.ServiceDefaults;

namespace Matrix.ClientApi.Sso;

/// <summary>What <c>GET /login</c> says of single sign-on. Spec: client-server-api/#client-login-via-sso</summary>
internal sealed class SsoFlows(SsoProviders providers, OwnLogin own, HomeserverConfig config)
{
    public bool IsEnabled => providers.All.Count > 0;

    /// <summary>Writes objects into the list of flows.</summary>
    public void Write(Utf8JsonWriter w)
    {
        if (!IsEnabled && !own.IsEnabled) return;
        // Synapse: the flow of old clients is listed first.
        if (providers.Find(CasProvider.Name) is not null) WriteType(w, "m.login.cas");
        w.WriteStartObject();
        w.WriteString("type"u8, "m.login.sso");
        if (own.IsEnabled)
        {
            // Spec: client-server-api/#oauth-20-aware-clients; the other name is that of the proposal (MSC3824).
            w.WriteBoolean("oauth_aware_preferred"u8, true);
            w.WriteBoolean("org.matrix.msc3824.delegated_oidc_compatibility"u8, true);
        }
        if (IsEnabled) WriteProviders(w);
        w.WriteEndObject();
        // What a client comes back with; told already when sessions may make such tokens, too.
        if (!config.Accounts.LoginTokens.Enabled) WriteType(w, TokenLoginType.Name);
    }

    private void WriteProviders(Utf8JsonWriter w)
    {
        w.WriteStartArray("identity_providers"u8);
        foreach (var provider in providers.All)
        {
            w.WriteStartObject();
            w.WriteString("id"u8, provider.Id);
            w.WriteString("name"u8, provider.Label.Name);
            if (provider.Label.Icon is { } icon) w.WriteString("icon"u8, icon);
            if (provider.Label.Brand is { } brand) w.WriteString("brand"u8, brand);
            w.WriteEndObject();
        }
        w.WriteEndArray();
    }

    private static void WriteType(Utf8JsonWriter w, string type)
    {
        w.WriteStartObject();
        w.WriteString("type"u8, type);
        w.WriteEndObject();
    }
}
