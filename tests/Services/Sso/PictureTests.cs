using System.Collections.Concurrent;
using Matrix.ClientApi.Sso.Pictures;
using Matrix.Primitives;
using Matrix.ServiceTests.ClientApi;
using Matrix.ServiceTests.Hosting;
using Matrix.Web.Media;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Matrix.ServiceTests.Sso;

/// <summary>user_mapping_provider.config.picture_template</summary>
public sealed class PictureTests(PictureFixture sso) : IClassFixture<PictureFixture>, IAsyncLifetime
{
    private readonly ConcurrentDictionary<string, byte[]> pictures = new();
    private readonly ConcurrentQueue<string> askedInside = new();
    private LoopbackServer outside = null!;
    private LoopbackServer inside = null!;

    public async ValueTask InitializeAsync()
    {
        inside = await LoopbackServer.StartAsync(context =>
        {
            askedInside.Enqueue(context.Request.Path);
            return context.Response.Body.WriteAsync(Png()).AsTask();
        }, "127.0.0.2");
        outside = await LoopbackServer.StartAsync(AnswerAsync);
    }

    public async ValueTask DisposeAsync()
    {
        await outside.DisposeAsync();
        await inside.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        if (path == "/moved") context.Response.Redirect("picture");
        else if (path == "/moved-inside") context.Response.Redirect(inside.Address + "/picture");
        else if (path == "/moved-to-file") context.Response.Redirect("file:///etc/passwd");
        else if (path == "/round") context.Response.Redirect("round");
        else if (!pictures.TryGetValue(path, out var content)) context.Response.StatusCode = 404;
        else
        {
            // What the header says is not believed.
            context.Response.ContentType = path == "/page" ? "image/png" : "text/html";
            await context.Response.Body.WriteAsync(content);
        }
    }

    /// <summary>Each time another.</summary>
    private static byte[] Png() => [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, .. Guid.NewGuid().ToByteArray()];

    private async Task<Answer> LogInAsync(ServiceHost host, string name, string picture, string idp = "main")
    {
        var browser = new TestBrowser(host);
        var gone = (await browser.GetAsync($"/_matrix/client/v3/login/sso/redirect/oidc-{idp}?redirectUrl={Uri.EscapeDataString(SsoFixture.Trusted)}")).Require(302);
        var back = await browser.GetAsync(sso.Oidc.Approve(gone.Location!, new { sub = name, preferred_username = name, name = "Name of " + name, picture }));
        if (idp == "chooser")
        {
            var page = (await browser.GetAsync(back.Require(302).Location!)).Require(200);
            back = await browser.SubmitAsync(page, "/_synapse/client/pick_username/account_details", ("username", name), ("use_avatar", "true"));
        }
        return (await sso.LogInAsync(back.Require(302).Location!)).RequireOk();
    }

    private async Task<string?> AvatarAsync(Answer login, string? path = null)
    {
        var answer = await sso.JsonAsync(HttpMethod.Get, "/_matrix/client/v3/" + (path ?? $"profile/{login.Text("user_id")}"), login.Text("access_token"));
        return answer.RequireOk().Body.TryGetProperty("avatar_url", out var url) ? url.GetString() : null;
    }

    private async Task<long> MediaOfAsync(Answer login) =>
        (long)(await sso.Postgres.Source.CreateCommand($"select count(*) from media where user_id = '{login.Text("user_id")}'").ExecuteScalarAsync())!;

    private async Task RequireShowsAsync(Answer login, byte[] content)
    {
        var avatar = await AvatarAsync(login);
        Assert.StartsWith("mxc://test.example/", avatar);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/_matrix/client/v1/media/download/" + avatar!["mxc://".Length..]);
        request.Headers.Authorization = new("Bearer", login.Text("access_token"));
        using var response = await sso.First.Http.SendAsync(request);
        Assert.Equal("image/png", response.Content.Headers.ContentType?.ToString());
        Assert.Equal(content, await response.Content.ReadAsByteArrayAsync());
    }

    [Theory]
    [InlineData("main")]
    [InlineData("chooser")]
    public async Task The_picture_at_the_provider_is_the_avatar_from_the_first_login(string idp)
    {
        var name = sso.NewName();
        var first = pictures["/picture"] = Png();
        var login = await LogInAsync(sso.Second, name, outside.Address + "/moved", idp);
        await RequireShowsAsync(login, first);
        // Later ones are the user's affair, unless profiles follow their providers.
        pictures["/picture"] = Png();
        if (idp == "main") await LogInAsync(sso.Second, name, outside.Address + "/picture");
        await RequireShowsAsync(login, first);
    }

