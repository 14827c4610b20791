using Matrix.Gateway.Proxy;
using Xunit;

namespace Matrix.Gateway.Tests.Proxy;

public sealed class ReplayableBodyTests
{
    private static readonly byte[] Data = [.. Enumerable.Range(0, 20_000).Select(i => (byte)i)];

    private static async Task<byte[]> ReadAsync(Stream body, int count, int step = 777)
    {
        var got = new List<byte>();
        var buffer = new byte[step];
        while (got.Count < count && await body.ReadAsync(buffer.AsMemory(0, Math.Min(step, count - got.Count))) is > 0 and var n) got.AddRange(buffer[..n]);
        return [.. got];
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(9_999)]
    [InlineData(20_000)]
    public async Task Reads_the_same_bytes_again_however_far_it_had_come(int before)
    {
        var body = new ReplayableBody(new MemoryStream(Data), 32 * 1024);
        for (var attempt = 0; attempt < 3; attempt++)
        {
            Assert.Equal(Data[..before], await ReadAsync(body, before));
            Assert.True(body.CanReplay);
            body.Rewind();
        }
        Assert.Equal(Data, await ReadAsync(body, int.MaxValue));
        body.Release();
    }

    [Fact]
    public async Task Beyond_the_bound_it_only_reads_on()
    {
        var body = new ReplayableBody(new MemoryStream(Data), 10_000);
        Assert.Equal(Data, await ReadAsync(body, int.MaxValue));
        Assert.False(body.CanReplay);
    }

    [Fact]
    public async Task With_no_bound_it_can_be_sent_again_until_the_first_byte_was_read()
    {
        var body = new ReplayableBody(new MemoryStream(Data), 0);
        Assert.True(body.CanReplay);
        await ReadAsync(body, 1);
        Assert.False(body.CanReplay);
    }
}
