namespace Matrix.Media.Store;

/// <summary>Content that was written.</summary>
/// <param name="Sha256">Its name in the store.</param>
/// <param name="Length">Bytes.</param>
internal sealed record StoredContent(byte[] Sha256, long Length);

/// <summary>Where the bytes of media live, by content hash: a local directory, or an object store.</summary>
internal interface IMediaStore
{
    /// <summary>
    /// Streams <paramref name="source"/> in. When this returns, the content survives a crash. Null when there were more than
    /// <paramref name="limit"/> bytes: nothing is kept then.
    /// </summary>
    Task<StoredContent?> WriteAsync(Stream source, long limit, CancellationToken ct);

    /// <summary>A seekable stream; null when the content is not there.</summary>
    ValueTask<Stream?> OpenAsync(byte[] sha256, CancellationToken ct);

    /// <summary>Removes the content. True when it was there.</summary>
    ValueTask<bool> DeleteAsync(byte[] sha256, CancellationToken ct);
}
