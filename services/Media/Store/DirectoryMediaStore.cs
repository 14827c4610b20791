using System.Buffers;
using System.Security.Cryptography;

namespace Matrix.Media.Store;

/// <summary>
/// A local directory: <c>content/ab/cd/REST</c> by the hex SHA-256 of the content, and <c>incoming/</c> for what is not complete yet.
/// Names come from hashes only, never from a request.
/// </summary>
internal sealed class DirectoryMediaStore : IMediaStore
{
    private const int ChunkBytes = 64 * 1024;
    private readonly string content;
    private readonly string incoming;

    public DirectoryMediaStore(string root)
    {
        content = Path.Combine(root, "content");
        incoming = Path.Combine(root, "incoming");
        Directory.CreateDirectory(content);
        Directory.CreateDirectory(incoming);
    }

    public async Task<StoredContent?> WriteAsync(Stream source, long limit, CancellationToken ct)
    {
        var temporary = Path.Combine(incoming, Guid.NewGuid().ToString("N"));
        try
        {
            var written = await ReceiveAsync(source, temporary, limit, ct);
            if (written is not null) Keep(temporary, PathOf(written.Sha256));
            return written;
        }
        finally
        {
            File.Delete(temporary);     // gone already when it was kept
        }
    }

    private static async Task<StoredContent?> ReceiveAsync(Stream source, string path, long limit, CancellationToken ct)
    {
        var chunk = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, FileOptions.Asynchronous);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            long length = 0;
            int n;
            while ((n = await source.ReadAsync(chunk, ct)) > 0)
            {
                length += n;
                if (length > limit) return null;
                hash.AppendData(chunk, 0, n);
                await file.WriteAsync(chunk.AsMemory(0, n), ct);
            }
            file.Flush(flushToDisk: true);
            return new StoredContent(hash.GetHashAndReset(), length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(chunk);
        }
    }

    /// <summary>The rename is durable, and so are the directories that it needed, before a row may speak of the content.</summary>
    private void Keep(string temporary, string path)
    {
        var directory = Path.GetDirectoryName(path)!;
        var isNew = !Directory.Exists(directory);
        Directory.CreateDirectory(directory);
        File.Move(temporary, path, overwrite: true);
        DirectorySync.Flush(directory);
        if (!isNew) return;
        DirectorySync.Flush(Path.GetDirectoryName(directory)!);
        DirectorySync.Flush(content);
    }

    public ValueTask<Stream?> OpenAsync(byte[] sha256, CancellationToken ct)
    {
        try
        {
            return new(new FileStream(PathOf(sha256), FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, ChunkBytes,
                FileOptions.Asynchronous | FileOptions.SequentialScan));
        }
        catch (IOException e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return new((Stream?)null);
        }
    }

    public ValueTask<bool> DeleteAsync(byte[] sha256, CancellationToken ct)
    {
        var path = PathOf(sha256);
        if (!File.Exists(path)) return new(false);
        File.Delete(path);
        return new(true);
    }

    private string PathOf(byte[] sha256)
    {
        var hex = Convert.ToHexStringLower(sha256);
        return Path.Combine(content, hex[..2], hex[2..4], hex[4..]);
    }
}
