using System.Security.Cryptography;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Storage.Media;
using Matrix.Storage.Profiles;
using Matrix.Web.Media;

namespace Matrix.ClientApi.Sso.Pictures;

/// <summary>Makes the pictures that users have at providers media of this server.</summary>
internal sealed partial class SsoPictures(
    PictureHttp http, IMediaWriter writer, MediaMetadataStore media, ProfileStore profiles, HomeserverConfig config, ILogger<SsoPictures> log)
{
    /// <summary>The new avatar; null when the user has this picture already, or it cannot be had: a picture keeps nobody from logging in.</summary>
    public async Task<string?> StoreAsync(UserId user, string address, CancellationToken ct)
    {
        try
        {
            var picture = await http.GetAsync(address, ct);
            if (picture.Fault is { } fault)
            {
                LogNotFetched(log, user.Value, fault);
                return null;
            }
            if (await HasAsync(user, picture.Content, ct)) return null;
            return (await writer.StoreAsync(new MediaToStore(user.Value, picture.ContentType, picture.Content), ct)).ContentUri;
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            LogNotStored(log, e, user.Value);
            return null;
        }
    }

    /// <summary>By the hash of what the avatar shows. Synapse: by the hash as name of the upload.</summary>
    private async Task<bool> HasAsync(UserId user, byte[] content, CancellationToken ct)
    {
        var own = $"mxc://{config.ServerName}/";
        if ((await profiles.FindAsync(user.Value, ct))?.AvatarUrl is not { } avatar || !avatar.StartsWith(own, StringComparison.Ordinal)) return false;
        return await media.FindAsync(avatar[own.Length..], ct) is { } shown && shown.Sha256.AsSpan().SequenceEqual(SHA256.HashData(content));
    }

    [LoggerMessage(4043, LogLevel.Warning, "The picture of {UserId} at the provider cannot be fetched: {Reason}")]
    private static partial void LogNotFetched(ILogger log, string userId, string reason);
    [LoggerMessage(4044, LogLevel.Warning, "The picture of {UserId} at the provider cannot be stored")]
    private static partial void LogNotStored(ILogger log, Exception e, string userId);
}
