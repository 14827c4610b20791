using Matrix.Gateway.Fleet;
using Xunit;

namespace Matrix.Gateway.Tests.Proxy;

public sealed class ByteFidelityTests
{
    public static TheoryData<string> Targets => new(
        "/_matrix/client/v3/rooms/!a%2Fb:example.org/messages?from=t%2F1&dir=b",
        "/_matrix/client/v3/rooms/!a%252Fb:example.org/messages",
        "/_matrix/client/v3/rooms/!a%2fb:example.org/messages",
        "/_matrix/client/v3/user/@a:b/account_data/..",
        "/_matrix/client/v3/user/@a:b/account_data/../../x",
        "/_matrix/client/v3/user/@a:b/account_data/.",
        "/_matrix/client/v3/user/@a:b/account_data/%2e%2e/%2E",
        "/_matrix/client/v3/user/@a:b/account_data/a%3Fb?c?d=e?",
        "/_matrix/client/v3/user/@a:b/account_data/x?",
        "/_matrix/client/v3/user/@a:b/account_data/x??",
        "/_matrix/client/v3/directory/room/%23room%3Aexample.org",
        "/_matrix/client/v3/rooms/!r/state/m.room.member/%40user%3Aexample.org",
        "/_matrix/client/v3/rooms/!r/state/m.reaction/%F0%9F%98%80",
        "/_matrix/client/v3/rooms/!r/state/a/%E4%BD%A0%E5%A5%BD?x=%F0%9F%98%80",
        "/_matrix/client/v3/rooms/!R/state/UPPER/Case",
        "/_matrix/client/v3/rooms/!r/state/trailing/",
        "/_matrix/client/v3/rooms//state//double//",
        "/_matrix/client/v3/rooms/!r/state/a+b/c%20d%09",
        "/_matrix/client/v3/rooms/!r/state/a/!$&'()*+,;=:@-._~",
        "/_matrix/client/v3/rooms/!r/state/a/[x]{y}|z^`\"<>\\",
        "/_matrix/client/v3/rooms/!r/state/a/%01%7F%FF",
        "/_matrix/client/v3/rooms/!r/state/a/%",
        "/_matrix/client/v3/rooms/!r/state/a/%zz%2",
        "/_matrix/client/v3/rooms/!r/state/a/#fragment?x#y",
        "//_matrix/client/v3/sync",
        "/_matrix/client/v3/sync?since=a&since=b&&=&x",
        "/x/http://example.org:80/y");

    [Theory]
    [MemberData(nameof(Targets))]
    public async Task The_target_reaches_the_instance_byte_for_byte(string target)
    {
        await using var clientApi = new RawService("clientapi-1", "clientapi", _ => RawService.Ok);
        await using var persister = new RawService("eventpersister-1", "eventpersister", _ => RawService.Ok);
        await using var sync = new RawService("sync-1", "sync", _ => RawService.Ok);
        await using var gateway = await TestGateway.StartAsync();
        gateway.Directory.Set(clientApi.Instance, persister.Instance, sync.Instance);
        await gateway.UntilAsync(() => gateway.Fleet.Backends.Count(b => b.Health == BackendHealth.Up) == 3);

        var answer = await RawHttp.SendAsync(gateway.Address, $"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 200 ", answer);
        var seen = Assert.Single((string[])[.. clientApi.Requests, .. persister.Requests, .. sync.Requests]);
        Assert.Equal($"GET {target} HTTP/1.1", seen[..seen.IndexOf('\r')]);
    }

    [Fact]
    public async Task An_absolute_target_arrives_as_its_path()
    {
        await using var clientApi = new RawService("clientapi-1", "clientapi", _ => RawService.Ok);
        await using var gateway = await TestGateway.StartAsync();
        gateway.Directory.Set(clientApi.Instance);

        await RawHttp.SendAsync(gateway.Address, "GET http://h/_matrix/client/versions?a=%2F HTTP/1.1\r\nHost: h\r\n\r\n");

        Assert.StartsWith("GET /_matrix/client/versions?a=%2F HTTP/1.1\r\n", Assert.Single(clientApi.Requests));
    }

    [Fact]
    public async Task Headers_that_services_need_arrive_and_forged_addresses_do_not()
    {
        await using var clientApi = new RawService("clientapi-1", "clientapi", _ => RawService.Ok);
        await using var gateway = await TestGateway.StartAsync();
        gateway.Directory.Set(clientApi.Instance);

        await RawHttp.SendAsync(gateway.Address,
            "GET /_matrix/client/versions HTTP/1.1\r\nHost: matrix.example.org\r\nAuthorization: Bearer x\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n" +
            "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n");

        var seen = Assert.Single(clientApi.Requests);
        Assert.Contains("\r\nHost: matrix.example.org\r\n", seen);
        Assert.Contains("\r\nAuthorization: Bearer x\r\n", seen);
        Assert.Contains("\r\nX-Forwarded-For: 127.0.0.1\r\n", seen);
        Assert.Contains("\r\nX-Forwarded-Proto: http\r\n", seen);
        Assert.Contains("traceparent: 00-0af7651916cd43dd8448eb211c80319c-", seen);
        Assert.DoesNotContain("6.6.6.6", seen);
    }

    [Fact]
    public async Task A_trusted_proxy_in_front_tells_the_client_address()
    {
        await using var clientApi = new RawService("clientapi-1", "clientapi", _ => RawService.Ok);
        await using var gateway = await TestGateway.StartAsync(listener: "x_forwarded: true");
        gateway.Directory.Set(clientApi.Instance);

        await RawHttp.SendAsync(gateway.Address, "GET /_matrix/client/versions HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 2001:db8::7, 10.0.0.1\r\nX-Forwarded-Proto: https\r\n\r\n");

        var seen = Assert.Single(clientApi.Requests);
        Assert.Contains("\r\nX-Forwarded-For: 2001:db8::7\r\n", seen);
        Assert.Contains("\r\nX-Forwarded-Proto: https\r\n", seen);
    }
}
