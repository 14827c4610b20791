using System.Buffers;

namespace Matrix.Gateway.Proxy;

/// <summary>
/// A request body that can be sent once more: what has been read is kept, up to a bound. Beyond the bound, or with a bound of 0, it can be sent
/// again only while nothing was read.
/// </summary>
internal sealed class ReplayableBody(Stream source, int bound) : Stream
{
    private byte[] kept = [];
    private int length;
    private int at;
    private bool lost;

    public bool CanReplay => !lost;

    public void Rewind() => at = 0;

    /// <summary>Gives the memory back; the body cannot be read any more.</summary>
    public void Release()
    {
        if (kept.Length > 0) ArrayPool<byte>.Shared.Return(kept);
        (kept, length, at, lost) = ([], 0, 0, true);
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (at < length)
        {
            var again = Math.Min(buffer.Length, length - at);
            kept.AsMemory(at, again).CopyTo(buffer);
            at += again;
            return again;
        }
        var n = await source.ReadAsync(buffer, cancellationToken);
        if (n > 0 && !lost) Keep(buffer.Span[..n]);
        return n;
    }

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        if (length + bytes.Length > bound)
        {
            Release();
            return;
        }
        if (length + bytes.Length > kept.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(4096, 2 * (length + bytes.Length)));
            kept.AsSpan(0, length).CopyTo(larger);
            if (kept.Length > 0) ArrayPool<byte>.Shared.Return(kept);
            kept = larger;
        }
        bytes.CopyTo(kept.AsSpan(length));
        at = length += bytes.Length;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Bodies are read asynchronously.");

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
    public override void Flush() { }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
