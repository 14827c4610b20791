using System.Text.Json;
using Matrix.EventPersister.Ingest;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Replication.Rpc;
using Matrix.Rooms.Ingest;
using Matrix.Web.Json;

namespace Matrix.EventPersister.Rpc;

/// <summary>The other end of <see cref="RemotePduIngest"/>.</summary>
internal static class PduIngestEndpoints
{
    // The most events of a request, each as large as an event may be, as base64.
    private const long MaxBytes = IPduIngest.MaxPdus * 96L * 1024;

    public static void MapPduIngest(this IEndpointRouteBuilder endpoints) =>
        endpoints.MapPost(RemotePduIngest.Path, (RequestDelegate)HandleAsync).RequireInternalSecret().WithMetadata(new BodyLimit(MaxBytes));

    private static async Task HandleAsync(HttpContext context)
    {
        var ct = context.RequestAborted;
        var body = await JsonBody.BindAsync(context);
        PduIngest request;
        try
        {
            request = PduIngestBody.Read(body.Bytes);
        }
        catch (JsonException)
        {
            throw MatrixError.BadJson("Not what a persister is asked with.").AsException();
        }
        var result = await context.RequestServices.GetRequiredService<PduIngestor>().IngestAsync(request, ct);
        if (result.Position > 0) context.Response.AddPosition(Streams.Events, result.Position);
        await MatrixResults.Json(result, IngestJson.Default.IngestResult).ExecuteAsync(context);
    }
}
