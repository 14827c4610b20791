using System.Security.Cryptography;
using Matrix.Media.Endpoints;
using Matrix.Media.Store;
using Matrix.Primitives;
using Matrix.Storage.Media;
using Matrix.Web.Media;

namespace Matrix.Media;

/// <summary>Puts content into the store, and then its row into the database.</summary>
internal sealed class MediaWriter(IMediaStore store, MediaMetadataStore metadata, MediaContext media) : IMediaWriter
{
    private const string IdLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    public Task<MediaStored> StoreAsync(MediaToStore given, CancellationToken ct) =>
        StoreAsync(given.UserId, new MemoryStream(given.Content, writable: false), MediaRules.ContentType(given.ContentType), null, ct);

    /// <summary>M_TOO_LARGE for more than an upload may have.</summary>
    public async Task<MediaStored> StoreAsync(string userId, Stream body, string contentType, string? fileName, CancellationToken ct)
    {
        var content = await store.WriteAsync(body, media.Config.MaxUploadSize, ct) ?? throw MatrixError.TooLarge("Upload request body is too large").AsException();
        var id = RandomNumberGenerator.GetString(IdLetters, 24);
        await metadata.InsertAsync(new MediaRecord(id, userId, contentType, content.Length, content.Sha256, fileName, media.NowMs), ct);
        return new($"mxc://{media.Identity.ServerName}/{id}");
    }
}
