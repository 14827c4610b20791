namespace Matrix.Web.Media;

/// <summary>Content that a service has for a user of this server.</summary>
public sealed record MediaToStore(string UserId, string ContentType, byte[] Content);

public sealed record MediaStored(string ContentUri);

/// <summary>Stores content as if the user had uploaded it.</summary>
public interface IMediaWriter
{
    /// <summary>Most bytes of content, whatever <c>max_upload_size</c> says: they are held in memory.</summary>
    const int MaxBytes = 10 * 1024 * 1024;

    Task<MediaStored> StoreAsync(MediaToStore media, CancellationToken ct);
}
