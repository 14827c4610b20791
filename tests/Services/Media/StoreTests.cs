using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Matrix.Media;
using Matrix.Primitives;
using Matrix.Replication;
using Matrix.Replication.Rpc;
using Matrix.ServiceTests.Hosting;
using Matrix.Testing.Servers;
using Matrix.Web.Media;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.Media;

/// <summary>Media that other services store.</summary>
public sealed class StoreTests(PostgresFixture postgres) : IClassFixture<PostgresFixture>, IAsyncLifetime
{
    private const string Alice = "@alice:test.example";
    private readonly string folder = Directory.CreateTempSubdirectory("armada-media-").FullName;
    private ServiceHost host = null!;

    public async ValueTask InitializeAsync() => host = await ServiceHost.StartAsync(
        postgres.ConnectionString, b => b.AddMedia(), e => e.MapMedia(), c => c with { MediaStorePath = folder, MaxUploadSize = IMediaWriter.MaxBytes });

    public async ValueTask DisposeAsync()
    {
        await host.DisposeAsync();
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>Straight to the host, whoever is asked for.</summary>
    private sealed class Direct(ServiceHost host) : IInternalRpc
    {
        public async Task<byte[]> PostAsync(string service, string key, string path, ReadOnlyMemory<byte> json, CancellationToken ct)
        {
            Assert.Equal("media", service);
            using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ReadOnlyMemoryContent(json) };
            request.Headers.Add(InternalHeaders.Secret, host.Services.GetRequiredService<InternalRpcOptions>().Secret);
            using var response = await host.Http.SendAsync(request, ct);
            var body = await response.Content.ReadAsByteArrayAsync(ct);
            return response.IsSuccessStatusCode ? body
                : throw MatrixError.Custom((int)response.StatusCode, JsonDocument.Parse(body).RootElement.GetProperty("errcode").GetString()!, "").AsException();
        }
    }

    [Fact]
    public async Task What_another_service_stores_is_as_if_the_user_had_uploaded_it()
    {
        var content = RandomNumberGenerator.GetBytes(IMediaWriter.MaxBytes);
        foreach (IMediaWriter writer in (IMediaWriter[])[new RemoteMediaWriter(new Direct(host)), host.Services.GetRequiredService<IMediaWriter>()])
        {
            var stored = await writer.StoreAsync(new MediaToStore(Alice, "image/gif", content), CancellationToken.None);
            Assert.StartsWith("mxc://test.example/", stored.ContentUri);
            using var response = await host.SendAsync(HttpMethod.Get, "/_matrix/client/v1/media/download/" + stored.ContentUri["mxc://".Length..], Alice);
            Assert.Equal("image/gif", response.Content.Headers.ContentType?.ToString());
            Assert.Equal(content, await response.Content.ReadAsByteArrayAsync());
            var refused = await Assert.ThrowsAsync<MatrixException>(() => writer.StoreAsync(new MediaToStore(Alice, "image/gif", [.. content, 1]), CancellationToken.None));
            Assert.Equal((413, "M_TOO_LARGE"), (refused.Error.Status, refused.Error.Code));
        }
    }

    [Fact]
    public async Task Nobody_stores_without_the_secret_or_without_content()
    {
        using var response = await host.Http.PostAsync(RemoteMediaWriter.Path, new StringContent("{}", Encoding.UTF8, "application/json"));
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        var refused = await Assert.ThrowsAsync<MatrixException>(() => new Direct(host).PostAsync("media", "", RemoteMediaWriter.Path, "{\"user_id\":\"@a:x\"}"u8.ToArray(), CancellationToken.None));
        Assert.Equal((400, "M_BAD_JSON"), (refused.Error.Status, refused.Error.Code));
    }
}
