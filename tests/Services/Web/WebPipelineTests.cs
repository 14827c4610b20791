using System.Net;
using System.Net.Sockets;
using System.Text;
using Matrix.Primitives;
using Matrix.Web.Auth;
using Matrix.Web.Json;
using Matrix.Web.Routing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Matrix.ServiceTests.Web;

/// <summary>Raw paths, errors and authentication over a real socket: HttpClient would mend the paths before they are sent.</summary>
public sealed class WebPipelineTests : IAsyncLifetime
{
    private WebApplication app = null!;
    private int port;

    private sealed class OneToken : IRequestAuthenticator
    {
        public ValueTask<Requester> AuthenticateAsync(HttpContext context, string token) => token == "good"
            ? ValueTask.FromResult(new Requester(new UserId("@a:x"), "D", [], false, false, null))
            : throw MatrixError.UnknownToken().AsException();
    }

    private static IResult Echo(string a, string b) => MatrixResults.Object(w => { w.WriteString("a", a); w.WriteString("b", b); });
    private static IResult Body(JsonBody body) => MatrixResults.Raw(Encoding.UTF8.GetBytes(body.AsObject().GetRawText()));
    private static IResult Who(Requester requester) => MatrixResults.Object(w => w.WriteString("user_id", requester.UserId.Value));
    private static IResult Fail() => throw new InvalidOperationException("a secret detail");

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton<IRequestAuthenticator, OneToken>();
        app = builder.Build();
        app.UseMatrix();
        var routes = new ClientRoutes(app, "test");
        routes.Get(ClientVersions.V3, "/echo/{a}/of/{b}", Echo).Anonymous().Named("echo");
        routes.Put(ClientVersions.V3, "/body", Body).Anonymous().Named("body").BodyLimit(64);
        routes.Get(ClientVersions.R0V3, "/who", Who).Named("who");
        routes.Get(ClientVersions.V3, "/fail", Fail).Anonymous().Named("fail");
        await app.StartAsync();
        port = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()).Port;
    }

    public async ValueTask DisposeAsync() => await app.DisposeAsync();

    private async Task<(int Status, string Body)> SendAsync(string requestLine, string headers = "", byte[]? body = null)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port);
        var stream = client.GetStream();
        var head = $"{requestLine} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}{(body is null ? "" : $"Content-Length: {body.Length}\r\n")}\r\n";
        await stream.WriteAsync(Encoding.Latin1.GetBytes(head));
        if (body is not null) await stream.WriteAsync(body);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        var text = await reader.ReadToEndAsync();
        return (int.Parse(text.Split(' ')[1]), text[(text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..]);
    }

    [Theory]
    [InlineData("!a%2Fb:x", "$c", """{"a":"!a/b:x","b":"$c"}""")]
    [InlineData("!a%252Fb:x", "%24c", """{"a":"!a%2Fb:x","b":"$c"}""")]
    [InlineData("..%2F..", "%2e%2E", """{"a":"../..","b":".."}""")]
    [InlineData("a%3Fb%23c", "UPPER", """{"a":"a?b#c","b":"UPPER"}""")]
    [InlineData("%F0%9F%9A%A2", "a+b%20c", """{"a":"\uD83D\uDEA2","b":"a+b c"}""")]
    public async Task Route_values_are_decoded_exactly_once(string a, string b, string expected)
    {
        var (status, body) = await SendAsync($"GET /_matrix/client/v3/echo/{a}/of/{b}?a=no");
        Assert.Equal(200, status);
        Assert.Equal(expected, body);
    }

    [Theory]
    [InlineData("/_matrix/client/v3/echo/%FF/of/x", 400, "M_INVALID_PARAM")]
    [InlineData("/_matrix/client/v3/echo/%4/of/x", 400, "M_INVALID_PARAM")]
    [InlineData("/_matrix/client/v3/ECHO/a/of/x", 404, "M_UNRECOGNIZED")]
    [InlineData("/_matrix/client/v3/x/../echo/a/of/x", 404, "M_UNRECOGNIZED")]
    [InlineData("/_matrix/client/v3/nothing", 404, "M_UNRECOGNIZED")]
    [InlineData("/_matrix/client/v3/body", 405, "M_UNRECOGNIZED")]
    public async Task What_is_not_a_route_gets_the_error_of_the_specification(string path, int status, string code)
    {
        var answer = await SendAsync($"GET {path}");
        Assert.Equal(status, answer.Status);
        Assert.Contains($"\"errcode\":\"{code}\"", answer.Body);
    }

    [Theory]
    [InlineData("{", 400, "M_NOT_JSON")]
    [InlineData("", 400, "M_NOT_JSON")]
    [InlineData("[1]", 400, "M_BAD_JSON")]
    [InlineData("{\"a\":\"0123456789012345678901234567890123456789012345678901234567890123456789\"}", 413, "M_TOO_LARGE")]
    [InlineData("""{"a":"\ud83d"}""", 400, "M_BAD_JSON")]
    [InlineData("""{"a":"\ud83d\n\ude00"}""", 400, "M_BAD_JSON")]
    [InlineData("""{"a":"\ud83d \ude00"}""", 400, "M_BAD_JSON")]
    [InlineData("""{"a":"\ude00\ud83d"}""", 400, "M_BAD_JSON")]
    [InlineData("""{"\uD83D":1}""", 400, "M_BAD_JSON")]
    [InlineData("""{"a":"\ud83d\ude00\ud83d\udE00"}""", 200, "ude00")]
    [InlineData("""{"a":"\\ud83d\\\\ude00"}""", 200, "ud83d")]
    [InlineData("""{"a":"\ud83d\""", 400, "M_BAD_JSON")]
    [InlineData("""{"a":"\u00""", 400, "M_NOT_JSON")]
    public async Task Bad_bodies_are_told_apart(string body, int status, string code)
    {
        var answer = await SendAsync("PUT /_matrix/client/v3/body", "", Encoding.UTF8.GetBytes(body));
        Assert.Equal(status, answer.Status);
        Assert.Contains(code, answer.Body);
    }

    [Fact]
    public async Task A_missing_and_an_unknown_token_are_told_apart()
    {
        Assert.Contains("M_MISSING_TOKEN", (await SendAsync("GET /_matrix/client/v3/who")).Body);
        var unknown = await SendAsync("GET /_matrix/client/v3/who", "Authorization: Bearer bad\r\n");
        Assert.Equal(401, unknown.Status);
        Assert.Contains("\"soft_logout\":false", unknown.Body);
        Assert.Equal("""{"user_id":"@a:x"}""", (await SendAsync("GET /_matrix/client/r0/who", "Authorization: Bearer good\r\n")).Body);
        Assert.Equal(200, (await SendAsync("GET /_matrix/client/v3/who?access_token=good")).Status);
    }

    [Fact]
    public async Task What_can_be_got_can_be_asked_for_without_its_body()
    {
        Assert.Equal((200, ""), await SendAsync("HEAD /_matrix/client/v3/who", "Authorization: Bearer good\r\n"));
        Assert.Equal((401, ""), await SendAsync("HEAD /_matrix/client/v3/who"));
        Assert.Equal((405, ""), await SendAsync("HEAD /_matrix/client/v3/body"));
        Assert.Equal((404, ""), await SendAsync("HEAD /_matrix/client/v3/nothing"));
    }

    [Fact]
    public async Task Nobody_in_between_keeps_an_answer()
    {
        using var http = new HttpClient();
        foreach (var path in new[] { "who", "who?access_token=good", "nothing" })
        {
            using var answer = await http.GetAsync(new Uri($"http://127.0.0.1:{port}/_matrix/client/v3/{path}"));
            Assert.True(answer.Headers.CacheControl is { NoStore: true, NoCache: true, MustRevalidate: true }, path);
        }
    }

    [Fact]
    public async Task A_fault_of_ours_tells_no_detail()
    {
        var (status, body) = await SendAsync("GET /_matrix/client/v3/fail");
        Assert.Equal(500, status);
        Assert.Equal("""{"errcode":"M_UNKNOWN","error":"Internal server error"}""", body);
    }
}