    [Fact]
    public async Task Where_profiles_follow_another_picture_takes_its_place_in_rooms_too_and_the_same_is_not_stored_again()
    {
        var name = sso.NewName();
        pictures["/picture"] = Png();
        var login = await LogInAsync(sso.First, name, outside.Address + "/picture");
        var id = login.Text("user_id");
        var room = (await sso.JsonAsync(HttpMethod.Post, "/_matrix/client/v3/createRoom", login.Text("access_token"), new { preset = "public_chat" })).RequireOk().Text("room_id");
        var before = await AvatarAsync(login);
        Assert.NotNull(before);

        pictures["/elsewhere"] = pictures["/picture"];
        await LogInAsync(sso.First, name, outside.Address + "/elsewhere");
        Assert.Equal((before, 1L), (await AvatarAsync(login), await MediaOfAsync(login)));

        var other = pictures["/picture"] = Png();
        await LogInAsync(sso.First, name, outside.Address + "/picture");
        await RequireShowsAsync(login, other);
        Assert.Equal(2, await MediaOfAsync(login));
        Assert.Equal(await AvatarAsync(login), await AvatarAsync(login, $"rooms/{Uri.EscapeDataString(room)}/state/m.room.member/{Uri.EscapeDataString(id)}"));
    }

    [Theory]
    [InlineData("/page", "neither PNG")]
    [InlineData("/large", "longer than 50000 bytes")]
    [InlineData("/missing", "status 404")]
    [InlineData("/round", "too many redirects")]
    [InlineData("/moved-to-file", "not of http or https")]
    [InlineData("/moved-inside", "no address that may be connected to")]
    [InlineData("inside", "no address that may be connected to")]
    [InlineData("file:///etc/passwd", "not of http or https")]
    [InlineData("no address", "the address is none")]
    public async Task A_picture_that_cannot_be_had_keeps_nobody_from_logging_in(string picture, string reason)
    {
        pictures["/page"] = "<html>"u8.ToArray();
        pictures["/large"] = [.. Png(), .. new byte[PictureFixture.MaxUpload]];
        var address = picture == "inside" ? inside.Address + "/picture" : picture[0] == '/' ? outside.Address + picture : picture;
        Assert.Contains(reason, (await sso.First.Services.GetRequiredService<PictureHttp>().GetAsync(address, CancellationToken.None)).Fault);
        var login = await LogInAsync(sso.First, sso.NewName(), address);
        Assert.Equal((null, 0L), (await AvatarAsync(login), await MediaOfAsync(login)));
        Assert.Empty(askedInside);
    }

    private sealed class NoMedia : IMediaWriter
    {
        public Task<MediaStored> StoreAsync(MediaToStore media, CancellationToken ct) => throw MatrixError.Unavailable("No instance of media can be reached.").AsException();
    }

    [Fact]
    public async Task Nor_does_a_picture_that_cannot_be_stored()
    {
        var user = await sso.RegisterAsync();
        pictures["/picture"] = Png();
        var services = sso.First.Services;
        Assert.NotNull(await services.GetRequiredService<SsoPictures>().StoreAsync(new UserId(user.Id), outside.Address + "/picture", CancellationToken.None));
        Assert.Null(await ActivatorUtilities.CreateInstance<SsoPictures>(services, new NoMedia()).StoreAsync(new UserId(user.Id), outside.Address + "/picture", CancellationToken.None));
    }

    [Theory]
    [InlineData("89504E470D0A1A0A00", "image/png")]
    [InlineData("FFD8FFE000", "image/jpeg")]
    [InlineData("474946383761", "image/gif")]
    [InlineData("474946383961", "image/gif")]
    [InlineData("524946460000000057454250", "image/webp")]
    [InlineData("524946460000000057415645", null)]
    [InlineData("3C737667", null)]
    [InlineData("", null)]
    public void Pictures_are_known_by_their_bytes(string hex, string? type) => Assert.Equal(type, PictureTypes.Of(Convert.FromHexString(hex)));
}
