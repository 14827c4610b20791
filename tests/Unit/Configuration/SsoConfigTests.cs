using Matrix.ServiceDefaults;

namespace Matrix.Unit.Configuration;

public sealed class SsoConfigTests : IDisposable
{
    private const string Base = "server_name: example.org\nsigning_key_path: key\npublic_baseurl: https://matrix.example.org/\ndatabase: { args: { host: db, user: u, database: d } }\n";
    private readonly ConfigFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void The_examples_of_synapses_manual_are_understood()
    {
        File.WriteAllText(Path.Combine(folder.Path, "idp.xml"), "<x/>");
        var loaded = folder.Load(Base + """
            oidc_providers:
              - idp_id: my_idp
                idp_name: "My OpenID provider"
                idp_icon: "mxc://example.com/mediaid"
                discover: false
                issuer: "https://accounts.example.com/"
                client_id: "id"
                client_secret: "secret"
                client_auth_method: client_secret_post
                scopes: ["openid", "profile"]
                authorization_endpoint: "https://accounts.example.com/oauth2/auth"
                token_endpoint: "https://accounts.example.com/oauth2/token"
                userinfo_endpoint: "https://accounts.example.com/userinfo"
                jwks_uri: "https://accounts.example.com/.well-known/jwks.json"
                skip_verification: true
                enable_registration: true
                user_mapping_provider:
                  config:
                    subject_claim: "id"
                    localpart_template: "{{ user.login }}"
                    display_name_template: "{{ user.name }}"
                    email_template: "{{ user.email }}"
                attribute_requirements:
                  - attribute: userGroup
                    value: "synapseUsers"
            cas_config:
              enabled: true
              server_url: "https://cas-server.com/"
              protocol_version: 3
              displayname_attribute: name
              required_attributes:
                userGroup: "staff"
                department: None
            saml2_config:
              sp_config:
                metadata:
                  local: ["idp.xml"]
                  remote:
                    - url: https://our_idp/metadata.xml
                accepted_time_diff: 3
                service:
                  sp:
                    allow_unsolicited: true
                    want_response_signed: true
                    want_assertions_signed: true
              saml_session_lifetime: 5m
              user_mapping_provider:
                module: synapse.handlers.saml.DefaultSamlMappingProvider
                config:
                  mxid_source_attribute: displayName
                  mxid_mapping: dotreplace
              grandfathered_mxid_source_attribute: upn
              attribute_requirements:
                - attribute: userGroup
                  value: "staff"
              idp_entityid: 'https://our_idp/entityid'
            sso:
              client_whitelist: [https://my.custom.client/]
              update_profile_information: true
            """);
        Assert.Empty(loaded.Faults);
        var sso = loaded.Config!.Sso;
        var oidc = Assert.Single(sso.Oidc);
        Assert.Equal(("oidc-my_idp", "{{ user['id'] }}", "client_secret_post"), (oidc.ProviderId, oidc.Mapping.SubjectTemplate, oidc.ClientAuthMethod));
        Assert.Equal("synapseUsers", Assert.Single(Assert.Single(oidc.Requirements).Values!));
        Assert.Equal(("https://cas-server.com", 3), (sso.Cas!.ServerUrl, sso.Cas.ProtocolVersion));
        Assert.Null(sso.Cas.Requirements.Single(r => r.Attribute == "department").Values);
        Assert.Equal((true, true, "upn", TimeSpan.FromSeconds(3), TimeSpan.FromMinutes(5)),
            (sso.Saml!.AllowUnsolicited, sso.Saml.DotReplace, sso.Saml.GrandfatheredAttribute, sso.Saml.AcceptedTimeDifference, sso.Saml.SessionLifetime));
        Assert.Equal([Path.Combine(folder.Path, "idp.xml")], sso.Saml.MetadataFiles);
        Assert.True(sso.Saml is { WantResponseSigned: true, WantAssertionsSigned: true });
        Assert.Equal(["https://my.custom.client/"], sso.ClientWhitelist);
    }

