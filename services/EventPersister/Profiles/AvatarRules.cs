using System.Text.Json;
using Matrix.Crypto;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Media;

namespace Matrix.EventPersister.Profiles;

/// <summary>What may be an avatar. Synapse: <c>max_avatar_size</c>, <c>allowed_avatar_mimetypes</c>; what this server does not have cannot be judged, and may not.</summary>
internal sealed class AvatarRules(MediaMetadataStore media, ServerIdentity server, HomeserverConfig config)
{
    private readonly ProfileConfig rules = config.Accounts.Profiles;

    /// <summary>Of a member event that a client writes itself.</summary>
    public ValueTask RequireAsync(JsonElement content, CancellationToken ct) =>
        RequireAsync(content.TryGetProperty(ProfileFields.AvatarUrl, out var avatar) && avatar.ValueKind == JsonValueKind.String ? avatar.GetString() : null, ct);

    /// <summary>M_FORBIDDEN. No avatar (null or empty) is always one.</summary>
    public async ValueTask RequireAsync(string? avatarUrl, CancellationToken ct)
    {
        if (string.IsNullOrEmpty(avatarUrl) || (rules.MaxAvatarSize is null && rules.AvatarTypes.Count == 0)) return;
        var own = $"mxc://{server.ServerName}/";
        var found = avatarUrl.StartsWith(own, StringComparison.Ordinal) ? await media.FindAsync(avatarUrl[own.Length..], ct) : null;
        if (found is null || found.Length > (rules.MaxAvatarSize ?? long.MaxValue) || (rules.AvatarTypes.Count > 0 && !rules.AvatarTypes.Contains(found.ContentType)))
            throw MatrixError.Forbidden("This avatar is not allowed").AsException();
    }
}
