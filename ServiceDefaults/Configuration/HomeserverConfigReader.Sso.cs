using System.Text.RegularExpressions;
using Matrix.ServiceDefaults.Templating;

namespace Matrix.ServiceDefaults.Configuration;

/// <summary>Single sign-on and the OAuth 2.0 API.</summary>
internal sealed partial class HomeserverConfigReader
{
    private SsoConfig ReadSso()
    {
        var section = root.Section("sso");
        var templates = section.Text("template_dir") ?? root.Section("templates").Text("custom_template_directory");
        if (templates is not null && !Directory.Exists(FullPath(templates)))
            section.Fault("templates.custom_template_directory", null, $"names no folder ({FullPath(templates)})", "make the folder, or take the key out");
        var sso = new SsoConfig
        {
            Oidc = ReadOidcProviders(),
            Saml = ReadSaml(),
            Cas = ReadCas(),
            ClientWhitelist = section.Texts("client_whitelist") ?? [],
            UpdateProfileInformation = section.Boolean("update_profile_information", false),
            TemplateFolder = templates is null ? null : FullPath(templates),
        };
        if ((sso.Oidc.Count > 0 || sso.Saml is not null || sso.Cas is not null) && !root.Has("public_baseurl"))
            root.Fault("public_baseurl", "is missing, and providers of single sign-on send browsers back to it", "public_baseurl: https://matrix.example.org/");
        return sso;
    }

    private OAuthConfig ReadOAuth(ConfigSection ours)
    {
        var section = ours.Section("oauth");
        var defaults = new OAuthConfig();
        return new()
        {
            Enabled = section.Boolean("enabled", !IsDelegated()),
            AccessTokenLifetime = section.Duration("access_token_lifetime", defaults.AccessTokenLifetime, "5m"),
        };
    }

    /// <summary>Another service does the logins: it speaks OAuth 2.0 then, not we.</summary>
    private bool IsDelegated() =>
        root.Section("matrix_authentication_service").Boolean("enabled", false)
        | root.Section("experimental_features").Section("msc3861").Boolean("enabled", false);

    private static ProviderLabel ReadLabel(ConfigSection section, string name)
    {
        var icon = section.Text("idp_icon");
        if (icon is not null && !icon.StartsWith("mxc://", StringComparison.Ordinal)) section.Fault("idp_icon", "is no mxc address", "idp_icon: mxc://example.org/mediaid");
        return new(section.Text("idp_name") ?? name, icon, section.Text("idp_brand"));
    }

    private List<OidcConfig> ReadOidcProviders()
    {
        var providers = new List<OidcConfig>();
        // Synapse: a single provider may stand in oidc_config, under the id oidc.
        if (root.Section("oidc_config") is { Exists: true } legacy && legacy.Boolean("enabled", false)) providers.Add(ReadOidc(legacy, "oidc"));
        foreach (var section in root.Sections("oidc_providers") ?? [])
        {
            var id = section.Text("idp_id") ?? "";
            if (!IdpId().IsMatch(id) || id.Length > 250) section.Fault("idp_id", id.Length == 0 ? "is missing" : "has characters that no id may have", "idp_id: github   (letters, digits, . _ ~ -)");
            providers.Add(ReadOidc(section, id));
        }
        foreach (var id in providers.GroupBy(p => p.Id).Where(g => g.Count() > 1).Select(g => g.Key))
            root.Fault("oidc_providers", $"has more than one provider with the idp_id {id}", "give each an idp_id of its own");
        return providers;
    }

