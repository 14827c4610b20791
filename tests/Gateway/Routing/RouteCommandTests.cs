using Matrix.Gateway.Routing;
using Xunit;

namespace Matrix.Gateway.Tests.Routing;

public sealed class RouteCommandTests
{
    private const string Alice = "Authorization: Bearer syt_QGFsaWNlOmV4YW1wbGUub3Jn_ABCDEFGHIJKLMNOPQRST_0abcde";

    private static readonly string[][] Calls =
    [
        ["GET", "/_matrix/client/versions"],
        ["GET", "/_matrix/client/v3/sync?since=s1", "--header", Alice],
        ["get", "https://matrix.example.org/_matrix/client/v3/sync?timeout=0", "--header", Alice],
        ["GET", "/_matrix/client/v3/sync?since=s1&access_token=syt_QGFsaWNlOmV4YW1wbGUub3Jn_ABCDEFGHIJKLMNOPQRST_0abcde"],
        ["GET", "/_matrix/client/v3/sync?since=s1", "--header", "Authorization: Bearer secret"],
        ["GET", "/_matrix/client/v3/sync?since=s1"],
        ["PUT", "/_matrix/client/v3/rooms/!a%2Fb%3Aexample.org/send/m.room.message/1", "--header", Alice],
        ["PUT", "/_matrix/client/v3/rooms/!r:example.org/state/m.room.name/"],
        ["GET", "/_matrix/client/v3/rooms/!r:example.org/messages?dir=b"],
        ["POST", "/_matrix/client/v3/join/%23room:example.org"],
        ["POST", "/_matrix/client/v3/createRoom", "--header", Alice],
        ["PUT", "/_matrix/client/v3/profile/@alice:example.org/displayname", "--header", Alice],
        ["PUT", "/_matrix/federation/v1/send/1", "--header", "Authorization: X-Matrix origin=\"a.example\",destination=\"b\",key=\"ed25519:1\",sig=\"s\""],
        ["GET", "/_matrix/federation/v1/event/$e"],
        ["POST", "/_matrix/client/v3/login"],
        ["POST", "/_matrix/client/v3/register", "--header=X-Test: 1"],
        ["GET", "/_matrix/media/v3/download/example.org/abc"],
        ["PUT", "/_matrix/client/v3/user/@alice:example.org/account_data/m.direct", "--header", Alice],
        ["POST", "/_matrix/client/v3/user_directory/search"],
        ["GET", "/_synapse/admin/v2/users"],
        ["OPTIONS", "/_matrix/client/v3/sync"],
        ["GET", "/_internal/health/ready"],
        ["GET", "/.well-known/matrix/client"],
        ["GET", "/anything/else"],
    ];

    private static (int Code, string Output, string Error) Run(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var code = RouteTool.Run(args, output, error);
        return (code, output.ToString().TrimEnd(), error.ToString());
    }

    [Fact]
    public void The_command_says_what_the_golden_list_says() =>
        Golden.Check("explain.txt", Calls.Select(call =>
        {
            var (code, output, error) = Run(call);
            Assert.Equal((0, ""), (code, error));
            return $"{string.Join(' ', call)}\n    {output}";
        }));

    [Theory]
    [InlineData]
    [InlineData("GET")]
    [InlineData("GET", "not-a-path")]
    [InlineData("GET", "ftp://example.org/")]
    [InlineData("GET", "/a b")]
    [InlineData("G3T", "/a")]
    [InlineData("GET", "/a", "/b")]
    [InlineData("GET", "/a", "--header")]
    [InlineData("GET", "/a", "--header", "no colon")]
    [InlineData("GET", "/a", "--unknown")]
    public void Bad_input_is_exit_code_2_with_usage(params string[] args)
    {
        var (code, output, error) = Run(args);
        Assert.Equal(2, code);
        Assert.Empty(output);
        Assert.Contains("usage: route METHOD URL", error);
    }

    [Fact]
    public void Configured_groups_are_what_the_explanation_names()
    {
        var groups = new RouteGroups(new Dictionary<string, string> { ["sync"] = "sync-a", ["event_send"] = "persister-bridges" });
        string Service(string method, string url) => RouteExplainer.Explain(method, url, [], groups).Service;
        Assert.Equal("sync-a", Service("GET", "/_matrix/client/v3/sync?since=1"));
        Assert.Equal("sync-a", Service("GET", "/_matrix/client/v3/sync"));
        Assert.Equal("persister-bridges", Service("PUT", "/_matrix/client/v3/rooms/!r/send/a/b"));
        Assert.Equal("persister-bridges", Service("POST", "/_matrix/client/v3/createRoom"));
        Assert.Equal("clientapi", Service("GET", "/_matrix/client/versions"));
    }

    [Fact]
    public void The_groups_of_a_configuration_file_are_applied_and_its_faults_told()
    {
        var folder = Directory.CreateTempSubdirectory("armada-route-").FullName;
        var file = Path.Combine(folder, "homeserver.yaml");
        File.WriteAllText(Path.Combine(folder, "example.org.signing.key"), Proxy.TestGateway.SigningKey);
        try
        {
            const string usable = "server_name: example.org\ndatabase: { name: psycopg2, args: { host: localhost, database: a } }\nmacaroon_secret_key: x\n";
            File.WriteAllText(file, usable + "stream_writers: { typing: [clientapi-7], events: [p1, p2] }\narmada: { routes: { initial_sync: fresh } }\n");
            Assert.Equal("""{"class":"typing","service":"clientapi-7","key":null}""", Run("PUT", "/_matrix/client/v3/rooms/!r/typing/@a:b", "--config", file).Output);
            Assert.Equal("""{"class":"initial_sync","service":"fresh","key":null}""", Run("GET", "/_matrix/client/v3/sync", "--config=" + file).Output);
            Assert.Equal("""{"class":"event_send","service":"p1,p2","key":"!r"}""", Run("POST", "/_matrix/client/v3/join/!r", "--config", file).Output);

            File.WriteAllText(file, usable + "armada: { routes: { sink: x } }\n");
            var (code, output, error) = Run("GET", "/_matrix/client/versions", "--config", file);
            Assert.Equal((2, ""), (code, output));
            Assert.Contains("'sink'", error);

            File.WriteAllText(file, "database: 7\n");
            Assert.Equal(2, Run("GET", "/_matrix/client/versions", "--config", file).Code);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_trusted_forwarded_address_is_the_key_of_login()
    {
        KeyValuePair<string, string>[] headers = [new("x-forwarded-for", "203.0.113.7, 10.0.0.1")];
        Assert.Equal("203.0.113.7", RouteExplainer.Explain("POST", "/_matrix/client/v3/login", headers, RouteGroups.None, trustForwarded: true).Key);
        Assert.Equal("ip", RouteExplainer.Explain("POST", "/_matrix/client/v3/login", headers, RouteGroups.None).Key);
    }
}
