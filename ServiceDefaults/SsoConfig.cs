namespace Matrix.ServiceDefaults;

/// <summary>Single sign-on: who may prove users to us. Names and defaults are Synapse's.</summary>
public sealed record SsoConfig
{
    public IReadOnlyList<OidcConfig> Oidc { get; init; } = [];
    public SamlConfig? Saml { get; init; }
    public CasConfig? Cas { get; init; }
    /// <summary>Addresses of clients that get a token without the user being asked: whatever begins with one of them.</summary>
    public IReadOnlyList<string> ClientWhitelist { get; init; } = [];
    /// <summary>Display name and picture follow the provider's at every login, not only at the first.</summary>
    public bool UpdateProfileInformation { get; init; }
    /// <summary>Folder with pages in the place of the built-in ones (<c>templates.custom_template_directory</c>, <c>sso.template_dir</c>); null: none.</summary>
    public string? TemplateFolder { get; init; }
}

/// <summary>The OAuth 2.0 API (<c>armada.oauth</c>). It needs <c>public_baseurl</c>.</summary>
public sealed record OAuthConfig
{
    public bool Enabled { get; init; } = true;
    public TimeSpan AccessTokenLifetime { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>How a provider is shown.</summary>
/// <param name="Icon">An mxc address; null: none.</param>
/// <param name="Brand">Such as <c>github</c>: clients know how it looks; null: none.</param>
public sealed record ProviderLabel(string Name, string? Icon, string? Brand);

/// <summary>What an attribute of the user must be.</summary>
/// <param name="Values">One of these; null: anything, but it must be there.</param>
public sealed record AttributeRequirement(string Attribute, IReadOnlyList<string>? Values);

/// <summary>One of <c>oidc_providers</c>.</summary>
public sealed record OidcConfig
{
    public required string Id { get; init; }
    public required ProviderLabel Label { get; init; }
    public required string Issuer { get; init; }
    public required string ClientId { get; init; }
    /// <summary>Null: a client without secret, or one with <see cref="SecretKey"/>.</summary>
    public string? ClientSecret { get; init; }
    public ClientSecretKey? SecretKey { get; init; }
    /// <summary>client_secret_basic, client_secret_post or none.</summary>
    public string ClientAuthMethod { get; init; } = "client_secret_basic";
    /// <summary>auto, always or never.</summary>
    public string PkceMethod { get; init; } = "auto";
    public IReadOnlyList<string> Scopes { get; init; } = ["openid"];
    public bool Discover { get; init; } = true;
    public string? AuthorizationEndpoint { get; init; }
    public string? TokenEndpoint { get; init; }
    public string? UserInfoEndpoint { get; init; }
    public string? JwksUri { get; init; }
    /// <summary>What the provider says of itself is not checked (issuer, https).</summary>
    public bool SkipVerification { get; init; }
    /// <summary>The profile comes from the userinfo endpoint though there is an id token.</summary>
    public bool AlwaysUserInfo { get; init; }
    /// <summary>Null: our own callback page.</summary>
    public string? RedirectUri { get; init; }
    public IReadOnlyDictionary<string, string> AuthorizationParameters { get; init; } = new Dictionary<string, string>();
    public IReadOnlyList<string> PassthroughParameters { get; init; } = [];
    /// <summary>Signature algorithms of id tokens; null: those of the RS, PS and ES families.</summary>
    public IReadOnlyList<string>? SigningAlgorithms { get; init; }
    public bool AllowExistingUsers { get; init; }
    public bool EnableRegistration { get; init; } = true;
    public OidcMapping Mapping { get; init; } = new();
    public IReadOnlyList<AttributeRequirement> Requirements { get; init; } = [];
    public bool BackchannelLogout { get; init; }
    public bool BackchannelLogoutIgnoreSub { get; init; }

    /// <summary>Name of the provider in the database. Synapse: the idp_id oidc is that of its old oidc_config.</summary>
    public string ProviderId => Id == "oidc" ? "oidc" : $"oidc-{Id}";
}

/// <summary><c>client_secret_jwt_key</c>: the secret is a token that we sign.</summary>
/// <param name="Key">PEM.</param>
public sealed record ClientSecretKey(string Key, IReadOnlyDictionary<string, string> Header, IReadOnlyDictionary<string, string> Payload);

/// <summary><c>user_mapping_provider.config</c>: templates over the claims of the user.</summary>
public sealed record OidcMapping
{
    public string SubjectTemplate { get; init; } = "{{ user.sub }}";
    /// <summary>Of the address of the user's picture; empty: none is asked for.</summary>
    public string PictureTemplate { get; init; } = "{{ user.picture }}";
    /// <summary>Null: the user chooses his name.</summary>
    public string? LocalpartTemplate { get; init; }
    /// <summary>The user is asked whether the name is right.</summary>
    public bool ConfirmLocalpart { get; init; }
    public string? DisplayNameTemplate { get; init; }
    public string? EmailTemplate { get; init; }
}

/// <summary><c>cas_config</c>.</summary>
public sealed record CasConfig
{
    public required ProviderLabel Label { get; init; }
    /// <summary>Without a slash at the end.</summary>
    public required string ServerUrl { get; init; }
    /// <summary>Null: 1 or 2, whatever the server says.</summary>
    public int? ProtocolVersion { get; init; }
    public string? DisplayNameAttribute { get; init; }
    public IReadOnlyList<AttributeRequirement> Requirements { get; init; } = [];
    public bool EnableRegistration { get; init; } = true;
    public bool AllowNumericIds { get; init; }
    public string NumericIdsPrefix { get; init; } = "u";
}

/// <summary><c>saml2_config</c>.</summary>
public sealed record SamlConfig
{
    public required ProviderLabel Label { get; init; }
    /// <summary>Our own name; null: the address of our metadata.</summary>
    public string? EntityId { get; init; }
    public IReadOnlyList<string> MetadataFiles { get; init; } = [];
    public IReadOnlyList<string> MetadataUrls { get; init; } = [];
    /// <summary>Which of the metadata's identity providers; null: the only one.</summary>
    public string? IdpEntityId { get; init; }
    public bool AllowUnsolicited { get; init; }
    public TimeSpan AcceptedTimeDifference { get; init; }
    public TimeSpan SessionLifetime { get; init; } = TimeSpan.FromMinutes(15);
    public string MxidSourceAttribute { get; init; } = "uid";
    /// <summary>What is not allowed in a localpart becomes a dot; otherwise <c>=xx</c>.</summary>
    public bool DotReplace { get; init; }
    /// <summary>Accounts from before identities were kept are found by this attribute; null: not at all.</summary>
    public string? GrandfatheredAttribute { get; init; } = "uid";
    public IReadOnlyList<AttributeRequirement> Requirements { get; init; } = [];
    /// <summary>Assertions may be encrypted for any of these (<c>encryption_keypairs</c>).</summary>
    public IReadOnlyList<SamlKey> EncryptionKeys { get; init; } = [];
    /// <summary>Signs our requests where <see cref="SignRequests"/> says so, or the identity provider wants it; null: there is none.</summary>
    public SamlKey? SigningKey { get; init; }
    public bool SignRequests { get; init; }
    /// <summary>A signature of the assertion alone will not do.</summary>
    public bool WantResponseSigned { get; init; }
    /// <summary>A signature of the response alone will not do.</summary>
    public bool WantAssertionsSigned { get; init; }
}