    private OidcConfig ReadOidc(ConfigSection section, string id)
    {
        var discover = section.Boolean("discover", true);
        var method = OneOf(section, "client_auth_method", "client_secret_basic", ["client_secret_basic", "client_secret_post", "none"]);
        var secret = ReadSecret(section, "client_secret");
        var key = ReadSecretKey(section);
        if (secret is null && key is null && method != "none") section.Fault("client_secret", "is missing", "client_secret: ...   or   client_auth_method: none");
        var config = new OidcConfig
        {
            Id = id,
            Label = ReadLabel(section, id == "oidc" ? "OIDC" : id),
            Issuer = Needed(section, "issuer", "issuer: https://accounts.example.com/"),
            ClientId = Needed(section, "client_id", "client_id: what the provider gave you"),
            ClientSecret = secret,
            SecretKey = key,
            ClientAuthMethod = method,
            PkceMethod = OneOf(section, "pkce_method", "auto", ["auto", "always", "never"]),
            Scopes = section.Texts("scopes") ?? ["openid"],
            Discover = discover,
            AuthorizationEndpoint = ReadUrl(section, "authorization_endpoint"),
            TokenEndpoint = ReadUrl(section, "token_endpoint"),
            UserInfoEndpoint = ReadUrl(section, "userinfo_endpoint"),
            JwksUri = ReadUrl(section, "jwks_uri"),
            SkipVerification = section.Boolean("skip_verification", false),
            AlwaysUserInfo = OneOf(section, "user_profile_method", "auto", ["auto", "userinfo_endpoint"]) == "userinfo_endpoint",
            RedirectUri = ReadUrl(section, "redirect_uri"),
            AuthorizationParameters = ReadMap(section.Section("additional_authorization_parameters")),
            PassthroughParameters = section.Texts("passthrough_authorization_parameters") ?? [],
            SigningAlgorithms = section.Texts("id_token_signing_alg_values_supported"),
            AllowExistingUsers = section.Boolean("allow_existing_users", false),
            EnableRegistration = section.Boolean("enable_registration", true),
            Mapping = ReadMapping(section),
            Requirements = ReadRequirements(section),
            BackchannelLogout = section.Boolean("backchannel_logout_enabled", false),
            BackchannelLogoutIgnoreSub = section.Boolean("backchannel_logout_ignore_sub", false),
        };
        if (discover) return config;
        var isOpenId = config.Scopes.Contains("openid");
        foreach (var (name, value) in ((string, string?)[])[("authorization_endpoint", config.AuthorizationEndpoint), ("token_endpoint", config.TokenEndpoint),
            (isOpenId ? "jwks_uri" : "userinfo_endpoint", isOpenId ? config.JwksUri : config.UserInfoEndpoint)])
        {
            if (value is null && !section.Has(name)) section.Fault(name, "is missing, and discover is false", $"{name}: https://accounts.example.com/...");
        }
        return config;
    }

    private ClientSecretKey? ReadSecretKey(ConfigSection provider)
    {
        var section = provider.Section("client_secret_jwt_key");
        if (!section.Exists) return null;
        var key = section.Text("key");
        if (section.Text("key_file") is { } file)
        {
            try
            {
                key = File.ReadAllText(FullPath(file));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                section.Fault("key_file", $"cannot be read: {e.Message}", "put the key into that file and make it readable for the server");
            }
        }
        var header = ReadMap(section.Section("jwt_header"));
        if (!header.TryGetValue("alg", out var algorithm) || algorithm is not ("ES256" or "ES384" or "ES512" or "RS256" or "RS384" or "RS512"))
            section.Fault("jwt_header.alg", null, "is no algorithm that this server signs with", "jwt_header: { alg: ES256 }");
        if (key is null && !section.Has("key_file")) section.Fault("key", "is missing", "key_file: /path/to/key.p8");
        return new(key ?? "", header, ReadMap(section.Section("jwt_payload")));
    }

