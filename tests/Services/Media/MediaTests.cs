using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Matrix.Media;
using Matrix.ServiceTests.Hosting;
using Matrix.Testing.Servers;

namespace Matrix.ServiceTests.Media;

public sealed class MediaTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>, IAsyncLifetime
{
    private const string Alice = "@alice:test.example";
    private const int MaxUpload = 200_000;
    private readonly string folder = Directory.CreateTempSubdirectory("armada-media-").FullName;
    private ServiceHost host = null!;

    public async ValueTask InitializeAsync() => host = await ServiceHost.StartAsync(
        postgres.ConnectionString, b => b.AddMedia(), e => e.MapMedia(), c => c with { MediaStorePath = folder, MaxUploadSize = MaxUpload });

    public async ValueTask DisposeAsync()
    {
        await host.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    private async Task<string> UploadAsync(byte[] bytes, string? type = "image/png", string query = "")
    {
        var content = new ByteArrayContent(bytes);
        if (type is not null) content.Headers.TryAddWithoutValidation("Content-Type", type);
        using var response = await host.SendAsync(HttpMethod.Post, "/_matrix/media/v3/upload" + query, Alice, content);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, text);
        var uri = JsonDocument.Parse(text).RootElement.GetProperty("content_uri").GetString()!;
        Assert.StartsWith("mxc://test.example/", uri);
        return uri["mxc://".Length..];
    }

    private Task<HttpResponseMessage> DownloadAsync(string media, string? user = Alice) =>
        host.SendAsync(HttpMethod.Get, "/_matrix/client/v1/media/download/" + media, user);

    private int FilesOnDisk => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Count();

    [Fact]
    public async Task An_upload_comes_back_byte_for_byte_with_its_type_and_name()
    {
        var bytes = Enumerable.Range(0, 150_000).Select(i => (byte)(i * 7)).ToArray();
        var media = await UploadAsync(bytes, "image/png", "?filename=boat.png");
        using var response = await DownloadAsync(media);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(bytes, await response.Content.ReadAsByteArrayAsync());
        Assert.Equal("image/png", response.Content.Headers.ContentType!.ToString());
        Assert.Equal("inline; filename=boat.png", response.Content.Headers.ContentDisposition!.ToString());
        Assert.Equal(bytes.Length, response.Content.Headers.ContentLength);
    }

    [Fact]
    public async Task What_is_served_cannot_script_or_be_sniffed()
    {
        using var response = await DownloadAsync(await UploadAsync("<script>"u8.ToArray(), "text/html", "?filename=a.html"));
        Assert.StartsWith("attachment", response.Content.Headers.ContentDisposition!.ToString());
        Assert.StartsWith("sandbox; default-src 'none'", Assert.Single(response.Headers.GetValues("Content-Security-Policy")));
        Assert.Equal("cross-origin", Assert.Single(response.Headers.GetValues("Cross-Origin-Resource-Policy")));
        Assert.Equal("nosniff", Assert.Single(response.Headers.GetValues("X-Content-Type-Options")));
    }

    [Fact]
    public async Task The_same_content_is_kept_once_and_nothing_is_left_incomplete()
    {
        var before = FilesOnDisk;
        var bytes = Guid.NewGuid().ToByteArray();
        Assert.NotEqual(await UploadAsync(bytes), await UploadAsync(bytes));
        Assert.Equal(before + 1, FilesOnDisk);
    }

    [Fact]
    public async Task A_type_that_cannot_be_said_again_becomes_a_plain_one()
    {
        using var none = await DownloadAsync(await UploadAsync([1], type: null));
        Assert.Equal("application/octet-stream", none.Content.Headers.ContentType!.ToString());
        using var strange = await DownloadAsync(await UploadAsync([2], type: "text/pläin"));
        Assert.Equal("application/octet-stream", strange.Content.Headers.ContentType!.ToString());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_upload_that_is_too_large_is_refused_and_not_kept(bool saysItsLength)
    {
        var before = FilesOnDisk;
        HttpContent content = saysItsLength ? new ByteArrayContent(new byte[MaxUpload + 1]) : new StreamContent(new LongStream(MaxUpload + 1));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/_matrix/media/r0/upload") { Content = content };
        if (!saysItsLength) request.Headers.TransferEncodingChunked = true;
        using var response = await host.SendAsync(request, Alice);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Contains("M_TOO_LARGE", await response.Content.ReadAsStringAsync());
        Assert.Equal(before, FilesOnDisk);
    }

    private sealed class LongStream(long left) : MemoryStream
    {
        private long left = left;
        public override bool CanSeek => false;
        public override int Read(Span<byte> buffer)
        {
            var n = (int)Math.Min(left, buffer.Length);
            left -= n;
            return n;
        }
        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken ct = default) => new(Read(buffer.Span));
        public override Task CopyToAsync(Stream destination, int size, CancellationToken ct) => CopyAsync(destination);
        private async Task CopyAsync(Stream destination)
        {
            var buffer = new byte[4096];
            int n;
            while ((n = Read(buffer.AsSpan())) > 0) await destination.WriteAsync(buffer.AsMemory(0, n));
        }
    }