    [Theory]
    [InlineData("oidc_providers: [{ idp_id: 'a b', issuer: x, client_id: y, client_secret: z }]", "oidc_providers[0].idp_id")]
    [InlineData("oidc_providers: [{ idp_id: a, issuer: x, client_id: y }]", "oidc_providers[0].client_secret")]
    [InlineData("oidc_providers: [{ idp_id: a, client_id: y, client_secret: z }]", "oidc_providers[0].issuer")]
    [InlineData("oidc_providers: [{ idp_id: a, issuer: x, client_id: y, client_secret: z, discover: false, token_endpoint: 'https://x', authorization_endpoint: 'https://x' }]", "oidc_providers[0].jwks_uri")]
    [InlineData("oidc_providers: [{ idp_id: a, issuer: x, client_id: y, client_secret: z, pkce_method: plain }]", "oidc_providers[0].pkce_method")]
    [InlineData("oidc_providers: [{ idp_id: a, issuer: x, client_id: y, client_secret: z }, { idp_id: a, issuer: x, client_id: y, client_secret: z }]", "oidc_providers")]
    [InlineData("oidc_providers: [{ idp_id: a, issuer: x, client_id: y, client_secret: z, user_mapping_provider: { module: my.Module } }]", "oidc_providers[0].user_mapping_provider.module")]
    [InlineData("oidc_providers: [{ idp_id: a, issuer: x, client_id: y, client_secret: z, user_mapping_provider: { config: { picture_template: '{{ user.picture' } } }]", "oidc_providers[0].user_mapping_provider.config.picture_template")]
    [InlineData("oidc_providers: [{ idp_id: a, issuer: x, client_id: y, client_secret: z, user_mapping_provider: { config: { localpart_template: '{% if %}' } } }]", "oidc_providers[0].user_mapping_provider.config.localpart_template")]
    [InlineData("cas_config: { enabled: true }", "cas_config.server_url")]
    [InlineData("saml2_config: { sp_config: {} }", "saml2_config.sp_config.metadata.remote")]
    [InlineData("saml2_config: { sp_config: { metadata: { local: [nothing.xml] } } }", "saml2_config.sp_config.metadata.local")]
    [InlineData("saml2_config: { sp_config: { metadata: { remote: [{ url: 'https://idp' }] } }, user_mapping_provider: { module: my.Module } }", "saml2_config.user_mapping_provider.module")]
    [InlineData("saml2_config: { config_path: sp_conf.py }", "saml2_config.config_path")]
    [InlineData("user_consent: { version: 1.0, block_events_error: 'agree' }", "form_secret")]
    [InlineData("user_consent: { require_at_registration: true }", "user_consent.version")]
    [InlineData("user_consent: { version: 1.0, server_notice_content: { msgtype: m.text, body: x } }\nform_secret: x", "server_notices")]
    [InlineData("user_consent: { version: 1.0, server_notice_content: { msgtype: m.text, body: x } }\nserver_notices: { system_mxid_localpart: n }", "form_secret")]
    [InlineData("server_notices: { room_name: x }", "server_notices.system_mxid_localpart")]
    [InlineData("server_notices: { system_mxid_localpart: 'A b' }", "server_notices.system_mxid_localpart")]
    [InlineData("limit_usage_by_mau: true", "max_mau_value")]
    [InlineData("mau_limit_reserved_threepids: [{ medium: email }]", "mau_limit_reserved_threepids[0].address")]
    [InlineData("account_validity: { enabled: true, period: 6w, renew_at: 0 }", "account_validity.renew_at")]
    public void Mistakes_are_told_with_their_key(string yaml, string key) => Assert.Contains(folder.Load(Base + yaml).Faults, f => f.Key == key);

    [Fact]
    public void Providers_need_an_address_to_send_browsers_back_to() =>
        Assert.Contains(folder.Load(Base.Replace("public_baseurl: https://matrix.example.org/\n", "", StringComparison.Ordinal) + "cas_config: { server_url: 'https://cas.example.org' }").Faults, f => f.Key == "public_baseurl");

    [Theory]
    [InlineData("", true)]
    [InlineData("armada: { oauth: { enabled: false } }", false)]
    [InlineData("matrix_authentication_service: { enabled: true, endpoint: 'http://mas', secret: x }", false)]
    [InlineData("experimental_features: { msc3861: { enabled: true } }", false)]
    public void The_oauth_api_is_ours_unless_another_service_does_the_logins(string yaml, bool enabled) => Assert.Equal(enabled, folder.Load(Base + yaml).Config!.OAuth.Enabled);

    [Fact]
    public void Notices_and_limits_of_usage_are_read()
    {
        var config = folder.Load(Base + """
            server_notices: { system_mxid_localpart: server, system_mxid_display_name: Us, room_name: News, room_topic: '', auto_join: true }
            user_consent: { version: 1.0, server_notice_content: { msgtype: m.text, body: 'see %(consent_uri)s' }, send_server_notice_to_guests: true }
            form_secret: x
            admin_contact: 'mailto:a@example.org'
            limit_usage_by_mau: true
            max_mau_value: 50
            mau_trial_days: 3
            mau_limit_alerting: false
            mau_limit_reserved_threepids: [{ medium: email, address: Boss@Example.org }]
            hs_disabled_message: not disabled
            """).Config!;
        Assert.Equal(new ServerNoticesConfig("server") { DisplayName = "Us", RoomName = "News", AutoJoin = true }, config.ServerNotices);
        Assert.Equal("""{"msgtype":"m.text","body":"see %(consent_uri)s"}""", config.Accounts.Consent!.NoticeContent);
        Assert.True(config.Accounts.Consent.NoticeToGuests);
        var usage = config.Usage;
        Assert.Equal(("mailto:a@example.org", null, 50, TimeSpan.FromDays(3), false), (usage.AdminContact, usage.DisabledMessage, usage.MaxMonthlyUsers, usage.Trial, usage.Alerts));
        Assert.Equal([new ReservedThreepid("email", "boss@example.org")], usage.Reserved);
        Assert.Equal("This homeserver is disabled.", folder.Load(Base + "hs_disabled: true").Config!.Usage.DisabledMessage);
    }
}
