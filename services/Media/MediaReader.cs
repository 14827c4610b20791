using Matrix.Media.Endpoints;
using Matrix.Media.Store;
using Matrix.Primitives;
using Matrix.Storage.Media;

namespace Matrix.Media;

/// <summary>Finds media by the two parts of their URI.</summary>
internal sealed partial class MediaReader(MediaContext media, IMediaStore store, MediaMetadataStore metadata, ILogger<MediaReader> log)
{
    /// <summary>404 for what is not here, is of another server, or is no id at all.</summary>
    public async Task<MediaRecord> FindAsync(string serverName, string mediaId, CancellationToken ct)
    {
        if (!ServerName.TryParse(serverName, null, out _) || !MediaRules.IsMediaId(mediaId)) throw NotFound();
        if (serverName != media.Identity.ServerName) throw NotFound();
        return await metadata.FindAsync(mediaId, ct) ?? throw NotFound();
    }

    public async Task<Stream> OpenAsync(MediaRecord record, CancellationToken ct)
    {
        var stream = await store.OpenAsync(record.Sha256, ct);
        if (stream is null)
        {
            LogContentMissing(record.MediaId, Convert.ToHexStringLower(record.Sha256));
            throw NotFound();
        }
        try
        {
            await metadata.TouchAsync(record.MediaId, media.NowMs, ct);
        }
        catch
        {
            await stream.DisposeAsync();
            throw;
        }
        return stream;
    }

    private static MatrixException NotFound() => MatrixError.NotFound("Media not found").AsException();

    [LoggerMessage(1, LogLevel.Error, "The content {Sha256} of media {MediaId} is missing from the media store")]
    private partial void LogContentMissing(string mediaId, string sha256);
}
