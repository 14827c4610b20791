using System.Net;
using System.Text;
using System.Text.Json;
using Matrix.Gateway.Tests.Proxy;
using Matrix.ServiceDefaults;
using Matrix.ServiceDefaults.Edge;
using Xunit;

namespace Matrix.Gateway.Tests.Edge;

public sealed class PublicEdgeTests
{
    private static async Task AssertErrorAsync(HttpStatusCode status, string code, HttpResponseMessage response)
    {
        Assert.Equal(status, response.StatusCode);
        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        using var error = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        Assert.Equal(code, error.RootElement.GetProperty("errcode").GetString());
        Assert.NotEmpty(error.RootElement.GetProperty("error").GetString()!);
    }

    private static void AssertCors(HttpResponseMessage response)
    {
        Assert.Equal(["*"], response.Headers.GetValues("Access-Control-Allow-Origin"));
        Assert.Equal(["GET, HEAD, POST, PUT, DELETE, OPTIONS"], response.Headers.GetValues("Access-Control-Allow-Methods"));
        Assert.Equal(["X-Requested-With, Content-Type, Authorization, Date"], response.Headers.GetValues("Access-Control-Allow-Headers"));
    }

    [Theory]
    [InlineData("/_matrix/client/v3/sync")]
    [InlineData("/_matrix/media/v3/upload")]
    [InlineData("/nothing")]
    public async Task Preflight_requests_are_answered_by_the_gateway_alone(string path)
    {
        await using var gateway = await TestGateway.StartAsync(options: new() { WaitForInstance = TimeSpan.Zero });
        using var response = await gateway.Client.SendAsync(new(HttpMethod.Options, path));
        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        AssertCors(response);
    }

    [Fact]
    public async Task Every_answer_has_the_cross_origin_headers_once()
    {
        await using var clientApi = await Service.StartAsync("clientapi-1", "clientapi", answer: context =>
        {
            context.Response.Headers.AccessControlAllowOrigin = "https://elsewhere.example";
            context.Response.StatusCode = context.Request.Path == "/_matrix/client/versions" ? 200 : 404;
            return Task.CompletedTask;
        });
        await using var gateway = await TestGateway.StartAsync(options: new() { WaitForInstance = TimeSpan.Zero }, services: [clientApi]);
        foreach (var path in (string[])["/_matrix/client/versions", "/_matrix/client/v3/unknown", "/_matrix/client/v3/sync", "/", "/%2F_internal/x"])
        {
            using var response = await gateway.Client.GetAsync(path);
            AssertCors(response);
        }
    }

    [Theory]
    [InlineData("/_internal")]
    [InlineData("/_internal/health/ready")]
    [InlineData("/_INTERNAL/health/ready")]
    [InlineData("//_internal/health/ready")]
    [InlineData("/%5Finternal/health/ready")]
    [InlineData("/%2F_internal/health/ready")]
    [InlineData("/_matrix/../_internal/health/ready")]
    [InlineData("/_matrix/%2e%2e/_internal/health/ready")]
    [InlineData("http://h/_internal/health/ready")]
    public async Task The_internal_interface_is_never_reached_from_outside(string target)
    {
        await using var clientApi = await Service.StartAsync("clientapi-1", "clientapi");
        await using var gateway = await TestGateway.StartAsync(services: [clientApi]);
        var answer = await RawHttp.SendAsync(gateway.Address, $"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 404 ", answer);
        Assert.Contains("\"errcode\":\"M_UNRECOGNIZED\"", answer);
        Assert.Empty(clientApi.Requests);
    }

    [Fact]
    public async Task The_internal_listener_has_health_and_no_public_edge()
    {
        await using var gateway = await TestGateway.StartAsync();
        using var health = await gateway.Client.GetAsync(new Uri(gateway.InternalAddress, "/_internal/health/ready"));
        Assert.Equal(HttpStatusCode.OK, health.StatusCode);
        Assert.False(health.Headers.Contains("Access-Control-Allow-Origin"));
        using var landing = await gateway.Client.GetAsync(gateway.InternalAddress);
        Assert.Equal(HttpStatusCode.NotFound, landing.StatusCode);
    }

