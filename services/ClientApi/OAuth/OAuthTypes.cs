using System.Text.Json.Serialization;

namespace Matrix.ClientApi.OAuth;

/// <summary>A client as it registered itself. Spec: client-server-api/#client-metadata</summary>
internal sealed record OAuthClient(string Id, string Name, string Uri, IReadOnlyList<string> RedirectUris, IReadOnlyList<string> GrantTypes, string ApplicationType)
{
    public string? PolicyUri { get; init; }
    public string? TosUri { get; init; }
}

/// <summary>What a client wants of a user, while he logs in and thinks about it.</summary>
internal sealed record AuthorizeStep(string ClientId, string RedirectUri, string Scope, string DeviceId, string Challenge)
{
    public string? State { get; init; }
    /// <summary>The answer goes into the fragment, not into the query.</summary>
    public bool InFragment { get; init; }
}

/// <summary>What stands behind an authorization code.</summary>
internal sealed record CodeStep(string ClientId, string RedirectUri, string Scope, string DeviceId, string Challenge, string UserId);

[JsonSerializable(typeof(AuthorizeStep))]
[JsonSerializable(typeof(CodeStep))]
internal sealed partial class OAuthJson : JsonSerializerContext;
