using System.Text.Json.Serialization;
using Matrix.ClientApi.Pages;
using Matrix.ServiceDefaults;
using Matrix.Storage.Sso;

namespace Matrix.ClientApi.Sso;

/// <summary>What a login at a provider is for.</summary>
internal enum SsoGoal
{
    /// <summary>A token for a client. The value is the client's address.</summary>
    Client,
    /// <summary>A stage of user-interactive authentication. The value is its session.</summary>
    Uia,
    /// <summary>A page of ours. The value is its path.</summary>
    Page,
}

internal sealed record SsoTarget(SsoGoal Goal, string Value);

/// <summary>Whom a provider has proved, and what it says of him.</summary>
internal sealed record SsoIdentity(ExternalId Id)
{
    /// <summary>The localpart of a new account, by the number of names that were taken before; null: the user chooses.</summary>
    public Func<int, string?> Localpart { get; init; } = _ => null;
    /// <summary>An account of this localpart, when there is one, is the user's; null: never.</summary>
    public string? ExistingLocalpart { get; init; }
    public bool ConfirmLocalpart { get; init; }
    public string? DisplayName { get; init; }
    public IReadOnlyList<string> Emails { get; init; } = [];
    /// <summary>Address of a picture of the user; null: none.</summary>
    public string? Picture { get; init; }
    /// <summary>Name of the session at the provider, for its logout; null: none.</summary>
    public string? Session { get; init; }
}

/// <summary>A way to log in elsewhere.</summary>
internal interface ISsoProvider
{
    /// <summary>As clients name it, and as it stands in the database.</summary>
    string Id { get; }
    ProviderLabel Label { get; }
    bool EnableRegistration { get; }

    /// <summary>Where to send the browser.</summary>
    /// <param name="parameters">Of the request that begins it; some are passed on.</param>
    Task<string> BeginAsync(SsoTarget target, Browser browser, IQueryCollection parameters, CancellationToken ct);
}

/// <summary>A login that waits for the browser to come back from a provider.</summary>
/// <param name="Browser">Tag of the cookie: the browser that comes back must be the one that went.</param>
internal sealed record SsoStep(string Provider, SsoGoal Goal, string Value, string Browser)
{
    public string? Nonce { get; init; }
    public string? Verifier { get; init; }
    /// <summary>Of the SAML request, for InResponseTo.</summary>
    public string? RequestId { get; init; }

    [JsonIgnore]
    public SsoTarget Target => new(Goal, Value);
}

/// <summary>A new user who has not made all his choices.</summary>
internal sealed record RegistrationStep(string Provider, string ExternalId, SsoGoal Goal, string Value)
{
    public string? Localpart { get; init; }
    public string? DisplayName { get; init; }
    public IReadOnlyList<string> Emails { get; init; } = [];
    public string? Picture { get; init; }
    public string? Session { get; init; }
    /// <summary>What the user has chosen; null: nothing yet.</summary>
    public string? Username { get; init; }
    public bool UseDisplayName { get; init; } = true;
    public bool UseAvatar { get; init; } = true;
    /// <summary>Some of <see cref="Emails"/>.</summary>
    public IReadOnlyList<string> UseEmails { get; init; } = [];
    /// <summary>Version of the terms that the user has agreed to; null: none.</summary>
    public string? AcceptedVersion { get; init; }

    [JsonIgnore]
    public SsoTarget Target => new(Goal, Value);
}

[JsonSerializable(typeof(SsoStep))]
[JsonSerializable(typeof(RegistrationStep))]
internal sealed partial class SsoJson : JsonSerializerContext;