    [Fact]
    public async Task Ids_that_speak_of_internal_are_not_in_the_way()
    {
        await using var clientApi = await Service.StartAsync("clientapi-1", "clientapi");
        await using var gateway = await TestGateway.StartAsync(services: [clientApi]);
        Assert.Equal("clientapi-1", await gateway.GetTextAsync("/_matrix/client/v3/user/@a:b/account_data/_internal"));
    }

    [Theory]
    [InlineData("TRACE", "/_matrix/client/versions")]
    [InlineData("POST", "/.well-known/matrix/client")]
    [InlineData("DELETE", "/")]
    public async Task A_method_that_nobody_serves_is_405(string method, string path)
    {
        await using var gateway = await TestGateway.StartAsync();
        using var response = await gateway.Client.SendAsync(new(new(method), path));
        await AssertErrorAsync(HttpStatusCode.MethodNotAllowed, "M_UNRECOGNIZED", response);
    }

    [Fact]
    public async Task What_a_service_says_of_unknown_paths_and_methods_is_passed_on_as_it_is()
    {
        await using var clientApi = await Service.StartAsync("clientapi-1", "clientapi", answer: async context =>
        {
            context.Response.StatusCode = 405;
            context.Response.ContentType = "application/json";
            await context.Response.Body.WriteAsync("""{"errcode":"M_UNRECOGNIZED","error":"as it is"}"""u8.ToArray());
        });
        await using var gateway = await TestGateway.StartAsync(services: [clientApi]);
        using var response = await gateway.Client.DeleteAsync("/_matrix/client/versions");
        Assert.Equal("""{"errcode":"M_UNRECOGNIZED","error":"as it is"}""", await response.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
    }

    [Theory]
    [InlineData("PUT", "/_matrix/client/v3/rooms/!r/send/m.room.message/1", BodyLimits.Client)]
    [InlineData("POST", "/_matrix/media/v3/upload", 2 * 1024 * 1024)]
    [InlineData("PUT", "/_matrix/client/v3/room_keys/keys?version=1", BodyLimits.Bulk)]
    public async Task A_body_beyond_the_limit_is_refused_whether_it_says_its_length_or_not(string method, string path, int limit)
    {
        await using var persister = await Service.StartAsync("eventpersister-1", "eventpersister");
        await using var media = await Service.StartAsync("media-1", "media");
        await using var clientApi = await Service.StartAsync("clientapi-1", "clientapi");
        await using var gateway = await TestGateway.StartAsync(services: [persister, media, clientApi]);

        foreach (var (extra, chunked) in (IEnumerable<(int, bool)>)[(0, false), (-limit / 2, true), (1, false), (1, true)])
        {
            using var request = new HttpRequestMessage(new(method), path) { Content = new ByteArrayContent(new byte[limit + extra]) };
            // Waiting for 100 lets the refusal arrive before the body is on its way.
            request.Headers.ExpectContinue = true;
            if (chunked) request.Headers.TransferEncodingChunked = true;
            using var response = await gateway.Client.SendAsync(request);
            if (extra <= 0) Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            else await AssertErrorAsync(HttpStatusCode.RequestEntityTooLarge, "M_TOO_LARGE", response);
        }
    }

    [Fact]
    public async Task Well_known_files_are_served_where_configured()
    {
        await using var gateway = await TestGateway.StartAsync("""
            public_baseurl: https://matrix.example.org/
            serve_server_wellknown: true
            extra_well_known_client_content: { org.example: { a: 1 }, m.homeserver: { base_url: "no" } }
            armada: { well_known_support: { contacts: [{ matrix_id: "@admin:example.org", role: m.role.admin }] } }
            """);
        using var response = await gateway.Client.GetAsync("/.well-known/matrix/client");
        Assert.Equal("application/json", response.Content.Headers.ContentType!.ToString());
        AssertCors(response);
        Assert.Equal("""{"m.homeserver":{"base_url":"https://matrix.example.org/"},"org.example":{"a":1}}""", await response.Content.ReadAsStringAsync());
        Assert.Equal("""{"m.server":"example.org:443"}""", await gateway.GetTextAsync("/.well-known/matrix/server"));
        Assert.Equal("""{"contacts":[{"matrix_id":"@admin:example.org","role":"m.role.admin"}]}""", await gateway.GetTextAsync("/.well-known/matrix/support?x=y"));
    }

    [Theory]
    [InlineData("client")]
    [InlineData("server")]
    [InlineData("support")]
    public async Task Well_known_files_are_missing_where_not_configured(string file)
    {
        await using var gateway = await TestGateway.StartAsync();
        using var response = await gateway.Client.GetAsync("/.well-known/matrix/" + file);
        await AssertErrorAsync(HttpStatusCode.NotFound, "M_NOT_FOUND", response);
    }

    [Fact]
    public async Task A_person_with_a_browser_is_greeted_without_scripts()
    {
        await using var gateway = await TestGateway.StartAsync("public_baseurl: https://matrix.example.org/a&b/");
        using var response = await gateway.Client.GetAsync("/");
        var page = await response.Content.ReadAsStringAsync();
        Assert.Equal("text/html; charset=utf-8", response.Content.Headers.ContentType!.ToString());
        Assert.Contains("Armada is running", page);
        Assert.Contains("<b>example.org</b>", page);
        Assert.Contains("https://matrix.example.org/a&amp;b", page);
        Assert.DoesNotContain("<script", page);
        Assert.DoesNotContain("a&b", page);
        Assert.Contains("default-src 'none'", Assert.Single(response.Headers.GetValues("Content-Security-Policy")));
    }

    [Fact]
    public async Task Health_is_for_load_balancers_and_HEAD_has_no_body()
    {
        await using var gateway = await TestGateway.StartAsync();
        Assert.Equal("OK", await gateway.GetTextAsync("/health"));
        using var response = await gateway.Client.SendAsync(new(HttpMethod.Head, "/"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Empty(await response.Content.ReadAsByteArrayAsync());
        Assert.True(response.Content.Headers.ContentLength > 1000);
    }

    [Fact]
    public async Task A_long_request_line_reaches_the_service()
    {
        await using var sync = await Service.StartAsync("sync-1", "sync");
        await using var gateway = await TestGateway.StartAsync(services: [sync]);
        // The service under test here has the usual 8 KiB limit.
        Assert.Equal("sync-1", await gateway.GetTextAsync("/_matrix/client/v3/sync?since=s1&filter=" + new string('f', 7000)));
        var answer = await RawHttp.SendAsync(gateway.Address, $"GET /health?{new string('x', 60_000)} HTTP/1.1\r\nHost: h\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 200 ", answer);
    }

    [Theory]
    [InlineData("203.0.113.9", "203.0.113.9")]
    [InlineData("203.0.113.9, 10.0.0.1", "203.0.113.9")]
    [InlineData("[2001:db8::1]:443", "2001:db8::1")]
    [InlineData("203.0.113.9:5000", "203.0.113.9")]
    [InlineData("unknown", "127.0.0.1")]
    [InlineData("", "127.0.0.1")]
    public void The_client_is_the_first_address_of_the_header(string header, string expected)
    {
        var context = new Microsoft.AspNetCore.Http.DefaultHttpContext();
        context.Connection.RemoteIpAddress = IPAddress.Loopback;
        context.Request.Headers["X-Forwarded-For"] = header;
        ForwardedClient.Apply(context);
        Assert.Equal(expected, ForwardedClient.Text(context.Connection.RemoteIpAddress));
    }

    [Fact]
    public void An_IPv4_client_on_a_dual_stack_socket_is_written_as_IPv4() =>
        Assert.Equal("203.0.113.9", ForwardedClient.Text(IPAddress.Parse("::ffff:203.0.113.9")));

    [Fact]
    public async Task A_body_that_breaks_off_is_not_the_instances_fault()
    {
        await using var clientApi = await Service.StartAsync("clientapi-1", "clientapi");
        await using var gateway = await TestGateway.StartAsync(services: [clientApi]);
        var answer = await RawHttp.SendAsync(gateway.Address, "PUT /_matrix/client/v3/user/@a:b/account_data/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
        Assert.StartsWith("HTTP/1.1 400 ", answer);
        Assert.Equal("clientapi-1", await gateway.GetTextAsync("/_matrix/client/versions"));
        Assert.Equal(Encoding.UTF8.GetByteCount(answer!), answer!.Length);
    }
}
