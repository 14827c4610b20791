using System.Text.Json;
using System.Text.Json.Serialization;
using Matrix.Replication;

namespace Matrix.Web.Media;

/// <summary>Asks an instance of Media. In the monolith Media's own takes its place, whatever the order of registration.</summary>
public sealed class RemoteMediaWriter(IInternalRpc rpc) : IMediaWriter
{
    public const string Path = "/_internal/rpc/media/store";

    public async Task<MediaStored> StoreAsync(MediaToStore media, CancellationToken ct)
    {
        var answer = await rpc.PostAsync("media", media.UserId, Path, JsonSerializer.SerializeToUtf8Bytes(media, MediaJson.Default.MediaToStore), ct);
        return JsonSerializer.Deserialize(answer, MediaJson.Default.MediaStored) ?? throw new InvalidDataException("Media answered nothing.");
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(MediaToStore))]
[JsonSerializable(typeof(MediaStored))]
public sealed partial class MediaJson : JsonSerializerContext;