    [Fact]
    public async Task Authenticated_downloads_and_uploads_want_a_token_and_the_old_ones_do_not()
    {
        var media = await UploadAsync([3]);
        using var without = await DownloadAsync(media, user: null);
        Assert.Equal(HttpStatusCode.Unauthorized, without.StatusCode);
        using var upload = await host.SendAsync(HttpMethod.Post, "/_matrix/media/v3/upload", null, new ByteArrayContent([1]));
        Assert.Equal(HttpStatusCode.Unauthorized, upload.StatusCode);
        foreach (var version in (string[])["r0", "v1", "v3"])
        {
            using var old = await host.SendAsync(HttpMethod.Get, $"/_matrix/media/{version}/download/{media}");
            Assert.Equal(HttpStatusCode.OK, old.StatusCode);
        }
    }

    [Theory]
    [InlineData("test.example/..%2F..%2Fetc%2Fpasswd")]
    [InlineData("test.example/%2e%2e")]
    [InlineData("test.example/no.such")]
    [InlineData("test.example/unknown")]
    [InlineData("..%2F/abc")]
    [InlineData("exa mple/abc")]
    [InlineData("other.example/abc")]
    public async Task Ids_that_are_none_find_nothing(string media)
    {
        var (status, body) = await host.RawAsync($"GET /_matrix/media/v3/download/{media.Replace(" ", "%20", StringComparison.Ordinal)}");
        Assert.Equal(404, status);
        Assert.Contains("M_NOT_FOUND", body);
    }

    [Fact]
    public async Task The_name_in_the_path_wins_and_is_written_so_that_it_stays_a_name()
    {
        var media = await UploadAsync([4], "text/plain", "?filename=" + Uri.EscapeDataString("über \"uns\"\r\nX: y.txt"));
        using var uploaded = await DownloadAsync(media);
        Assert.Equal("inline; filename*=utf-8''%C3%BCber%20%22uns%22X%3A%20y.txt",
            Assert.Single(uploaded.Content.Headers.GetValues("Content-Disposition")));
        using var named = await DownloadAsync(media + "/a%20b.txt");
        Assert.Equal("inline; filename*=utf-8''a%20b.txt", Assert.Single(named.Content.Headers.GetValues("Content-Disposition")));
    }

    [Fact]
    public async Task A_part_can_be_asked_for()
    {
        var media = await UploadAsync(Encoding.ASCII.GetBytes("0123456789"));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/_matrix/client/v1/media/download/" + media);
        request.Headers.Range = new RangeHeaderValue(2, 4);
        using var response = await host.SendAsync(request, Alice);
        Assert.Equal(HttpStatusCode.PartialContent, response.StatusCode);
        Assert.Equal("234", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task What_the_client_has_is_not_sent_again()
    {
        var media = await UploadAsync([5, 6]);
        using var first = await DownloadAsync(media);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/_matrix/client/v1/media/download/" + media);
        request.Headers.IfNoneMatch.Add(first.Headers.ETag!);
        using var second = await host.SendAsync(request, Alice);
        Assert.Equal(HttpStatusCode.NotModified, second.StatusCode);
    }

    [Fact]
    public async Task A_thumbnail_of_a_picture_is_the_picture()
    {
        var media = await UploadAsync([7, 8, 9]);
        using var thumbnail = await host.SendAsync(HttpMethod.Get, $"/_matrix/client/v1/media/thumbnail/{media}?width=32&height=32&method=crop", Alice);
        Assert.Equal(HttpStatusCode.OK, thumbnail.StatusCode);
        Assert.Equal([7, 8, 9], await thumbnail.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData("?width=32", "M_MISSING_PARAM")]
    [InlineData("?width=32&height=x", "M_INVALID_PARAM")]
    [InlineData("?width=-1&height=3", "M_INVALID_PARAM")]
    [InlineData("?width=0&height=3", "M_INVALID_PARAM")]
    [InlineData("?width=3&height=3&method=stretch", "M_INVALID_PARAM")]
    public async Task A_thumbnail_needs_a_size(string query, string code)
    {
        var (status, body) = await host.JsonAsync(HttpMethod.Get, "/_matrix/client/v1/media/thumbnail/test.example/abc" + query, Alice);
        Assert.Equal((400, code), (status, body.GetProperty("errcode").GetString()));
    }

    [Fact]
    public async Task The_limit_of_uploads_is_told()
    {
        foreach (var path in (string[])["/_matrix/client/v1/media/config", "/_matrix/media/v3/config"])
            Assert.Equal(MaxUpload, (await host.JsonAsync(HttpMethod.Get, path, Alice)).Body.GetProperty("m.upload.size").GetInt64());
    }

    [Fact]
    public async Task What_is_not_done_yet_is_unrecognized()
    {
        var (status, body) = await host.JsonAsync(HttpMethod.Post, "/_matrix/media/v1/create", Alice, "{}");
        Assert.Equal((404, "M_UNRECOGNIZED"), (status, body.GetProperty("errcode").GetString()));
    }
}
