using Matrix.Media.Store;
using Matrix.Primitives;
using Matrix.Storage.Media;
using Matrix.Web.Routing;
using Microsoft.Net.Http.Headers;

namespace Matrix.Media.Endpoints;

/// <summary>Downloads and thumbnails. Spec: client-server-api/#get_matrixclientv1mediadownloadservernamemediaid</summary>
internal static class DownloadEndpoints
{
    public static void MapDownload(this ClientRoutes routes)
    {
        routes.Get(ClientVersions.V1, "/media/download/{serverName}/{mediaId}", AuthenticatedAsync).AllowGuests().Named("download_media");
        routes.Get(ClientVersions.V1, "/media/download/{serverName}/{mediaId}/{fileName}", AuthenticatedNamedAsync).AllowGuests().Named("download_media");
        routes.Get(ClientVersions.V1, "/media/thumbnail/{serverName}/{mediaId}", AuthenticatedThumbnailAsync).AllowGuests().Named("thumbnail_media");
        // Deprecated and without a token. Local media stay reachable here until there is a freeze date to configure.
        foreach (var version in MediaRoutes.LegacyVersions)
        {
            var legacy = $"/_matrix/media/{version}";
            routes.Map("GET", legacy + "/download/{serverName}/{mediaId}", LegacyAsync).Anonymous().Named("download_media_legacy");
            routes.Map("GET", legacy + "/download/{serverName}/{mediaId}/{fileName}", LegacyNamedAsync).Anonymous().Named("download_media_legacy");
            routes.Map("GET", legacy + "/thumbnail/{serverName}/{mediaId}", LegacyThumbnailAsync).Anonymous().Named("thumbnail_media_legacy");
        }
    }

    private static Task<IResult> AuthenticatedAsync(string serverName, string mediaId, HttpContext context, MediaReader reader, CancellationToken ct) =>
        ServeAsync(serverName, mediaId, null, isPublic: false, context, reader, ct);

    private static Task<IResult> AuthenticatedNamedAsync(
        string serverName, string mediaId, string fileName, HttpContext context, MediaReader reader, CancellationToken ct) =>
        ServeAsync(serverName, mediaId, fileName, isPublic: false, context, reader, ct);

    private static Task<IResult> LegacyAsync(string serverName, string mediaId, HttpContext context, MediaReader reader, CancellationToken ct) =>
        ServeAsync(serverName, mediaId, null, isPublic: true, context, reader, ct);

    private static Task<IResult> LegacyNamedAsync(
        string serverName, string mediaId, string fileName, HttpContext context, MediaReader reader, CancellationToken ct) =>
        ServeAsync(serverName, mediaId, fileName, isPublic: true, context, reader, ct);

    private static Task<IResult> AuthenticatedThumbnailAsync(
        string serverName, string mediaId, ThumbnailSize size, HttpContext context, MediaReader reader, CancellationToken ct) =>
        ThumbnailAsync(serverName, mediaId, size, isPublic: false, context, reader, ct);

    private static Task<IResult> LegacyThumbnailAsync(
        string serverName, string mediaId, ThumbnailSize size, HttpContext context, MediaReader reader, CancellationToken ct) =>
        ThumbnailAsync(serverName, mediaId, size, isPublic: true, context, reader, ct);

    private static async Task<IResult> ServeAsync(
        string serverName, string mediaId, string? fileName, bool isPublic, HttpContext context, MediaReader reader, CancellationToken ct)
    {
        var record = await reader.FindAsync(serverName, mediaId, ct);
        return await AnswerAsync(record, MediaRules.FileName(fileName) ?? record.UploadName, isPublic, context, reader, ct);
    }

    /// <summary>
    /// The original: never smaller than asked, as the spec wants, and what the spec lets a server return that makes no thumbnails.
    /// </summary>
    private static async Task<IResult> ThumbnailAsync(
        string serverName, string mediaId, ThumbnailSize size, bool isPublic, HttpContext context, MediaReader reader, CancellationToken ct)
    {
        size.Validate();
        var record = await reader.FindAsync(serverName, mediaId, ct);
        if (!MediaRules.IsImage(record.ContentType)) throw MatrixError.Unknown(400, "Cannot generate thumbnails of this content").AsException();
        return await AnswerAsync(record, record.UploadName, isPublic, context, reader, ct);
    }

    private static async Task<IResult> AnswerAsync(
        MediaRecord record, string? fileName, bool isPublic, HttpContext context, MediaReader reader, CancellationToken ct)
    {
        var content = await reader.OpenAsync(record, ct);
        var headers = context.Response.Headers;
        headers.ContentDisposition = MediaRules.ContentDisposition(record.ContentType, fileName);
        headers.ContentSecurityPolicy = MediaRules.ContentSecurityPolicy;
        headers["Cross-Origin-Resource-Policy"] = "cross-origin";
        headers.XContentTypeOptions = "nosniff";
        headers["X-Robots-Tag"] = "noindex, nofollow, noarchive, noimageindex";
        // A media id never means another content; what needs a token must not be kept by shared caches.
        headers.CacheControl = isPublic ? "public,immutable,max-age=86400,s-maxage=86400" : "private,immutable,max-age=86400";
        var etag = new EntityTagHeaderValue($"\"{Convert.ToHexStringLower(record.Sha256)}\"");
        return Results.Stream(content, record.ContentType, entityTag: etag, enableRangeProcessing: true);
    }
}

/// <summary>Query of a thumbnail request.</summary>
internal sealed record ThumbnailSize(int Width, int Height, string Method)
{
    public static ValueTask<ThumbnailSize?> BindAsync(HttpContext context)
    {
        var query = context.Request.Query;
        return ValueTask.FromResult<ThumbnailSize?>(new(Pixels(query, "width"), Pixels(query, "height"), query["method"].FirstOrDefault() ?? "scale"));
    }

    private static int Pixels(IQueryCollection query, string name)
    {
        if (!query.TryGetValue(name, out var text)) throw MatrixError.MissingParam($"Missing integer query parameter '{name}'").AsException();
        return int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var n)
            ? n : throw MatrixError.InvalidParam($"Query parameter '{name}' must be a whole number of pixels").AsException();
    }

    public void Validate()
    {
        if (Width < 1 || Height < 1) throw MatrixError.InvalidParam("Thumbnail width and height must be positive").AsException();
        if (Method is not ("scale" or "crop")) throw MatrixError.InvalidParam("Thumbnail method must be 'scale' or 'crop'").AsException();
    }
}