    private static OidcMapping ReadMapping(ConfigSection provider)
    {
        var mapping = provider.Section("user_mapping_provider");
        if (mapping.Text("module") is { } module && module is not ("synapse.handlers.oidc.JinjaOidcMappingProvider" or "synapse.handlers.oidc_handler.JinjaOidcMappingProvider"))
            mapping.Fault("module", "is a module of Python, which this server does not run", "take the key out and describe the mapping under config");
        var section = mapping.Section("config");
        var defaults = new OidcMapping();
        return new()
        {
            SubjectTemplate = ReadTemplate(section, "subject_template") ?? OfClaim(section.Text("subject_claim")) ?? defaults.SubjectTemplate,
            PictureTemplate = ReadTemplate(section, "picture_template") ?? OfClaim(section.Text("picture_claim")) ?? defaults.PictureTemplate,
            LocalpartTemplate = ReadTemplate(section, "localpart_template"),
            ConfirmLocalpart = section.Boolean("confirm_localpart", false),
            DisplayNameTemplate = ReadTemplate(section, "display_name_template"),
            EmailTemplate = ReadTemplate(section, "email_template"),
        };
        static string? OfClaim(string? claim) => claim is null ? null : $"{{{{ user['{claim.Replace("'", "", StringComparison.Ordinal)}'] }}}}";
    }

    private static string? ReadTemplate(ConfigSection section, string key)
    {
        if (section.Text(key) is not { } text) return null;
        try
        {
            _ = Template.Parse(text, key);
        }
        catch (TemplateException e)
        {
            section.Fault(key, $"is a template that cannot be understood: {e.Message}", $"{key}: '{{{{ user.name }}}}'");
        }
        return text;
    }

    private static List<AttributeRequirement> ReadRequirements(ConfigSection section)
    {
        var requirements = new List<AttributeRequirement>();
        foreach (var entry in section.Sections("attribute_requirements") ?? [])
        {
            var attribute = Needed(entry, "attribute", "attribute: groups");
            var values = entry.Texts("one_of") ?? (entry.Text("value") is { } value ? [value] : null);
            requirements.Add(new(attribute, values));
        }
        return requirements;
    }

    private CasConfig? ReadCas()
    {
        var section = root.Section("cas_config");
        var isEnabled = section.Boolean("enabled", section.Has("server_url"));
        // Synapse: service_url is no longer read; the address of this server is public_baseurl.
        _ = section.Take("service_url");
        var required = section.Section("required_attributes");
        var config = new CasConfig
        {
            Label = ReadLabel(section, "CAS"),
            ServerUrl = (section.Text("server_url") ?? "").TrimEnd('/'),
            ProtocolVersion = section.Has("protocol_version") ? section.WholeNumber("protocol_version", 3, 1, 3) : null,
            DisplayNameAttribute = section.Text("displayname_attribute"),
            Requirements = [.. required.Keys.Select(k => new AttributeRequirement(k, required.Text(k) is { } v && v != "None" ? [v] : null))],
            EnableRegistration = section.Boolean("enable_registration", true),
            AllowNumericIds = section.Boolean("allow_numeric_ids", false),
            NumericIdsPrefix = section.Text("numeric_ids_prefix") ?? "u",
        };
        if (!isEnabled) return null;
        if (!Uri.TryCreate(config.ServerUrl, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
            section.Fault("server_url", section.Has("server_url") ? "is not an http or https address" : "is missing", "server_url: https://cas.example.com");
        return config;
    }

    private static Dictionary<string, string> ReadMap(ConfigSection section) => section.Keys.ToDictionary(k => k, k => section.Text(k) ?? "", StringComparer.Ordinal);

    private static string Needed(ConfigSection section, string key, string example)
    {
        if (section.Text(key) is { Length: > 0 } text) return text;
        section.Fault(key, section.Has(key) ? "is empty" : "is missing", example);
        return "";
    }

    private static string OneOf(ConfigSection section, string key, string otherwise, string[] allowed)
    {
        if (section.Text(key) is not { } text) return otherwise;
        if (allowed.Contains(text)) return text;
        section.Fault(key, $"is none of {string.Join(", ", allowed)}", $"{key}: {otherwise}");
        return otherwise;
    }

    private static string? ReadUrl(ConfigSection section, string key)
    {
        if (section.Text(key) is not { Length: > 0 } text) return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https") return text;
        section.Fault(key, "is not an http or https address", $"{key}: https://accounts.example.com/...");
        return null;
    }

    [GeneratedRegex("^[A-Za-z0-9._~-]+$")]
    private static partial Regex IdpId();
}
