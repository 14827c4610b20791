using System.Text.Json;
using Matrix.Primitives;
using Matrix.Replication.Rpc;
using Matrix.Web.Json;
using Matrix.Web.Media;

namespace Matrix.Media.Endpoints;

/// <summary>The other end of <see cref="RemoteMediaWriter"/>.</summary>
internal static class StoreEndpoints
{
    // The content as base64, and what stands around it.
    private const long MaxBytes = ((IMediaWriter.MaxBytes + 2) / 3 * 4) + 4096;

    public static void MapStore(this IEndpointRouteBuilder endpoints) =>
        endpoints.MapPost(RemoteMediaWriter.Path, (RequestDelegate)HandleAsync).RequireInternalSecret().WithMetadata(new BodyLimit(MaxBytes));

    private static async Task HandleAsync(HttpContext context)
    {
        var body = await JsonBody.BindAsync(context);
        MediaToStore media;
        try
        {
            media = JsonSerializer.Deserialize(body.Bytes.Span, MediaJson.Default.MediaToStore) ?? throw Bad();
        }
        catch (JsonException)
        {
            throw Bad();
        }
        var stored = await context.RequestServices.GetRequiredService<MediaWriter>().StoreAsync(media, context.RequestAborted);
        await MatrixResults.Json(stored, MediaJson.Default.MediaStored).ExecuteAsync(context);
    }

    private static MatrixException Bad() => MatrixError.BadJson("Not what media are stored with.").AsException();
}
