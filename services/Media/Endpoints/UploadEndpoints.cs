using Matrix.Crypto;
using Matrix.Primitives;
using Matrix.ServiceDefaults;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;
using Microsoft.AspNetCore.Http.Features;

namespace Matrix.Media.Endpoints;

/// <summary>Upload and limits. Spec: client-server-api/#post_matrixmediav3upload, #get_matrixclientv1mediaconfig</summary>
internal static class UploadEndpoints
{
    public static void MapUpload(this ClientRoutes routes)
    {
        foreach (var version in MediaRoutes.LegacyVersions)
        {
            routes.Map("POST", $"/_matrix/media/{version}/upload", UploadAsync).Named("upload_media");
            routes.Map("GET", $"/_matrix/media/{version}/config", Config).AllowGuests().Named("media_config");
        }
        routes.Get(ClientVersions.V1, "/media/config", Config).AllowGuests().Named("media_config");
    }

    private static IResult Config(HomeserverConfig config) => MatrixResults.Object(w => w.WriteNumber("m.upload.size", config.MaxUploadSize));

    private static async Task<IResult> UploadAsync(Upload upload, Requester requester, MediaWriter media, CancellationToken ct)
    {
        var stored = await media.StoreAsync(requester.UserId.Value, upload.Body, upload.ContentType, upload.FileName, ct);
        return MatrixResults.Object(w => w.WriteString("content_uri", stored.ContentUri));
    }

    /// <summary>The body of an upload is never held in memory: it is the stream of the connection.</summary>
    internal sealed record Upload(Stream Body, string ContentType, string? FileName)
    {
        public static ValueTask<Upload?> BindAsync(HttpContext context)
        {
            var limit = context.RequestServices.GetRequiredService<HomeserverConfig>().MaxUploadSize;
            if (context.Request.ContentLength > limit) throw MatrixError.TooLarge("Upload request body is too large").AsException();
            // Kestrel's own limit is below ours; ours is counted while the body streams in.
            if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } feature) feature.MaxRequestBodySize = null;
            return ValueTask.FromResult<Upload?>(new Upload(
                context.Request.Body, MediaRules.ContentType(context.Request.ContentType), MediaRules.FileName(context.Request.Query["filename"])));
        }
    }
}

/// <summary>What the endpoints of this service share.</summary>
internal sealed record MediaContext(HomeserverConfig Config, ServerIdentity Identity, TimeProvider Clock)
{
    public long NowMs => Clock.GetUtcNow().ToUnixTimeMilliseconds();
}

internal static class MediaRoutes
{
    public static readonly IReadOnlyList<string> LegacyVersions = ["r0", "v1", "v3"];
}
